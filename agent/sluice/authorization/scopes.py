"""Scopes of access tokens: the names that Azure DevOps has for them, and what each covers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, QUEUE, REPOSITORY, SECURE_FILE, VARIABLE_GROUP
from sluice.authorization.roles import PIPELINE
from sluice.errors import UsageError
from sluice.rights import Right

FULL_ACCESS = "app_token"
"""The scope of a token that may do whatever its owner may."""

SCOPES: Mapping[str, str] = {
    FULL_ACCESS: "everything that its owner may do",
    "vso.agentpools": "see agent pools",
    "vso.agentpools_manage": "create and manage agent pools",
    "vso.auditlog": "read the audit log",
    "vso.build": "see pipelines and runs",
    "vso.build_execute": "queue runs, cancel and retry them, make pipelines",
    "vso.code": "see which repositories are protected",
    "vso.environment_manage": "see and manage environments",
    "vso.graph": "see users and groups",
    "vso.graph_manage": "manage users and groups",
    "vso.pipelineresources_use": "approve, and see what pipelines may use",
    "vso.pipelineresources_manage": "permit pipelines to use resources, manage checks",
    "vso.project": "see projects",
    "vso.project_manage": "create and delete projects",
    "vso.securefiles_read": "see secure files",
    "vso.securefiles_write": "create secure files",
    "vso.securefiles_manage": "manage secure files",
    "vso.security_manage": "manage roles",
    "vso.serviceendpoint": "see service connections",
    "vso.serviceendpoint_query": "use service connections",
    "vso.serviceendpoint_manage": "manage service connections",
    "vso.variablegroups_read": "see variable groups",
    "vso.variablegroups_write": "create variable groups",
    "vso.variablegroups_manage": "manage variable groups",
}
"""Every scope that Sluice knows, and what it lets do."""

_COVERS = {
    "vso.agentpools_manage": ("vso.agentpools",),
    "vso.build_execute": ("vso.build",),
    "vso.graph_manage": ("vso.graph",),
    "vso.pipelineresources_manage": ("vso.pipelineresources_use",),
    "vso.project_manage": ("vso.project",),
    "vso.securefiles_manage": ("vso.securefiles_write", "vso.securefiles_read"),
    "vso.securefiles_write": ("vso.securefiles_read",),
    "vso.serviceendpoint_manage": ("vso.serviceendpoint_query", "vso.serviceendpoint"),
    "vso.serviceendpoint_query": ("vso.serviceendpoint",),
    "vso.variablegroups_manage": ("vso.variablegroups_write", "vso.variablegroups_read"),
    "vso.variablegroups_write": ("vso.variablegroups_read",),
}

_SEE = {
    ENDPOINT: "vso.serviceendpoint",
    VARIABLE_GROUP: "vso.variablegroups_read",
    SECURE_FILE: "vso.securefiles_read",
    ENVIRONMENT: "vso.environment_manage",
    REPOSITORY: "vso.code",
    QUEUE: "vso.agentpools",
    PIPELINE: "vso.build",
}
_USE = {ENDPOINT: "vso.serviceendpoint_query", PIPELINE: "vso.build_execute"}
_CREATE = {VARIABLE_GROUP: "vso.variablegroups_write", SECURE_FILE: "vso.securefiles_write"}
_MANAGE = {
    ENDPOINT: "vso.serviceendpoint_manage",
    VARIABLE_GROUP: "vso.variablegroups_manage",
    SECURE_FILE: "vso.securefiles_manage",
    ENVIRONMENT: "vso.environment_manage",
    QUEUE: "vso.agentpools_manage",
    PIPELINE: "vso.build_execute",
}
_OF_RIGHT = {
    Right.PERMIT: "vso.pipelineresources_manage",
    Right.OPEN_ACCESS: "vso.pipelineresources_manage",
    Right.MANAGE_CHECKS: "vso.pipelineresources_manage",
    Right.BYPASS: "vso.pipelineresources_manage",
    Right.MANAGE_ROLES: "vso.security_manage",
    Right.MANAGE_ORGANIZATION_ROLES: "vso.security_manage",
}


def scope_for(right: Right, kind: str) -> str:
    """The scope that a token needs to do something with a resource of a kind."""
    if right in _OF_RIGHT:
        return _OF_RIGHT[right]
    if right is Right.SEE:
        return _SEE.get(kind, FULL_ACCESS)
    if right is Right.USE:
        return _USE.get(kind, _SEE.get(kind, FULL_ACCESS))
    if right is Right.CREATE and kind in _CREATE:
        return _CREATE[kind]
    return _MANAGE.get(kind, FULL_ACCESS)


def covers(scopes: Iterable[str] | None, wanted: str) -> bool:
    """Whether a token's scopes (None: no token) cover the one that is wanted."""
    if scopes is None:
        return True
    return any(one in {FULL_ACCESS, wanted} or wanted in _COVERS.get(one, ()) for one in scopes)


def check_scopes(names: Iterable[str]) -> tuple[str, ...]:
    """The scopes as they are stored: sorted, each once; raises `UsageError` for none, and for one that is not known."""
    found = sorted(set(names))
    if not found:
        raise UsageError("a token needs scopes", do="give --scope NAME (--scopes lists them), or --full-access")
    for name in found:
        if name not in SCOPES:
            raise UsageError(f"there is no scope '{name}'", do=f"choose among {', '.join(SCOPES)}")
    return tuple(found)
