"""Predefined variables that are known before a job is on a host (pipeline language, section 13). Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import field

from sluice.authorization.trust import RunOrigin, Trust, trust_of
from sluice.runtime.logging_commands import neutralise
from sluice.runtime.predefined import SERVER_ADDRESSES
from sluice.values import dataclass

SYSTEM_IDENTITY = "Microsoft.VisualStudio.Services.TFS"
SYSTEM_IDENTITY_ID = "00000002-0000-8888-8000-000000000000"
_NUMBER = re.compile(r"refs/pull/(\d+)/.+")
_NAMESPACE = uuid.UUID("5bd1f0c6-8a3e-4f7e-9f5f-0f1f6f0f3c11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The repository a pipeline lies in, as far as it is one; every text is '' when unknown.

    `untrusted` is what a person says whose changes are checked out: '', `pull-request` or `fork`.
    """

    root: str = ""
    name: str = ""
    uri: str = ""
    provider: str = "Git"
    branch: str = ""
    version: str = ""
    author: str = ""
    message: str = ""
    untrusted: str = ""

    @property
    def trust(self) -> Trust:
        """Whose changes are checked out, as far as that is known."""
        return trust_of(self.branch, said=self.untrusted)

    @property
    def branch_name(self) -> str:
        """The last part of the ref."""
        return self.branch.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of a run when it is created; `started` is `yyyy-MM-dd HH:mm:ss+00:00`."""

    run_id: int
    run_name: str
    pipeline_id: int
    pipeline: str
    project: str
    project_id: str
    requested_by: str
    email: str
    started: str
    reason: str = "Manual"
    source: Source = Source()
    resources: Mapping[str, str] = field(default_factory=dict)
    """The variables of `resources.pipelines`."""


def user_id(name: str) -> str:
    """The id of a user, which is made from the name."""
    return str(uuid.uuid5(_NAMESPACE, name))


def plan_id(run_id: int) -> str:
    """The id of a run's orchestration plan, and of its timeline."""
    return str(uuid.uuid5(_NAMESPACE, f"run {run_id}"))


def template_variables(facts: RunFacts) -> dict[str, str]:
    """Those that `${{ variables.x }}` can read: known before the run exists."""
    source = facts.source
    requested_by = user_id(facts.requested_by)
    number = _NUMBER.fullmatch(source.branch)
    found = {
        "Build.DefinitionFolderPath": "",
        "Build.DefinitionName": facts.pipeline,
        "Build.DefinitionVersion": "1",
        "Build.QueuedBy": facts.requested_by,
        "Build.QueuedById": requested_by,
        "Build.RequestedFor": facts.requested_by,
        "Build.RequestedForId": requested_by,
        "Build.RequestedForEmail": facts.email,
        "Build.Reason": facts.reason if source.trust is Trust.TRUSTED else "PullRequest",
        "Build.Repository.ID": str(uuid.uuid5(_NAMESPACE, source.uri or source.root)),
        "Build.Repository.Name": source.name,
        "Build.Repository.Uri": source.uri,
        "Build.SourceBranch": source.branch,
        "Build.SourceBranchName": source.branch_name,
        "Build.SourceVersion": source.version,
        "Build.SourceVersionAuthor": source.author,
        "System.CollectionId": str(uuid.uuid5(_NAMESPACE, "local")),
        "System.DefinitionId": str(facts.pipeline_id),
        "System.HostType": "build",
        "System.IsTriggeringRepository": "True",
        "System.PullRequest.IsFork": str(source.trust is Trust.FORK),
        **({"System.PullRequest.PullRequestId": number[1]} if number else {}),
        **SERVER_ADDRESSES,
        "System.TeamProject": facts.project,
        "System.TeamProjectId": facts.project_id,
    }
    return _harmless(found)


def run_variables(facts: RunFacts) -> dict[str, str]:
    """All those that hold for a whole run."""
    source = facts.source
    plan = plan_id(facts.run_id)
    found = {
        "Build.BuildId": str(facts.run_id),
        "Build.BuildNumber": facts.run_name,
        "Build.BuildUri": f"vstfs:///Build/Build/{facts.run_id}",
        "Build.ContainerId": str(facts.run_id),
        "Build.Repository.Clean": "False",
        "Build.Repository.Git.SubmoduleCheckout": "False",
        "Build.Repository.Provider": source.provider,
        "Build.SourceVersionMessage": source.message.partition("\n")[0][:200],
        "Build.StageRequestedBy": SYSTEM_IDENTITY,
        "Build.StageRequestedForId": SYSTEM_IDENTITY_ID,
        "Build.SyncSources": "True",
        "System": "build",
        "System.Culture": "en-US",
        "System.DefinitionName": facts.pipeline,
        "System.IsScheduled": "False",
        "System.PipelineStartTime": facts.started,
        "System.PlanId": plan,
        "System.ServerType": "OnPremises",
        "System.TimelineId": plan,
        **facts.resources,
    }
    return template_variables(facts) | _harmless(found)


def _harmless(found: Mapping[str, str]) -> dict[str, str]:
    """Whoever writes a commit commands nothing: neither by its message, nor by what the pipeline makes of that."""
    return {name: neutralise(value) for name, value in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """Where a job instance stands in its run; `position` counts from 1.

    `started_by` is who started its stage by hand ('' when nobody had to).
    """

    stage: str
    stage_display_name: str
    stage_id: str
    stage_attempt: int
    phase: str
    phase_display_name: str
    phase_id: str
    job: str
    job_display_name: str
    job_id: str
    job_identifier: str
    job_attempt: int
    position: int = 1
    total: int = 1
    started_by: str = ""


def job_variables(facts: JobFacts) -> Mapping[str, str]:
    """Those of one job instance."""
    by_hand = {
        "Build.StageRequestedBy": facts.started_by,
        "Build.StageRequestedForId": str(uuid.uuid5(_NAMESPACE, facts.started_by)),
    }
    found = {
        **(by_hand if facts.started_by else {}),
        "Checks.StageAttempt": str(facts.stage_attempt),
        "System.JobAttempt": str(facts.job_attempt),
        "System.JobDisplayName": facts.job_display_name,
        "System.JobId": facts.job_id,
        "System.JobIdentifier": facts.job_identifier,
        "System.JobName": facts.job,
        "System.JobPositionInPhase": str(facts.position),
        "System.PhaseAttempt": str(facts.job_attempt),
        "System.PhaseDisplayName": facts.phase_display_name,
        "System.PhaseId": facts.phase_id,
        "System.PhaseName": facts.phase,
        "System.StageAttempt": str(facts.stage_attempt),
        "System.StageDisplayName": facts.stage_display_name,
        "System.StageId": facts.stage_id,
        "System.StageName": facts.stage,
        "System.TotalJobsInPhase": str(facts.total),
    }
    return _harmless(found)


def origin_of(options: Mapping[str, object], pipeline: str = "") -> RunOrigin:
    """Where a run (of that pipeline) comes from, by the options that it is stored with."""
    branch, said = str(options.get("branch", "")), str(options.get("untrusted", ""))
    return RunOrigin(branch=branch, trust=trust_of(branch, said=said), pipeline=pipeline)
