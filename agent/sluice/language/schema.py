"""The YAML schema of pipelines as data: which keys an object has, and what their values are.

The reader checks files against these shapes, and editors get their JSON schema from them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

from sluice.language.tree import Mapping, Scalar, Sequence


class Kind(enum.Enum):
    """What may stand as the value of a key."""

    TEXT = "a text"
    BOOLEAN = "true or false"
    NUMBER = "a number"
    TEXTS = "a text or a list of texts"
    LIST = "a list"
    MAPPING = "a mapping"
    TEXT_OR_MAPPING = "a text or a mapping"
    LIST_OR_MAPPING = "a list or a mapping"
    TEXT_OR_LIST_OR_MAPPING = "a text, a list or a mapping"
    ANY = "anything"


_NODES: Dict[Kind, frozenset[type]] = {
    Kind.TEXT: frozenset({Scalar}),
    Kind.BOOLEAN: frozenset({Scalar}),
    Kind.NUMBER: frozenset({Scalar}),
    Kind.TEXTS: frozenset({Scalar, Sequence}),
    Kind.LIST: frozenset({Sequence}),
    Kind.MAPPING: frozenset({Mapping}),
    Kind.TEXT_OR_MAPPING: frozenset({Scalar, Mapping}),
    Kind.LIST_OR_MAPPING: frozenset({Sequence, Mapping}),
    Kind.TEXT_OR_LIST_OR_MAPPING: frozenset({Scalar, Sequence, Mapping}),
    Kind.ANY: frozenset({Scalar, Sequence, Mapping}),
}


@dataclass(frozen=True, slots=True)
class Key:
    """The value of one key: its kind, and `of` which shape a mapping, or each item of a list, is.

    `values` are the texts allowed, none when any is.
    """

    kind: Kind
    of: str = ""
    values: tuple[str, ...] = ()

    @property
    def nodes(self) -> frozenset[type]:
        return _NODES[self.kind]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of the language: `what` a person calls it, its keys, and advice for keys that are often misplaced.

    An `open` one may have other keys too, which mean nothing to Sluice.
    """

    what: str
    keys: Dict[str, Key]
    required: tuple[str, ...] = ()
    advice: Dict[str, str] = field(default_factory=dict)
    open: bool = False
    accepts: Dict[str, frozenset[type]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepts", {name: key.nodes for name, key in self.keys.items()})


TEXT = Key(Kind.TEXT)
BOOLEAN = Key(Kind.BOOLEAN)
NUMBER = Key(Kind.NUMBER)
TEXTS = Key(Kind.TEXTS)
LIST = Key(Kind.LIST)
MAPPING = Key(Kind.MAPPING)
ANY = Key(Kind.ANY)

VARIABLES = Key(Kind.LIST_OR_MAPPING, "variable")
PARAMETERS = Key(Kind.LIST_OR_MAPPING, "parameter")
POOL = Key(Kind.TEXT_OR_MAPPING, "pool")
LOCK_BEHAVIOR = Key(Kind.TEXT, values=("sequential", "runLatest"))
STEPS = Key(Kind.LIST, "step")
JOBS = Key(Kind.LIST, "job")
STAGES = Key(Kind.LIST, "stage")
FILTERS = Key(Kind.LIST_OR_MAPPING, "filters")
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
POOL_SHAPE = Shape("a pool", {"name": TEXT, "vmImage": TEXT, "demands": TEXTS}, open=True)
WORKSPACE = Shape("a workspace", {"clean": Key(Kind.TEXT, values=("outputs", "resources", "all"))})
USES = Shape("'uses'", {"repositories": TEXTS, "pools": TEXTS})
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
    """A kind of step: the task it stands for, the input that its first key fills, and inputs that come with it."""

    shape: Shape
    task: str = ""
    value: str = ""
    inputs: tuple[str, ...] = ()
    fixed: Dict[str, str] = field(default_factory=dict)


def _step(name: str, task: str, value: str, *inputs: str, fixed: Dict[str, str] | None = None) -> StepKind:
    keys = {name: TEXT, **{key: TEXT for key in inputs if key != "inputs"}, **_STEP_COMMON}
    if "inputs" in inputs:
        keys["inputs"] = MAPPING
    own = tuple(key for key in inputs if key != "inputs")
    return StepKind(Shape(f"a '{name}' step", keys), task, value, own, fixed or {})


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

RESOURCES = Shape(
    "'resources'",
    {
        "repositories": Key(Kind.LIST, "repository"),
        "pipelines": Key(Kind.LIST, "pipeline resource"),
        "builds": Key(Kind.LIST, "build"),
        "containers": Key(Kind.LIST, "container resource"),
        "packages": Key(Kind.LIST, "package"),
        "webhooks": Key(Kind.LIST, "webhook"),
    },
)
CHECKOUT_OPTIONS = Shape(
    "'checkoutOptions'",
    {
        "clean": TEXT,
        "fetchDepth": TEXT,
        "fetchTags": TEXT,
        "lfs": TEXT,
        "submodules": TEXT,
        "persistCredentials": TEXT,
    },
)
REPOSITORY_TYPES = ("git", "github", "githubenterprise", "bitbucket", "tfsgit")
REPOSITORY = Shape(
    "a repository",
    {
        "repository": TEXT,
        "type": Key(Kind.TEXT, values=REPOSITORY_TYPES),
        "name": TEXT,
        "ref": TEXT,
        "endpoint": TEXT,
        "trigger": Key(Kind.TEXT_OR_LIST_OR_MAPPING, "trigger"),
        "checkoutOptions": Key(Kind.MAPPING, "checkout options"),
    },
    required=("repository",),
)
LEGACY_REPOSITORY = Shape(
    "a repository", {"repo": TEXT, "clean": TEXT, "fetchDepth": TEXT, "lfs": TEXT}, required=("repo",)
)
PIPELINE_RESOURCE = Shape(
    "a pipeline resource",
    {
        "pipeline": TEXT,
        "project": TEXT,
        "source": TEXT,
        "version": TEXT,
        "branch": TEXT,
        "tags": TEXTS,
        "trigger": Key(Kind.TEXT_OR_MAPPING, "pipeline trigger"),
    },
    required=("pipeline",),
)
PIPELINE_TRIGGER = Shape(
    "a pipeline trigger",
    {"enabled": BOOLEAN, "branches": FILTERS, "stages": TEXTS, "tags": TEXTS},
)
BUILD = Shape(
    "a build",
    {
        "build": TEXT,
        "type": TEXT,
        "connection": TEXT,
        "source": TEXT,
        "version": TEXT,
        "branch": TEXT,
        "trigger": TEXT,
    },
    required=("build", "type", "connection", "source"),
)
_CONTAINER_COMMON = {
    "image": TEXT,
    "endpoint": TEXT,
    "env": MAPPING,
    "mapDockerSocket": BOOLEAN,
    "options": TEXT,
    "ports": TEXTS,
    "volumes": TEXTS,
    "mountReadOnly": Key(Kind.MAPPING, "mountReadOnly"),
}
MOUNT_READ_ONLY = Shape("'mountReadOnly'", dict.fromkeys(("work", "externals", "tools", "tasks"), BOOLEAN))
JOB_CONTAINER = Shape("a container", {"alias": TEXT, **_CONTAINER_COMMON})
CONTAINER_TRIGGER = Shape(
    "a container trigger", {"enabled": BOOLEAN, "tags": Key(Kind.TEXT_OR_LIST_OR_MAPPING, "filters")}
)
CONTAINER_RESOURCE = Shape(
    "a container",
    {
        "container": TEXT,
        **_CONTAINER_COMMON,
        "type": TEXT,
        "azureSubscription": TEXT,
        "resourceGroup": TEXT,
        "registry": TEXT,
        "repository": TEXT,
        "localImage": BOOLEAN,
        "trigger": Key(Kind.TEXT_OR_MAPPING, "container trigger"),
    },
    required=("container",),
)
PACKAGE = Shape(
    "a package",
    {
        "package": TEXT,
        "type": Key(Kind.TEXT, values=("NuGet", "npm")),
        "connection": TEXT,
        "name": TEXT,
        "version": TEXT,
        "tag": TEXT,
        "trigger": TEXT,
    },
    required=("package", "type", "connection", "name"),
)
WEBHOOK = Shape(
    "a webhook",
    {"webhook": TEXT, "connection": TEXT, "type": TEXT, "filters": Key(Kind.LIST, "webhook filter")},
    required=("webhook", "connection"),
)
WEBHOOK_FILTER = Shape("a filter", {"path": TEXT, "value": TEXT}, required=("path", "value"))

FILTER_LISTS = Shape("a filter", {"include": TEXTS, "exclude": TEXTS})
TRIGGER = Shape(
    "a trigger", {"batch": BOOLEAN, "enabled": BOOLEAN, "branches": FILTERS, "paths": FILTERS, "tags": FILTERS}
)
PR = Shape("a pull request trigger", {"autoCancel": BOOLEAN, "drafts": BOOLEAN, "branches": FILTERS, "paths": FILTERS})
SCHEDULE = Shape(
    "a schedule",
    {"cron": TEXT, "displayName": TEXT, "branches": FILTERS, "batch": BOOLEAN, "always": BOOLEAN},
    required=("cron",),
)

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
