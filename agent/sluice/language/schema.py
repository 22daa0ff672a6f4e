"""The YAML schema of pipelines as data: which keys an object has, and what their values are.

The reader checks files against these shapes, and editors get their JSON schema from them.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import field

from sluice.language.resource_schema import (
    BUILD,
    CHECKOUT_OPTIONS,
    CONTAINER_RESOURCE,
    CONTAINER_TRIGGER,
    FILTER_LISTS,
    JOB_CONTAINER,
    MOUNT_READ_ONLY,
    PACKAGE,
    PIPELINE_RESOURCE,
    PIPELINE_TRIGGER,
    PR,
    REPOSITORY,
    RESOURCES,
    SCHEDULE,
    TRIGGER,
    WEBHOOK,
    WEBHOOK_FILTER,
)
from sluice.language.shapes import ANY, BOOLEAN, LIST, MAPPING, NUMBER, TEXT, TEXTS, Key, Kind, Shape
from sluice.values import dataclass

_NO_LOCKS = "runs do not wait for each other"
VARIABLES = Key(Kind.LIST_OR_MAPPING, "variable")
PARAMETERS = Key(Kind.LIST_OR_MAPPING, "parameter")
POOL = Key(Kind.TEXT_OR_MAPPING, "pool")
POOL_MEANING = (
    "jobs run where they are dispatched to, whatever pool they name ('sluice pool list' tells which need a permit)"
)
LOCK_BEHAVIOR = Key(Kind.TEXT, values=("sequential", "runLatest"))
STEPS = Key(Kind.LIST, "step")
JOBS = Key(Kind.LIST, "job")
STAGES = Key(Kind.LIST, "stage")
CONTAINER = Key(Kind.TEXT_OR_MAPPING, "container")

_TRIGGERS = {
    "trigger": Key(Kind.TEXT_OR_LIST_OR_MAPPING, "trigger"),
    "pr": Key(Kind.TEXT_OR_LIST_OR_MAPPING, "pr"),
    "schedules": Key(Kind.LIST, "schedule"),
}
_BODIES = {"stages": STAGES, "jobs": JOBS, "steps": STEPS, "extends": Key(Kind.MAPPING, "extends")}
_IMPLICIT_JOB = {
    "strategy": Key(Kind.MAPPING, "strategy"),
    "continueOnError": BOOLEAN,
    "container": CONTAINER,
    "services": MAPPING,
    "workspace": Key(Kind.MAPPING, "workspace"),
}

PIPELINE = Shape(
    "a pipeline",
    {
        "name": TEXT,
        "appendCommitMessageToRunName": BOOLEAN,
        **_TRIGGERS,
        "parameters": PARAMETERS,
        "resources": Key(Kind.LIST_OR_MAPPING, "resources"),
        "variables": VARIABLES,
        "lockBehavior": LOCK_BEHAVIOR,
        "pool": POOL,
        **_BODIES,
        **_IMPLICIT_JOB,
    },
    advice={
        "phases": "'phases' is the old form: write 'jobs'",
        "queue": "'queue' is the old form: write 'pool'",
        "server": "'server' is the old form: write 'pool: server'",
    },
    unacted={
        "lockBehavior": _NO_LOCKS,
        "appendCommitMessageToRunName": "a run is called by its number",
    },
)
IMPLICIT_JOB_KEYS = frozenset(_IMPLICIT_JOB)
BODIES = tuple(_BODIES)

VARIABLES_TEMPLATE = Shape("a variables template", {"parameters": PARAMETERS, "variables": VARIABLES})
STEPS_TEMPLATE = Shape("a steps template", {"parameters": PARAMETERS, "steps": STEPS})
JOBS_TEMPLATE = Shape("a jobs template", {"parameters": PARAMETERS, "jobs": JOBS})
STAGES_TEMPLATE = Shape("a stages template", {"parameters": PARAMETERS, "stages": STAGES})
INCLUDED = {
    "steps": STEPS_TEMPLATE,
    "jobs": JOBS_TEMPLATE,
    "stages": STAGES_TEMPLATE,
    "variables": VARIABLES_TEMPLATE,
}

TEMPLATE = Shape(
    "a template item",
    {"template": TEXT, "parameters": MAPPING},
    required=("template",),
    advice={"condition": "a template has no condition: put it on what the file holds, or use '${{ if }}'"},
)
EXTENDS = Shape("'extends'", {"template": TEXT, "parameters": MAPPING}, required=("template",))

PARAMETER_TYPES = (
    "string",
    "stringList",
    "number",
    "boolean",
    "object",
    "step",
    "stepList",
    "job",
    "jobList",
    "deployment",
    "deploymentList",
    "stage",
    "stageList",
    "container",
    "containerList",
    "legacyObject",
    "environment",
    "filePath",
    "pool",
    "secureFile",
    "serviceConnection",
)
PARAMETER = Shape(
    "a parameter",
    {
        "name": TEXT,
        "type": Key(Kind.TEXT, values=PARAMETER_TYPES),
        "default": ANY,
        "values": LIST,
        "displayName": TEXT,
    },
    required=("name",),
)

VARIABLE = Shape("a variable", {"name": TEXT, "value": TEXT, "readonly": BOOLEAN}, required=("name",))
VARIABLE_GROUP = Shape("a variable group", {"group": TEXT}, required=("group",))

STAGE = Shape(
    "a stage",
    {
        "stage": TEXT,
        "group": TEXT,
        "displayName": TEXT,
        "pool": POOL,
        "dependsOn": TEXTS,
        "condition": TEXT,
        "variables": VARIABLES,
        "jobs": JOBS,
        "lockBehavior": LOCK_BEHAVIOR,
        "trigger": Key(Kind.TEXT, values=("automatic", "manual")),
        "isSkippable": BOOLEAN,
        "templateContext": ANY,
        "checks": LIST,
    },
    advice={"steps": "put the steps into a job: 'jobs: [{job: ..., steps: [...]}]'"},
    unacted={
        "group": "deployments are not listed by path",
        "lockBehavior": _NO_LOCKS,
        "isSkippable": "nobody can skip a stage by hand",
        "checks": "checks belong to resources, not to stages",
    },
)

_JOB_COMMON = {
    "displayName": TEXT,
    "dependsOn": TEXTS,
    "condition": TEXT,
    "continueOnError": BOOLEAN,
    "timeoutInMinutes": NUMBER,
    "cancelTimeoutInMinutes": NUMBER,
    "variables": VARIABLES,
    "pool": POOL,
    "container": CONTAINER,
    "services": MAPPING,
    "workspace": Key(Kind.MAPPING, "workspace"),
    "uses": Key(Kind.MAPPING, "uses"),
    "templateContext": ANY,
}
JOB = Shape(
    "a job",
    {"job": TEXT, **_JOB_COMMON, "strategy": Key(Kind.MAPPING, "strategy"), "steps": STEPS},
    advice={"environment": "only a deployment job has an environment: write 'deployment:' instead of 'job:'"},
)
DEPLOYMENT = Shape(
    "a deployment job",
    {
        "deployment": TEXT,
        **_JOB_COMMON,
        "environment": Key(Kind.TEXT_OR_MAPPING, "environment"),
        "strategy": Key(Kind.MAPPING, "deployment strategy"),
    },
    advice={"steps": "a deployment job has its steps in 'strategy.runOnce.deploy.steps'"},
)
STRATEGY = Shape(
    "a strategy",
    {"matrix": Key(Kind.TEXT_OR_MAPPING), "parallel": NUMBER, "maxParallel": NUMBER},
    advice={
        name: f"'{name}' belongs to a deployment job: write 'deployment:' instead of 'job:'"
        for name in ("runOnce", "rolling", "canary")
    },
)
_HOOK = Key(Kind.MAPPING, "hook")
_HOOKS = {
    "preDeploy": _HOOK,
    "deploy": _HOOK,
    "routeTraffic": _HOOK,
    "postRouteTraffic": _HOOK,
    "on": Key(Kind.MAPPING, "on"),
}
DEPLOYMENT_STRATEGY = Shape(
    "a deployment strategy",
    {name: Key(Kind.MAPPING, name) for name in ("runOnce", "rolling", "canary")},
)
DEPLOYMENT_STRATEGIES = {
    "runOnce": Shape("'runOnce'", _HOOKS),
    "rolling": Shape("'rolling'", {"maxParallel": TEXT, **_HOOKS}),
    "canary": Shape("'canary'", {"increments": LIST, **_HOOKS}),
}
HOOK = Shape("a hook", {"steps": STEPS, "pool": POOL})
ON = Shape("'on'", {"failure": _HOOK, "success": _HOOK})
ENVIRONMENT = Shape(
    "an environment",
    {"name": TEXT, "resourceName": TEXT, "resourceId": TEXT, "resourceType": TEXT, "tags": TEXTS},
    required=("name",),
)
# templates for managed pools read further keys of it (`image`, `os`), and the service lets them pass everywhere
POOL_SHAPE = Shape(
    "a pool",
    {"name": TEXT, "vmImage": TEXT, "demands": TEXTS},
    open=True,
    unacted={
        "name": POOL_MEANING,
        "vmImage": "jobs run on the machine that they are dispatched to, as it is",
        "demands": "nothing is compared with what the machine can do",
    },
)
WORKSPACE = Shape("a workspace", {"clean": Key(Kind.TEXT, values=("outputs", "resources", "all"))})
USES = Shape("'uses'", {"repositories": TEXTS, "pools": TEXTS}, unacted={"pools": POOL_MEANING})
TARGET = Shape(
    "a target",
    {
        "container": TEXT,
        "commands": Key(Kind.TEXT, values=("any", "restricted")),
        "settableVariables": TEXTS,
    },
)

_STEP_COMMON = {
    "condition": TEXT,
    "continueOnError": BOOLEAN,
    "enabled": BOOLEAN,
    "env": MAPPING,
    "name": TEXT,
    "displayName": TEXT,
    "target": Key(Kind.TEXT_OR_MAPPING, "target"),
    "timeoutInMinutes": NUMBER,
    "retryCountOnTaskFailure": NUMBER,
}


@dataclass(frozen=True, slots=True)
class StepKind:
    """A kind of step: the task it stands for, and the inputs that its keys fill.

    `value` is the input of its first key, `inputs` has those of further keys, `fixed` comes with it.
    """

    shape: Shape
    task: str = ""
    value: str = ""
    inputs: Dict[str, str] = field(default_factory=dict)
    fixed: Dict[str, str] = field(default_factory=dict)


_KINDS = ("task", "script", "bash", "powershell", "pwsh", "checkout", "download", "publish", "template")


# keys that are not called as the task's input is
_RENAMED = {
    "downloadBuild": {"artifact": "artifactName", "path": "downloadPath", "patterns": "itemPattern"},
    "getPackage": {"path": "downloadPath"},
}


def _step(name: str, task: str, value: str, *inputs: str, fixed: Dict[str, str] | None = None) -> StepKind:
    keys = {name: TEXT, **{key: TEXT for key in inputs if key != "inputs"}, **_STEP_COMMON}
    advice = {other: f"a step is of one kind, this one is '{name}'" for other in _KINDS if other not in keys}
    if "inputs" in inputs:
        keys["inputs"] = MAPPING
    renamed = _RENAMED.get(name, {})
    own = {key: renamed.get(key, key) for key in inputs if key != "inputs"}
    return StepKind(Shape(f"a '{name}' step", keys, advice=advice), task, value, own, fixed or {})


_POWERSHELL = ("errorActionPreference", "failOnStderr", "ignoreLASTEXITCODE", "workingDirectory")
STEP_KINDS: Dict[str, StepKind] = {
    "task": StepKind(Shape("a 'task' step", {"task": TEXT, "inputs": MAPPING, **_STEP_COMMON})),
    "script": _step("script", "CmdLine@2", "script", "workingDirectory", "failOnStderr"),
    "bash": _step("bash", "Bash@3", "script", "workingDirectory", "failOnStderr", fixed={"targetType": "inline"}),
    "powershell": _step("powershell", "PowerShell@2", "script", *_POWERSHELL, fixed={"targetType": "inline"}),
    "pwsh": _step("pwsh", "PowerShell@2", "script", *_POWERSHELL, fixed={"targetType": "inline", "pwsh": "true"}),
    "checkout": _step(
        "checkout",
        "Checkout@1",
        "repository",
        "clean",
        "fetchDepth",
        "fetchFilter",
        "fetchTags",
        "lfs",
        "persistCredentials",
        "submodules",
        "path",
        "sparseCheckoutDirectories",
        "sparseCheckoutPatterns",
        "workspaceRepo",
    ),
    "download": _step("download", "DownloadPipelineArtifact@2", "source", "artifact", "patterns", "path"),
    "downloadBuild": _step(
        "downloadBuild", "DownloadBuildArtifacts@0", "buildType", "artifact", "path", "patterns", "inputs"
    ),
    "getPackage": _step("getPackage", "DownloadPackage@1", "definition", "path"),
    "publish": _step("publish", "PublishPipelineArtifact@1", "targetPath", "artifact"),
    "upload": _step("upload", "PublishPipelineArtifact@1", "targetPath", "artifact"),
    "reviewApp": _step("reviewApp", "ReviewApp@0", "resourceName"),
}
STEP_KEYS = frozenset(key for kind in STEP_KINDS.values() for key in kind.shape.keys) | {"template"}

SHAPES: Dict[str, Shape] = {
    "build": BUILD,
    "checkout options": CHECKOUT_OPTIONS,
    "container": JOB_CONTAINER,
    "container resource": CONTAINER_RESOURCE,
    "container trigger": CONTAINER_TRIGGER,
    "deployment strategy": DEPLOYMENT_STRATEGY,
    "environment": ENVIRONMENT,
    "extends": EXTENDS,
    "filters": FILTER_LISTS,
    "hook": HOOK,
    "mountReadOnly": MOUNT_READ_ONLY,
    "on": ON,
    "package": PACKAGE,
    "parameter": PARAMETER,
    "pipeline resource": PIPELINE_RESOURCE,
    "pipeline trigger": PIPELINE_TRIGGER,
    "pool": POOL_SHAPE,
    "pr": PR,
    "repository": REPOSITORY,
    "resources": RESOURCES,
    "schedule": SCHEDULE,
    "stage": STAGE,
    "strategy": STRATEGY,
    "target": TARGET,
    "trigger": TRIGGER,
    "uses": USES,
    "variable": VARIABLE,
    "webhook": WEBHOOK,
    "webhook filter": WEBHOOK_FILTER,
    "workspace": WORKSPACE,
    **DEPLOYMENT_STRATEGIES,
}
"""The shapes that a `Key` may name; `step` and `job` are chosen by the item's first key."""
