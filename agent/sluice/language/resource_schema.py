"""The schema of `resources`, and of the triggers that they share with the pipeline."""

from __future__ import annotations

from sluice.language.shapes import BOOLEAN, FILTERS, MAPPING, TEXT, TEXTS, Key, Kind, Shape

NO_TRIGGER = "runs are started by persons"
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
    unacted={
        "pipelines": "no run starts by them",
        "builds": "no run starts by them, and nothing is downloaded",
        "packages": "no run starts by them, and nothing is downloaded",
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
REPOSITORY_TYPES = ("git", "github", "githubenterprise", "bitbucket", "tfsgit", "svn")
"""`svn` is an addition of Sluice: Azure Pipelines takes Subversion from classic pipelines only."""
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
    unacted={"trigger": NO_TRIGGER},
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
    unacted={"trigger": NO_TRIGGER},
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
