"""Roles of people: on a connection in a project, on all of a project, on a connection in the organization."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.authorization.roles import Level, Role
from sluice.connections import lookup
from sluice.errors import NotFoundError
from sluice.identity import assignments
from sluice.identity.assignments import Place, Row, Subject
from sluice.server.problems import bad_argument, not_found
from sluice.server.rest.bodies import Body
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.protected import find
from sluice.server.rest.routing import call_of, resource
from sluice.storage import connections as connection_rows
from sluice.storage import projects
from sluice.storage.permissions import ENDPOINT, ENVIRONMENT, SECURE_FILE, VARIABLE_GROUP, Resource
from sluice.storage.projects import Project

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

router = resource("securityroles")
Here = Annotated[Call, Depends(call_of("9461c234-c84c-4ed2-b918-2f0f92ad0a35"))]
Definitions = Annotated[Call, Depends(call_of("f4cc9a86-453c-48d2-b44d-d3bd5c105f4f"))]

ASSIGNMENTS = "/_apis/securityroles/scopes/{scopeId}/roleassignments/resources/{resourceId}"
MAX_ASSIGNMENTS = 500
_GUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OF_PROJECT = re.compile(rf"({_GUID})(?:[_$](.+))?")
_ENDPOINTS = "distributedtask.serviceendpointrole"
_HUB = "distributedtask.project.serviceendpointrole"
_COLLECTION = "distributedtask.collection.serviceendpointrole"
_OTHERS = {
    "distributedtask.environmentreferencerole": ENVIRONMENT,
    "distributedtask.variablegroup": VARIABLE_GROUP,
    "distributedtask.securefile": SECURE_FILE,
}
_ALLOWS = {Role.ADMINISTRATOR: 3, Role.USER: 1, Role.READER: 16, Role.CREATOR: 4}
_TEXTS = {
    Role.ADMINISTRATOR: "Administrator can use and manage the service connection.",
    Role.USER: "User can use, but cannot manage the service connection.",
    Role.READER: "User can read the service connection.",
    Role.CREATOR: "Creator can create service connections.",
}


class AssignmentBody(Body):
    """A role for somebody, by id or name."""

    roleName: str
    userId: str | None = None
    uniqueName: str | None = None


class OneBody(Body):
    """A role for whom the address names."""

    roleName: str


@router.get("/_apis/securityroles/scopes/{scopeId}/roledefinitions", summary="The roles of a scope")
def definitions(call: Definitions, scopeId: str) -> Response:
    """List the roles that can be given in a scope."""
    return call.collection(_role(role, scopeId) for role in _roles(scopeId))


@router.get(ASSIGNMENTS, summary="Who has which role")
def listed(call: Here, scopeId: str, resourceId: str) -> Response:
    """List the roles that hold on a resource, those that come from the project too."""
    with call.caller.database.read() as transaction:
        _, place = _place(call, transaction, scopeId, resourceId)
        rows, _ = assignments.listed(transaction, call.caller.guard, place)
    return call.collection(_view(row, scopeId) for row in rows)


@router.put(ASSIGNMENTS, summary="Give roles")
def give(call: Here, scopeId: str, resourceId: str, bodies: list[AssignmentBody]) -> Response:
    """Give people roles, all of them or none."""
    if len(bodies) > MAX_ASSIGNMENTS:
        raise bad_argument(f"at most {MAX_ASSIGNMENTS} at a time")
    shown = []
    with call.caller.database.write() as transaction:
        home, place = _place(call, transaction, scopeId, resourceId)
        for body in bodies:
            subject = _subject(transaction, home, body.userId or body.uniqueName or "")
            role = _named(body.roleName, scopeId)
            assignments.set_role(transaction, call.caller.guard, place, subject, role, at=call.caller.state.clock())
            shown.append(_view(Row(subject, role, "assigned"), scopeId))
    return call.collection(shown)


@router.put(ASSIGNMENTS + "/{identityId}", summary="Give somebody a role")
def give_one(call: Here, scopeId: str, resourceId: str, identityId: str, body: OneBody) -> Response:
    """Give somebody a role."""
    with call.caller.database.write() as transaction:
        home, place = _place(call, transaction, scopeId, resourceId)
        subject, role = _subject(transaction, home, identityId), _named(body.roleName, scopeId)
        assignments.set_role(transaction, call.caller.guard, place, subject, role, at=call.caller.state.clock())
    return call.reply(_view(Row(subject, role, "assigned"), scopeId))


@router.patch(ASSIGNMENTS, summary="Take roles away")
def take(call: Here, scopeId: str, resourceId: str, identities: list[str]) -> Response:
    """Take the roles of people away, all of them or none."""
    if len(identities) > MAX_ASSIGNMENTS:
        raise bad_argument(f"at most {MAX_ASSIGNMENTS} at a time")
    with call.caller.database.write() as transaction:
        home, place = _place(call, transaction, scopeId, resourceId)
        for identity in identities:
            subject = _subject(transaction, home, identity)
            assignments.remove_role(transaction, call.caller.guard, place, subject, at=call.caller.state.clock())
    return nothing()


@router.delete(ASSIGNMENTS + "/{identityId}", summary="Take somebody's role away")
def take_one(call: Here, scopeId: str, resourceId: str, identityId: str) -> Response:
    """Take somebody's role away."""
    return take(call, scopeId, resourceId, [identityId])


def _place(call: Call, transaction: Transaction, scope: str, resource_id: str) -> tuple[Project, Place]:
    """Where roles are given: what a scope and the id of a resource in it mean."""
    wanted = scope.strip().casefold()
    if wanted == _COLLECTION:
        return _in_organization(call, transaction, resource_id)
    found = _OF_PROJECT.fullmatch(resource_id.strip())
    if found is None:
        raise bad_argument("the id of the resource is PROJECT_RESOURCE, with the project's GUID")
    home = call.project(transaction, found[1])
    if wanted == _HUB:
        return home, Place(Resource(home.id, ""), Level.HUB)
    kind = ENDPOINT if wanted == _ENDPOINTS else _OTHERS.get(wanted)
    if kind is None or not found[2]:
        raise bad_argument(f"there is no scope '{scope[:80]}' of roles for that")
    one = find(call, transaction, home, kind, found[2])
    return home, Place(one.resource, Level.PROJECT, one.name)


def _in_organization(call: Call, transaction: Transaction, resource_id: str) -> tuple[Project, Place]:
    head, _, identity = resource_id.strip().partition("_")
    if head.casefold() == "collection":
        for project_id, name, _ in connection_rows.places(transaction, identity.casefold()):
            if lookup.seen(transaction, project_id, identity, call.caller.guard):
                place = Place(Resource(project_id, identity.casefold()), Level.ORGANIZATION, name)
                return projects.get(transaction, project_id), place
    raise not_found(f"Service connection {identity[:80]} does not exist.")


def _subject(transaction: Transaction, home: Project, text: str) -> Subject:
    try:
        return assignments.find_subject(transaction, home, text)
    except NotFoundError:
        raise not_found(f"Identity {text[:80]} does not exist.") from None


def _named(text: str, scope: str) -> Role:
    for role in _roles(scope):
        if role.value.casefold() == text.strip().casefold():
            return role
    raise bad_argument(f"'{text[:80]}' is no role of this scope")


def _roles(scope: str) -> tuple[Role, ...]:
    wanted = scope.strip().casefold()
    if wanted == _COLLECTION:
        return (Role.ADMINISTRATOR,)
    if wanted == _HUB:
        return (Role.READER, Role.USER, Role.CREATOR, Role.ADMINISTRATOR)
    if wanted == _ENDPOINTS or wanted in _OTHERS:
        return (Role.READER, Role.USER, Role.ADMINISTRATOR)
    raise bad_argument(f"there is no scope '{scope[:80]}' of roles")


def _role(role: Role, scope: str) -> dict[str, Any]:
    return {
        "displayName": role.value,
        "name": role.value,
        "allowPermissions": _ALLOWS[role],
        "denyPermissions": 0,
        "identifier": f"{scope}.{role.value}",
        "description": _TEXTS[role],
        "scope": scope,
    }


def _view(row: Row, scope: str) -> dict[str, Any]:
    assigned = row.access == "assigned"
    return {
        "identity": {"displayName": row.subject.name, "id": row.subject.id, "uniqueName": row.subject.name},
        "role": _role(row.role, scope),
        "access": "assigned" if assigned else "inherited",
        "accessDisplayName": "Assigned" if assigned else "Inherited",
    }
