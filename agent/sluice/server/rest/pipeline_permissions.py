"""Which pipelines may use a resource, one resource or many at a time; and the older forms of the same question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from pydantic import Field
from starlette.responses import Response

from sluice.connections import lookup
from sluice.connections.guard import require_permit
from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import MAX_NUMBER, Body, Number
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.lookups import pipeline_of
from sluice.server.rest.protected import Protected, find
from sluice.server.rest.routing import call_of, resource
from sluice.storage import permissions
from sluice.storage.permissions import ALL_PIPELINES, ENDPOINT, Permission, Resource

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

router = resource("pipelinePermissions")
Here = Annotated[Call, Depends(call_of("b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2"))]
OfProject = Annotated[Call, Depends(call_of("398c85bc-81aa-4822-947c-a194a05f0fef"))]
OfDefinition = Annotated[Call, Depends(call_of("ea623316-1967-45eb-89ab-e9e6110cf2d6"))]

MAX_RESOURCES = 1000


class ResourceBody(Body):
    """A protected resource."""

    type: str | None = None
    id: str | None = None
    name: str | None = None


class AllBody(Body):
    """Whether every pipeline may use it."""

    authorized: bool | None = None


class PipelineBody(Body):
    """Whether one pipeline may use it."""

    id: int = Field(ge=1, le=MAX_NUMBER)
    authorized: bool | None = None


class PermissionsBody(Body):
    """What is to become of the permits of a resource; pipelines that are not named stay as they are."""

    resource: ResourceBody | None = None
    allPipelines: AllBody | None = None
    pipelines: list[PipelineBody] | None = None


class LegacyBody(Body):
    """A resource that every pipeline (or one definition) is to be permitted, or not."""

    authorized: bool = False
    id: str = ""
    name: str | None = None
    type: str = ENDPOINT


@router.get(
    "/{project}/_apis/pipelines/pipelinePermissions/{resourceType}/{resourceId}", summary="Permits of a resource"
)
def get(call: Here, project: str, resourceType: str, resourceId: str) -> Response:
    """Tell which pipelines may use a resource."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = find(call, transaction, home, resourceType, resourceId)
        return call.reply(_view(call, transaction, found))


@router.patch(
    "/{project}/_apis/pipelines/pipelinePermissions/{resourceType}/{resourceId}", summary="Change permits of a resource"
)
def change(call: Here, project: str, resourceType: str, resourceId: str, body: PermissionsBody) -> Response:
    """Permit pipelines to use a resource, or take that away; runs that wait for it go on at once."""
    with call.caller.database.write() as transaction:
        home = call.project(transaction, project)
        found = find(call, transaction, home, resourceType, resourceId)
        _apply(call, transaction, home, found, body)
        shown = _view(call, transaction, found)
    return call.reply(shown)


@router.patch("/{project}/_apis/pipelines/pipelinePermissions", summary="Change permits of many resources")
def change_many(call: Here, project: str, bodies: list[PermissionsBody]) -> Response:
    """As `change`, of many resources: all of them or none."""
    if len(bodies) > MAX_RESOURCES:
        raise bad_argument(f"at most {MAX_RESOURCES} resources at a time")
    shown = []
    with call.caller.database.write() as transaction:
        home = call.project(transaction, project)
        for body in bodies:
            if body.resource is None:
                raise bad_argument("a resource is missing: give resource.type and resource.id")
            found = find(
                call, transaction, home, body.resource.type or "", body.resource.id or body.resource.name or ""
            )
            _apply(call, transaction, home, found, body)
            shown.append(_view(call, transaction, found))
    return call.collection(shown)


@router.get("/{project}/_apis/build/authorizedresources", summary="What all pipelines may use")
def authorized(call: OfProject, project: str, type: str = ENDPOINT, id: str = "") -> Response:
    """List what every pipeline of the project may use: one resource that is named, or all connections."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        if id:
            one = find(call, transaction, home, type, id)
            found = [(one.resource, one.shown, one.name)]
        else:
            seen = lookup.listed(transaction, home.id, call.caller.guard) if type.casefold() == ENDPOINT else ()
            found = [(Resource(home.id, record.id), record.id, record.name) for record in seen]
        open_ones = [
            {"type": resource.type, "id": shown, "name": name, "authorized": True}
            for resource, shown, name in found
            if _is_open(transaction, resource)
        ]
    return call.collection(open_ones)


@router.patch("/{project}/_apis/build/authorizedresources", summary="Let all pipelines use resources, or not")
def authorize(call: OfProject, project: str, bodies: list[LegacyBody]) -> Response:
    """Give or end open access."""
    return _legacy(call, project, bodies, 0)


@router.get("/{project}/_apis/build/definitions/{definitionId}/resources", summary="What a definition may use")
def authorized_for(call: OfDefinition, project: str, definitionId: Number) -> Response:
    """List the connections that a definition may use."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        pipeline = pipeline_of(call, transaction, home, definitionId)
        found = [
            {"type": ENDPOINT, "id": one.id, "name": one.name, "authorized": True}
            for one in lookup.listed(transaction, home.id, call.caller.guard)
            if permissions.standing(transaction, Resource(home.id, one.id), pipeline.id)
        ]
    return call.collection(found)


@router.patch(
    "/{project}/_apis/build/definitions/{definitionId}/resources", summary="Let a definition use resources, or not"
)
def authorize_for(call: OfDefinition, project: str, definitionId: Number, bodies: list[LegacyBody]) -> Response:
    """Permit a definition to use resources, or take that away."""
    return _legacy(call, project, bodies, definitionId)


def _legacy(call: Call, project: str, bodies: Sequence[LegacyBody], definition: int) -> Response:
    if len(bodies) > MAX_RESOURCES:
        raise bad_argument(f"at most {MAX_RESOURCES} resources at a time")
    shown = []
    with call.caller.database.write() as transaction:
        home = call.project(transaction, project)
        if definition:
            pipeline_of(call, transaction, home, definition)
        for body in bodies:
            found = find(call, transaction, home, body.type, body.id)
            _set(call, transaction, found, definition or ALL_PIPELINES, authorized=body.authorized)
            shown.append({"type": body.type, "id": body.id, "name": found.name, "authorized": body.authorized})
    return call.collection(shown)


def _apply(call: Call, transaction: Transaction, home: Project, found: Protected, body: PermissionsBody) -> None:
    if body.allPipelines is not None and body.allPipelines.authorized is not None:
        _set(call, transaction, found, ALL_PIPELINES, authorized=body.allPipelines.authorized)
    for one in body.pipelines or ():
        pipeline_of(call, transaction, home, one.id)
        _set(call, transaction, found, one.id, authorized=bool(one.authorized))


def _set(call: Call, transaction: Transaction, found: Protected, pipeline_id: int, *, authorized: bool) -> None:
    """Grant or revoke one permit; one that is there within limits is not widened in passing."""
    caller = call.caller
    require_permit(caller.guard, transaction, found.resource, found.name, pipeline_id)
    now = caller.state.clock()
    if not authorized:
        permissions.revoke(transaction, found.resource, pipeline_id, by=caller.name, at=now)
        return
    standing = permissions.standing(transaction, found.resource, pipeline_id)
    if not any(one.pipeline_id == pipeline_id for one in standing):
        permissions.grant(transaction, found.resource, pipeline_id, by=caller.name, at=now)


def _is_open(transaction: Transaction, resource: Resource) -> bool:
    return any(one.pipeline_id == ALL_PIPELINES for one in permissions.of_resource(transaction, resource))


def _view(call: Call, transaction: Transaction, found: Protected) -> dict[str, Any]:
    granted = permissions.of_resource(transaction, found.resource)
    shown: dict[str, Any] = {
        "resource": {"type": found.resource.type, "id": found.shown, "name": found.name},
        "pipelines": [
            {"id": one.pipeline_id, **_permission(call, one)} for one in granted if one.pipeline_id != ALL_PIPELINES
        ],
    }
    for one in granted:
        if one.pipeline_id == ALL_PIPELINES:
            shown["allPipelines"] = _permission(call, one)
    return shown


def _permission(call: Call, one: Permission) -> dict[str, Any]:
    return {
        "authorized": True,
        "authorizedBy": identity_ref(call.base, one.authorized_by),
        "authorizedOn": as_date(one.authorized_at),
    }
