"""Names of predefined variables: what the pipeline, and whoever queues it, may not define anew."""

from __future__ import annotations

_AGENT = """acceptteeeula artifactsdirectory builddirectory cainfo clientcert clientcertkey clientcertarchive
 clientcertpassword cloudid containermapping containernetwork diagnostic homedirectory id isselfhosted jobname jobstatus
 machinename name os osarchitecture proxybypasslist proxypassword proxyurl proxyusername readonlyvariables
 rootdirectory serveromdirectory skipcertvalidation tempdirectory toolsdirectory version workfolder"""
_BUILD = """artifactstagingdirectory binariesdirectory buildid buildnumber builduri clean containerid definitionid
 definitionname definitionversion queuedby queuedbyid reason repository.clean repository.git.submodulecheckout
 repository.id repository.localpath repository.name repository.provider repository.uri requestedfor
 requestedforemail requestedforid sourcebranch sourcebranchname sourcesdirectory sourceversion sourceversionauthor
 sourceversionmessage stagingdirectory syncsources"""
_SYSTEM = """accesstoken artifactsdirectory collectionid collectionuri culture debug defaultworkingdirectory
 definitionid definitionname enableaccesstoken hosttype isazurevm isdockercontainer isscheduled jobattempt
 jobdisplayname jobid jobidentifier jobname jobparallelismtag jobpositioninphase phaseattempt phasedisplayname
 phaseid phasename pipelinestarttime planid pullrequest.isfork pullrequest.pullrequestid
 pullrequest.pullrequestnumber pullrequest.sourcebranch pullrequest.sourcecommitid
 pullrequest.sourcerepositoryuri pullrequest.targetbranch servertype stageattempt stagedisplayname stageid
 stagename taskdefinitionsuri taskdisplayname taskinstanceid taskinstancename teamfoundationcollectionuri
 teamfoundationserveruri teamproject teamprojectid timelineid totaljobsinphase workfolder"""

READ_ONLY = frozenset(
    {
        *(f"agent.{name}" for name in _AGENT.split()),
        *(f"build.{name}" for name in _BUILD.split()),
        *(f"system.{name}" for name in _SYSTEM.split()),
        "common.testresultsdirectory",
        "pipeline.workspace",
        "system",
        "task.displayname",
        "task.publishtelemetry",
        "tf_build",
        "vsts_process_lookup_id",
    }
)
"""Names, in lower case, that no logging command sets."""

SETTABLE = frozenset({"agent.diagnostic", "build.clean", "build.syncsources", "system.debug"})
"""The predefined variables, in lower case, that are not read-only for the pipeline: two are documented, two are known switches."""

_FURTHER = READ_ONLY | {
    "agent.jobstatus",
    "agent.proxyurl",
    "build.cronschedule.displayname",
    "build.definitionfolderpath",
    "build.repository.tfvc.workspace",
    "build.sourcetfvcshelveset",
    "build.stagerequestedby",
    "build.stagerequestedforid",
    "checks.stageattempt",
    "resources.triggeringalias",
    "resources.triggeringcategory",
    "strategy.action",
    "strategy.cyclename",
    "strategy.increment",
    "strategy.name",
    "system.istriggeringrepository",
    "system.accesstokenrequesturi",
    "system.oidcrequesturi",
}
_PREFIXES = ("build.triggeredby.", "resources.pipeline.", "system.pullrequest.")


def is_predefined(name: str) -> bool:
    """Whether a variable of that name, in any case, is given to every run and keeps what it is given."""
    key = name.strip().lower()
    return key not in SETTABLE and (key in _FURTHER or key.startswith(_PREFIXES))
