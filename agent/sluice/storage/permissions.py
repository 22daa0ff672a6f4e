"""Pipeline permissions: which pipelines may use a resource. Each change is audited in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage import actions, audit
from sluice.storage.engine import Row, Transaction
from sluice.storage.tables import permissions

ENDPOINT = "endpoint"
"""The resource type of service connections."""

VARIABLE_GROUP = "variablegroup"
"""The resource type of variable groups."""

ENVIRONMENT = "environment"
"""The resource type of environments."""

ALL_PIPELINES = 0
"""The pipeline id that stands for every pipeline of the project (open access)."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A protected resource as one project sees it."""

    project_id: int
    id: str
    type: str = ENDPOINT


@dataclass(frozen=True, slots=True)
class Permission:
    """A permit: `pipeline_id` may use the resource; `ALL_PIPELINES` stands for open access."""

    resource: Resource
    pipeline_id: int
    authorized_by: str
    authorized_at: float


_OF_RESOURCE = (
    (permissions.c.project_id == bindparam("project"))
    & (permissions.c.resource_type == bindparam("type"))
    & (permissions.c.resource_id == bindparam("resource"))
)
_LISTED = select(
    permissions.c.project_id,
    permissions.c.resource_id,
    permissions.c.resource_type,
    permissions.c.pipeline_id,
    permissions.c.authorized_by,
    permissions.c.authorized_at,
)
_PERMITTED = (
    select(permissions.c.pipeline_id)
    .where(_OF_RESOURCE, permissions.c.pipeline_id.in_([ALL_PIPELINES, bindparam("pipeline")]))
    .limit(1)
)
_ONE = select(permissions.c.pipeline_id).where(_OF_RESOURCE, permissions.c.pipeline_id == bindparam("pipeline"))
_REMOVE = sqlalchemy.delete(permissions).where(_OF_RESOURCE, permissions.c.pipeline_id == bindparam("pipeline"))


def permitted(transaction: Transaction, resource: Resource, pipeline_id: int) -> bool:
    """Whether the pipeline may use the resource: by a permit of its own, or by open access."""
    return transaction.row(_PERMITTED, {**_key(resource), "pipeline": pipeline_id}) is not None


def grant(transaction: Transaction, resource: Resource, pipeline_id: int, *, by: str, at: float) -> bool:
    """Permit a pipeline (or all) to use the resource; False when it was permitted already."""
    if transaction.row(_ONE, {**_key(resource), "pipeline": pipeline_id}) is not None:
        return False
    transaction.execute(
        sqlalchemy.insert(permissions),
        {
            "project_id": resource.project_id,
            "resource_type": resource.type,
            "resource_id": resource.id,
            "pipeline_id": pipeline_id,
            "authorized_by": by,
            "authorized_at": at,
        },
    )
    _record(transaction, resource, pipeline_id, by=by, at=at, granted=True)
    return True


def revoke(transaction: Transaction, resource: Resource, pipeline_id: int, *, by: str, at: float) -> bool:
    """Take a permit away; False when there was none."""
    result = transaction.execute(_REMOVE, {**_key(resource), "pipeline": pipeline_id})
    if not result.rowcount:
        return False
    _record(transaction, resource, pipeline_id, by=by, at=at, granted=False)
    return True


def of_resource(transaction: Transaction, resource: Resource) -> tuple[Permission, ...]:
    """The permits of a resource in one project, open access first."""
    query = _LISTED.where(_OF_RESOURCE).order_by(permissions.c.pipeline_id)
    return tuple(_permission(row) for row in transaction.rows(query, _key(resource)))


def revoke_everywhere(
    transaction: Transaction, resource_id: str, *, by: str, at: float, resource_type: str = ENDPOINT
) -> tuple[Permission, ...]:
    """Take every permit of a resource away, in all projects, and answer those that there were."""
    query = _LISTED.where(permissions.c.resource_type == resource_type, permissions.c.resource_id == resource_id)
    found = tuple(_permission(row) for row in transaction.rows(query))
    for permission in found:
        revoke(transaction, permission.resource, permission.pipeline_id, by=by, at=at)
    return found


def _key(resource: Resource) -> dict[str, str | int]:
    return {"project": resource.project_id, "type": resource.type, "resource": resource.id}


def _permission(row: Row) -> Permission:
    project_id, resource_id, resource_type, pipeline_id, by, at = row
    return Permission(Resource(project_id, resource_id, resource_type), pipeline_id, by, at)


def _record(
    transaction: Transaction, resource: Resource, pipeline_id: int, *, by: str, at: float, granted: bool
) -> None:
    details: dict[str, str | int] = {"ResourceType": resource.type, "ResourceId": resource.id}
    if pipeline_id == ALL_PIPELINES:
        action = actions.AUTHORIZED_FOR_PROJECT if granted else actions.UNAUTHORIZED_FOR_PROJECT
    else:
        action = actions.AUTHORIZED_FOR_PIPELINE if granted else actions.UNAUTHORIZED_FOR_PIPELINE
        details["PipelineId"] = pipeline_id
    event = audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=resource.project_id,
        resource_id=resource.id,
        details=details,
    )
    audit.append(transaction, event)
