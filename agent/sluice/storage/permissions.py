"""Pipeline permissions: which pipelines may use a resource. Each change is audited in the same transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import ConflictError
from sluice.storage import actions, audit
from sluice.storage.action import Action
from sluice.storage.engine import Row, Transaction
from sluice.storage.tables import audit as audit_log
from sluice.storage.tables import permissions
from sluice.values import dataclass

ENDPOINT = "endpoint"
"""The resource type of service connections."""

VARIABLE_GROUP = "variablegroup"
"""The resource type of variable groups."""

ENVIRONMENT = "environment"
"""The resource type of environments."""

SECURE_FILE = "securefile"
"""The resource type of secure files."""

REPOSITORY = "repository"
"""The resource type of repositories that belong to a project, as those of `type: git` without a connection do."""

QUEUE = "queue"
"""The resource type of agent pools: what a project calls its queue of a pool."""

PIPELINE = "pipeline"
"""The resource type of pipelines: people have roles on them, other pipelines need no permit for them."""

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
    """A permit: `pipeline_id` may use the resource; `ALL_PIPELINES` stands for open access.

    `limits` is what `authorization.limits` wrote: '' permits every use.
    """

    resource: Resource
    pipeline_id: int
    authorized_by: str
    authorized_at: float
    limits: str = ""


_OF_RESOURCE = (
    (permissions.c.project_id == bindparam("project"))
    & (permissions.c.resource_type == bindparam("type"))
    & (permissions.c.resource_id == bindparam("resource"))
)
_KIND = "permit"
_NAMES = ("project_id", "resource_id", "resource_type", "pipeline_id", "authorized_by", "authorized_at")
_LISTED = select(*(permissions.c[name] for name in _NAMES))
_CODED = _LISTED.add_columns(permissions.c.limits, permissions.c.sequence, permissions.c.code)
_PERMITTED = _CODED.where(_OF_RESOURCE, permissions.c.pipeline_id.in_([ALL_PIPELINES, bindparam("pipeline")]))
_REVOKED_SINCE = select(audit_log.c.details, audit_log.c.project_id).where(
    audit_log.c.resource_id == bindparam("resource"),
    audit_log.c.resource_version == 0,
    audit_log.c.sequence > bindparam("sequence"),
    audit_log.c.action.in_([actions.UNAUTHORIZED_FOR_PIPELINE.id, actions.UNAUTHORIZED_FOR_PROJECT.id]),
)
_REMOVE = sqlalchemy.delete(permissions).where(_OF_RESOURCE, permissions.c.pipeline_id == bindparam("pipeline"))


def permitted(transaction: Transaction, resource: Resource, pipeline_id: int) -> bool:
    """Whether the pipeline may use the resource wherever it likes: by a permit of its own, or by open access."""
    return any(not one.limits for one in standing(transaction, resource, pipeline_id))


def standing(transaction: Transaction, resource: Resource, pipeline_id: int) -> tuple[Permission, ...]:
    """The permits by which the pipeline may use the resource: its own, and open access."""
    rows = transaction.rows(_PERMITTED, {**_key(resource), "pipeline": pipeline_id})
    return tuple(_permission(row) for row in rows if _holds(transaction, row))


def _vouches(transaction: Transaction, row: Row) -> bool:
    *columns, limits, sequence, code = row
    return transaction.voucher.vouches(code, _KIND, *_vouched(columns, limits, sequence))


def _vouched(columns: Sequence[object], limits: str, sequence: int) -> tuple[object, ...]:
    """What the code of a permit is about; one without limits has the code that it had before there were limits."""
    return (*columns, sequence, limits) if limits else (*columns, sequence)


def _holds(transaction: Transaction, row: Row) -> bool:
    """Whether a stored permit is one that was granted and not revoked since; one that is not is taken away, and told."""
    if _vouches(transaction, row) and not _revoked_since(transaction, row):
        return True
    if transaction.writes:
        void = _permission(row)
        transaction.execute(_REMOVE, {**_key(void.resource), "pipeline": void.pipeline_id})
        _record(transaction, void.resource, void.pipeline_id, by="sluice", at=time.time(), action=actions.PERMIT_VOID)
    return False


def _revoked_since(transaction: Transaction, row: Row) -> bool:
    """Whether the log tells that this very permit was taken away after it was granted: it was put back by hand."""
    permission = _permission(row)
    since = transaction.rows(_REVOKED_SINCE, {"resource": permission.resource.id, "sequence": row.sequence})
    revoked = {
        (project_id, details.get("ResourceType"), details.get("PipelineId", ALL_PIPELINES))
        for text, project_id in since
        if isinstance(details := json.loads(text), dict)
    }
    return (permission.resource.project_id, permission.resource.type, permission.pipeline_id) in revoked


def broken(transaction: Transaction) -> Iterator[str]:
    """The permits that Sluice did not grant as they stand."""
    for row in transaction.rows(_CODED.order_by(*permissions.primary_key)):
        if not _vouches(transaction, row) or _revoked_since(transaction, row):
            who = f"pipeline {row.pipeline_id}" if row.pipeline_id else "all pipelines"
            yield f"the permit of {who} for {row.resource_type} {row.resource_id} was written or edited by hand"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for every permit that is stored: when the key is made."""
    for *columns, limits, sequence, _ in transaction.rows(_CODED):
        project_id, resource_id, resource_type, pipeline_id, *_ = columns
        transaction.execute(
            sqlalchemy.update(permissions)
            .where(_OF_RESOURCE, permissions.c.pipeline_id == bindparam("pipeline"))
            .values(code=transaction.voucher.code(_KIND, *_vouched(columns, limits, sequence))),
            {"project": project_id, "type": resource_type, "resource": resource_id, "pipeline": pipeline_id},
        )


def grant(
    transaction: Transaction,
    resource: Resource,
    pipeline_id: int,
    *,
    by: str,
    at: float,
    limits: str = "",
    replace: bool = False,
) -> bool:
    """Permit a pipeline (or all) to use the resource, within `limits`; False when it was permitted just so already.

    With `replace` a permit with other limits gives way. Without it raises `ConflictError`: what somebody limited on
    purpose is not widened in passing.
    """
    rows = [one for one in standing(transaction, resource, pipeline_id) if one.pipeline_id == pipeline_id]
    if rows and rows[0].limits == limits:
        return False
    if rows and not replace:
        raise ConflictError(
            f"the permit of pipeline {pipeline_id} is limited" if rows[0].limits else "the pipeline is permitted",
            do="change it with 'sluice connection permit NAME --pipeline PIPELINE'",
        )
    if rows:
        revoke(transaction, resource, pipeline_id, by=by, at=at)
    action = actions.AUTHORIZED_FOR_PIPELINE if pipeline_id else actions.AUTHORIZED_FOR_PROJECT
    sequence = _record(transaction, resource, pipeline_id, by=by, at=at, action=action, limits=limits)
    columns = (resource.project_id, resource.id, resource.type, pipeline_id, by, float(at))
    transaction.execute(
        sqlalchemy.insert(permissions),
        {
            **dict(zip(_NAMES, columns, strict=True)),
            "limits": limits,
            "sequence": sequence,
            "code": transaction.voucher.code(_KIND, *_vouched(columns, limits, sequence)),
        },
    )
    return True


def revoke(transaction: Transaction, resource: Resource, pipeline_id: int, *, by: str, at: float) -> bool:
    """Take a permit away; False when there was none."""
    result = transaction.execute(_REMOVE, {**_key(resource), "pipeline": pipeline_id})
    if not result.rowcount:
        return False
    action = actions.UNAUTHORIZED_FOR_PIPELINE if pipeline_id else actions.UNAUTHORIZED_FOR_PROJECT
    _record(transaction, resource, pipeline_id, by=by, at=at, action=action)
    return True


def of_resource(transaction: Transaction, resource: Resource) -> tuple[Permission, ...]:
    """The permits of a resource in one project, open access first."""
    query = _CODED.where(_OF_RESOURCE).order_by(permissions.c.pipeline_id)
    rows = transaction.rows(query, _key(resource))
    return tuple(_permission(row) for row in rows if _holds(transaction, row))


def revoke_everywhere(
    transaction: Transaction, resource_id: str, *, by: str, at: float, resource_type: str = ENDPOINT
) -> tuple[Permission, ...]:
    """Take every permit of a resource away, in all projects, and answer those that there were."""
    query = _CODED.where(permissions.c.resource_type == resource_type, permissions.c.resource_id == resource_id)
    found = tuple(_permission(row) for row in transaction.rows(query))
    for permission in found:
        revoke(transaction, permission.resource, permission.pipeline_id, by=by, at=at)
    return found


def of_pipeline(transaction: Transaction, project_id: int, pipeline_id: int) -> tuple[Permission, ...]:
    """The permits that are the pipeline's own."""
    query = _CODED.where(permissions.c.project_id == project_id, permissions.c.pipeline_id == pipeline_id)
    return tuple(_permission(row) for row in transaction.rows(query) if _holds(transaction, row))


def revoke_of_pipeline(
    transaction: Transaction, project_id: int, pipeline_id: int, *, by: str, at: float
) -> tuple[Permission, ...]:
    """Take every permit that is the pipeline's own away, and answer those that there were."""
    query = _CODED.where(permissions.c.project_id == project_id, permissions.c.pipeline_id == pipeline_id)
    found = tuple(_permission(row) for row in transaction.rows(query))
    for permission in found:
        revoke(transaction, permission.resource, permission.pipeline_id, by=by, at=at)
    return found


def _key(resource: Resource) -> dict[str, str | int]:
    return {"project": resource.project_id, "type": resource.type, "resource": resource.id}


def _permission(row: Row) -> Permission:
    project_id, resource_id, resource_type, pipeline_id, by, at, limits, *_ = row
    return Permission(Resource(project_id, resource_id, resource_type), pipeline_id, by, at, limits)


def _record(
    transaction: Transaction,
    resource: Resource,
    pipeline_id: int,
    *,
    by: str,
    at: float,
    action: Action,
    limits: str = "",
) -> int:
    details: dict[str, Any] = {"ResourceType": resource.type, "ResourceId": resource.id}
    if limits:
        details["Limits"] = json.loads(limits)
    if pipeline_id != ALL_PIPELINES or action is actions.PERMIT_VOID:
        details["PipelineId"] = pipeline_id
    event = audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=resource.project_id,
        resource_id=resource.id,
        details=details,
    )
    return audit.append(transaction, event)
