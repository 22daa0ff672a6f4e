"""Sharing of connections with other projects: one object, in each project its own name, roles, permits and checks.

Reference: authorization model, section 7. What a connection is (address, authentication, data) is common to all of its
projects; changing that takes the organization level, as sharing does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections import journal, lookup
from sluice.connections.validation import check_description, check_name
from sluice.errors import ConflictError, ConnectionInvalidError, NotFoundError
from sluice.rights import Right
from sluice.storage import actions, audit, check_configurations, permissions, projects, role_assignments
from sluice.storage import connections as rows
from sluice.storage.names import is_guid
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore
    from sluice.storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class Shared:
    """A project that a connection is in, and its name there."""

    project: str
    name: str


def share(
    store: ConnectionStore, project: str, name: str, target: str, *, by: str, at: float, local_name: str = ""
) -> ConnectionRecord:
    """Let a connection be in another project too; answers it as it is there.

    Its name there is `local_name`, or its own with the project's behind it. Whoever shares it is its Administrator
    there; no pipeline may use it there before it is permitted. Raises `NotPermittedError` without the organization level
    or the right to create connections there, `ConflictError` when it is there already or the name is taken, and as
    `require_same_links` does for one that goes through others.
    """
    with store.database.write() as transaction:
        home = projects.find(transaction, project)
        record = lookup.get(transaction, home.id, name, store.guard)
        store.guard.require(transaction, Right.SHARE, Resource(home.id, record.id), record.name)
        there = projects.find(transaction, target)
        store.guard.require(transaction, Right.CREATE, Resource(there.id, ""))
        require_same_links(store, transaction, record, [there.id])
        if rows.by_id(transaction, there.id, record.id) is not None:
            raise ConflictError(f"the service connection '{record.name}' is in the project '{there.name}' already")
        called = check_name(local_name or f"{record.name}-{there.name}")
        if rows.by_name(transaction, there.id, called) is not None:
            raise ConflictError(
                f"the project '{there.name}' has a service connection '{called}' already", do="choose a name with --as"
            )
        shared = replace(record, project_id=there.id, name=called, description=check_description(record.description))
        rows.add_to_project(transaction, lookup.to_row(shared))
        audit.append(transaction, journal.changed(actions.CONNECTION_SHARED, shared, there, by=by, at=at))
        store.guard.created(transaction, Resource(there.id, record.id), called, at=at, organization=False)
        return shared


def unshare(store: ConnectionStore, project: str, name: str, target: str, *, by: str, at: float) -> ConnectionRecord:
    """Take a connection out of a project that it was shared with; answers it as it was there.

    `name` is its name in `project`, or else in `target`. Raises `ConflictError` where it would be in no project then.
    """
    with store.database.write() as transaction:
        home, there = projects.find(transaction, project), projects.find(transaction, target)
        try:
            record = lookup.get(transaction, home.id, name, store.guard)
        except NotFoundError:
            if lookup.find(transaction, there.id, name) is None:
                raise
            record = lookup.get(transaction, there.id, name, store.guard)
        store.guard.require(transaction, Right.SHARE, Resource(record.project_id, record.id), record.name)
        row = rows.by_id(transaction, there.id, record.id)
        if row is None:
            raise ConflictError(f"the service connection '{record.name}' is not in the project '{there.name}'")
        if len(rows.projects_of(transaction, record.id)) == 1:
            raise ConflictError(
                f"the service connection '{record.name}' is in no other project",
                do=f"delete it: sluice connection delete '{row.name}' --project '{there.name}'",
            )
        gone = lookup.to_record(row)
        leave(transaction, gone, there, by=by, at=at)
        return gone


def leave(transaction: Transaction, record: ConnectionRecord, project: projects.Project, *, by: str, at: float) -> None:
    """Take a connection out of one of its projects, with the permits, roles and checks there; it stays in others."""
    resource = Resource(project.id, record.id)
    for permission in permissions.of_resource(transaction, resource):
        permissions.revoke(transaction, resource, permission.pipeline_id, by=by, at=at)
    change = check_configurations.Change(by=by, at=at, kind="", resource_type=resource.type, resource=record.name)
    check_configurations.remove_of_resource(transaction, resource, change)
    role_assignments.reset(transaction, resource, name=record.name, by=by, at=at)
    rows.remove(transaction, project.id, record.id)
    audit.append(transaction, journal.changed(actions.CONNECTION_DELETED, record, project, by=by, at=at))


def places(store: ConnectionStore, record: ConnectionRecord) -> tuple[tuple[Shared, ...], bool]:
    """The projects where the person sees a connection, by name; and whether it is in more than one at all."""
    with store.database.read() as transaction:
        found = rows.projects_of(transaction, record.id)
        seen = [
            Shared(projects.get(transaction, project_id).name, name)
            for project_id, name in found
            if store.guard.allows(transaction, Right.SEE, Resource(project_id, record.id))
        ]
    return tuple(sorted(seen, key=lambda one: one.project)), len(found) > 1


def other_project(store: ConnectionStore, transaction: Transaction, project_id: int, name: str) -> str:
    """Another project that has a connection of that name which the person sees; '' for none."""
    for other, connection_id in rows.in_other_projects(transaction, project_id, name):
        if store.guard.allows(transaction, Right.SEE, Resource(other, connection_id)):
            return projects.get(transaction, other).name
    return ""


def require_same_links(
    store: ConnectionStore, transaction: Transaction, record: ConnectionRecord, project_ids: Iterable[int]
) -> None:
    """Raise `ConnectionInvalidError` unless what a connection goes through is the same connection in these projects.

    That takes its id in place of its name, which may mean another one there, and that it is there too.
    """
    for key, name in lookup.links(record, store.catalogue).items():
        known = lookup.find(transaction, record.project_id, name)
        if not is_guid(name):
            by_id = f" ('{key}' is {known.id})" if known else ""
            raise ConnectionInvalidError(
                f"the service connection '{record.name}' goes through '{name}' and cannot be in several projects",
                why="that name may mean another connection there, and secrets would go through it",
                do=f"name it by its id{by_id}, or make a connection of its own in each project",
            )
        for project_id in project_ids:
            if rows.by_id(transaction, project_id, name.strip().lower()) is None:
                there = projects.get(transaction, project_id).name
                through = known.name if known else name
                raise ConnectionInvalidError(
                    f"the service connection '{record.name}' goes through '{through}', which is not in the project '{there}'",
                    do=f"share that one first: sluice connection share '{through}' --project '{there}'",
                )
