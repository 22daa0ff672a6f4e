"""The roles that were given at one place: a project's hub, a resource in a project, or a resource in the organization.

A place that was never changed has no row: what holds there by definition is not this module's to know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import SealError
from sluice.rights import OWNER_ID
from sluice.storage import audit, people_actions, witnesses
from sluice.storage.engine import Transaction
from sluice.storage.names import is_guid
from sluice.storage.permissions import ENDPOINT, Resource
from sluice.storage.tables_people import role_assignments
from sluice.values import dataclass

HUB = ""
"""The id of a project's hub, where roles for all of its resources of a type are given."""

ORGANIZATION = 0
"""The project id of the organization level."""

NAMESPACES = {
    ENDPOINT: "ServiceEndpoints",
    "variablegroup": "Library",
    "securefile": "Library",
    "environment": "Environment",
    "repository": "Git Repositories",
    "queue": "DistributedTask",
    "pipeline": "Build",
}
"""What the audit log calls the security namespace of a resource type."""

_KIND = "roles"
_ACTIONS = (people_actions.ROLE_CHANGED, people_actions.ROLE_REMOVED)
_NAMES = ("project_id", "resource_type", "resource_id", "assignments", "inherit", "sequence")
_QUERY = select(*(role_assignments.c[name] for name in _NAMES), role_assignments.c.code)
_ONE = _QUERY.where(
    role_assignments.c.project_id == bindparam("project"),
    role_assignments.c.resource_type == bindparam("type"),
    role_assignments.c.resource_id == bindparam("resource"),
)
_OF_TYPE = _QUERY.where(
    role_assignments.c.project_id.in_([ORGANIZATION, bindparam("project")]),
    role_assignments.c.resource_type == bindparam("type"),
)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Given:
    """The roles at one place, by the id of a user or group; `inherit`: the hub's come down to it too."""

    roles: Mapping[str, str] = field(default_factory=dict)
    inherit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One change of roles, for the audit log: `role` is '' when it was taken away, `what` what was changed."""

    subject: str
    subject_name: str
    role: str = ""
    what: str = "Role"


def in_organization(resource: Resource) -> Resource:
    """The same resource at the organization level."""
    return Resource(ORGANIZATION, resource.id, resource.type)


def hub_of(resource: Resource) -> Resource:
    """The hub of a resource's project."""
    return Resource(resource.project_id, HUB, resource.type)


def read(transaction: Transaction, resource: Resource) -> Given | None:
    """The roles at a place, None when they were never changed; raises `SealError` for those that Sluice did not store."""
    row = transaction.row(_ONE, _key(resource))
    newest = witnesses.newest(transaction, _ACTIONS, witness_of(resource), resource.project_id)
    if row is None:
        if newest:
            raise _tampered(resource)
        return None
    if not _is_whole(transaction, row, newest):
        raise _tampered(resource)
    return _given(row)


def of_type(transaction: Transaction, project_id: int, resource_type: str) -> dict[Resource, Given | None]:
    """The roles that were changed of all resources of a type: the project's, and those of the organization level.

    Those that Sluice did not store are None: they give nobody anything.
    """
    newest = witnesses.every(transaction, _ACTIONS)
    found: dict[Resource, Given | None] = {}
    for row in transaction.rows(_OF_TYPE, {"project": project_id, "type": resource_type}):
        resource = Resource(row[0], row[2], row[1])
        whole = _is_whole(transaction, row, newest.get((resource.project_id, witness_of(resource)), 0))
        found[resource] = _given(row) if whole else None
    for project, witness in newest:
        if project in {ORGANIZATION, project_id}:  # one whose row is gone gives nobody anything either
            resource_id = HUB if witness == f"hub:{resource_type}" else witness.removeprefix(f"{resource_type}:")
            found.setdefault(Resource(project, resource_id, resource_type), None)
    return found


def write(
    transaction: Transaction,
    resource: Resource,
    given: Given,
    changes: Sequence[Changed],
    *,
    name: str,
    by: str,
    at: float,
) -> None:
    """Store the roles at a place, with an audit entry for each change; `name` is the resource's."""
    events = [_event(resource, change, name=name, by=by, at=at) for change in changes]
    sequence = audit.append_all(transaction, events)
    values: dict[str, Any] = {
        "assignments": _CANONICAL.encode(dict(given.roles)),
        "inherit": given.inherit,
        "sequence": sequence,
    }
    values["code"] = transaction.voucher.code(
        _KIND, resource.project_id, resource.type, resource.id, values["assignments"], bool(given.inherit), sequence
    )
    key = {"project_id": resource.project_id, "resource_type": resource.type, "resource_id": resource.id}
    same = [role_assignments.c[column] == value for column, value in key.items()]
    if not transaction.execute(sqlalchemy.update(role_assignments).where(*same).values(**values)).rowcount:
        transaction.execute(sqlalchemy.insert(role_assignments).values(**key, **values))


def reset(transaction: Transaction, resource: Resource, *, name: str, by: str, at: float) -> None:
    """Take all roles at a place away: what holds there then is what holds at one that was never changed."""
    if transaction.row(_ONE, _key(resource)) is not None:
        given = Given({OWNER_ID: "Administrator"}, inherit=resource.project_id != ORGANIZATION)
        write(transaction, resource, given, [Changed(subject="", subject_name="everybody")], name=name, by=by, at=at)


def broken(transaction: Transaction) -> Iterator[str]:
    """The places whose roles Sluice did not store as they stand."""
    newest = dict(witnesses.every(transaction, _ACTIONS))
    for row in transaction.rows(_QUERY.order_by(*role_assignments.primary_key)):
        resource = Resource(row[0], row[2], row[1])
        if not _is_whole(transaction, row, newest.pop((resource.project_id, witness_of(resource)), 0)):
            yield f"the roles of {_shown(resource)} were written or edited by hand"
    for project_id, witness in sorted(newest):
        yield f"the roles of {witness} in project {project_id} are gone, and nobody took them away"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for all roles that are stored: when the key is made."""
    for row in transaction.rows(_QUERY):
        key = {"project": row[0], "type": row[1], "resource": row[2]}
        code = transaction.voucher.code(_KIND, *_parts(row))
        transaction.execute(
            sqlalchemy.update(role_assignments)
            .where(
                role_assignments.c.project_id == key["project"],
                role_assignments.c.resource_type == key["type"],
                role_assignments.c.resource_id == key["resource"],
            )
            .values(code=code)
        )


def witness_of(resource: Resource) -> str:
    """What the audit log calls a place, in its project."""
    if not resource.id:
        return f"hub:{resource.type}"
    return resource.id if is_guid(resource.id) else f"{resource.type}:{resource.id}"


def _key(resource: Resource) -> dict[str, str | int]:
    return {"project": resource.project_id, "type": resource.type, "resource": resource.id}


def _parts(row: Any) -> tuple[object, ...]:
    project_id, resource_type, resource_id, assignments, inherit, sequence = row[: len(_NAMES)]
    return project_id, resource_type, resource_id, assignments, bool(inherit), sequence


def _is_whole(transaction: Transaction, row: Any, newest: int) -> bool:
    return bool(transaction.voucher.vouches(row.code, _KIND, *_parts(row)) and row.sequence == newest)


def _given(row: Any) -> Given:
    return Given(json.loads(row.assignments), bool(row.inherit))


def _tampered(resource: Resource) -> SealError:
    return SealError(
        f"the roles of {_shown(resource)} are not as they were stored",
        why="they were changed outside of Sluice",
        do="see 'sluice audit verify'; the local administrator may set them anew with 'sluice connection roles'",
    )


def _shown(resource: Resource) -> str:
    level = "the organization" if resource.project_id == ORGANIZATION else f"project {resource.project_id}"
    return f"{resource.type} {resource.id or 'hub'} in {level}"


def _event(resource: Resource, change: Changed, *, name: str, by: str, at: float) -> audit.Event:
    details = {
        "NamespaceName": NAMESPACES.get(resource.type, resource.type),
        "ChangedPermission": change.what,
        "PermissionModifiedTo": change.role,
        "SubjectDescriptor": change.subject,
        "SubjectName": change.subject_name,
        "ResourceType": resource.type,
        "ResourceId": resource.id,
        "ResourceName": name,
        "Level": "organization" if resource.project_id == ORGANIZATION else "project" if resource.id else "hub",
    }
    return audit.Event(
        action=people_actions.ROLE_CHANGED if change.role else people_actions.ROLE_REMOVED,
        actor=by,
        at=at,
        project_id=resource.project_id,
        resource_id=witness_of(resource),
        details=details,
    )
