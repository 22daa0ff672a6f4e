"""Projects: where connections, pipelines and permissions live."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import ConflictError, NotFoundError, UsageError
from sluice.storage import audit, people_actions
from sluice.storage.action import Action
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, hidden_characters, is_guid, name_key
from sluice.storage.prepared import Prepared
from sluice.storage.tables import (
    connection_projects,
    environments,
    permissions,
    pipelines,
    projects,
    runs,
    variable_groups,
)
from sluice.storage.tables_checks import check_configurations
from sluice.storage.tables_connections import deleted_connections
from sluice.storage.tables_people import user_groups
from sluice.storage.tables_pools import pools
from sluice.storage.tables_secure_files import secure_files
from sluice.values import dataclass

DEFAULT = "default"
MAX_NAME = 64
_MARKS = set('/\\[]:*?"<>|')

_BY_KEY = Prepared(
    select(projects.c.id, projects.c.guid, projects.c.name).where(projects.c.name_key == bindparam("key"))
)
_BY_ID = Prepared(select(projects.c.id, projects.c.guid, projects.c.name).where(projects.c.id == bindparam("id")))
_BY_GUID = Prepared(select(projects.c.id, projects.c.guid, projects.c.name).where(projects.c.guid == bindparam("guid")))


@dataclass(frozen=True, slots=True)
class Project:
    """A project; `guid` is its id in the REST interface."""

    id: int
    guid: str
    name: str


def _first(rows: list[tuple[Any, ...]]) -> Project | None:
    return Project(*rows[0]) if rows else None


def find(transaction: Transaction, name: str) -> Project:
    """The project of that name, ignoring case; raises `NotFoundError`."""
    project = look_up(transaction, name)
    if project is None:
        known = transaction.rows(select(projects.c.name).order_by(projects.c.name_key).limit(5))
        raise NotFoundError(
            f"there is no project '{clean_name(name)}'",
            do=f"known: {', '.join(row.name for row in known)}; a new one is made with 'sluice project create'",
        )
    return project


def look_up(transaction: Transaction, name: str) -> Project | None:
    """The project of that name, ignoring case, if there is one."""
    return _first(transaction.fetch(_BY_KEY, {"key": name_key(name)}))


def by_guid(transaction: Transaction, guid: str) -> Project | None:
    """The project of that id in the REST interface, if there is one."""
    return _first(transaction.fetch(_BY_GUID, {"guid": guid.strip().lower()}))


def get(transaction: Transaction, project_id: int) -> Project:
    """The project of that number; raises `NotFoundError`."""
    project = _first(transaction.fetch(_BY_ID, {"id": project_id}))
    if project is None:
        raise NotFoundError(f"there is no project {project_id}")
    return project


def listed(transaction: Transaction) -> tuple[Project, ...]:
    """All projects, by name."""
    query = select(projects.c.id, projects.c.guid, projects.c.name).order_by(projects.c.name_key)
    return tuple(Project(*row) for row in transaction.rows(query))


def ensure(transaction: Transaction, name: str) -> Project:
    """The project of that name, made when it does not exist; raises `UsageError` for an empty name."""
    if project := look_up(transaction, name):
        return project
    if not clean_name(name):
        raise UsageError("a project needs a name")
    return _add(transaction, name)


def create(transaction: Transaction, name: str, *, by: str, at: float) -> Project:
    """Make a project; raises `ConflictError` when the name is taken, `UsageError` for one that cannot be."""
    cleaned = clean_name(name)
    if (
        not cleaned
        or len(cleaned) > MAX_NAME
        or hidden_characters(cleaned)
        or is_guid(cleaned)
        or set(cleaned) & _MARKS
    ):
        raise UsageError(
            f"'{cleaned[:80]}' is no name for a project",
            do=f'up to {MAX_NAME} characters, without / \\ [ ] : * ? " < > |',
        )
    if look_up(transaction, cleaned):
        raise ConflictError(f"the project '{cleaned}' exists already", do="see 'sluice project list'")
    project = _add(transaction, cleaned)
    _record(transaction, people_actions.PROJECT_CREATED, project, by=by, at=at)
    return project


def delete(transaction: Transaction, project: Project, *, by: str, at: float) -> None:
    """Delete an empty project; raises `ConflictError` for one that holds anything, and for the last one."""
    for table, what in _CONTENT.items():
        if transaction.value(select(table.c.project_id).where(table.c.project_id == project.id).limit(1)) is not None:
            raise ConflictError(
                f"the project '{project.name}' is not empty", why=f"it has {what}", do="delete these first"
            )
    if len(listed(transaction)) == 1:
        raise ConflictError(f"'{project.name}' is the only project, and one has to be")
    # roles stay as they are: the log knows them, and no other project gets this number
    transaction.execute(sqlalchemy.delete(user_groups).where(user_groups.c.project_id == project.id))
    transaction.execute(sqlalchemy.delete(projects).where(projects.c.id == project.id))
    _record(transaction, people_actions.PROJECT_DELETED, project, by=by, at=at)


def _add(transaction: Transaction, name: str) -> Project:
    guid = str(uuid.uuid4())
    values = {"guid": guid, "name": clean_name(name), "name_key": name_key(name)}
    number = transaction.insert(sqlalchemy.insert(projects).values(**values))
    return Project(number, guid, values["name"])


_CONTENT = {
    connection_projects: "service connections",
    deleted_connections: "service connections that were deleted lately",
    variable_groups: "variable groups",
    secure_files: "secure files",
    environments: "environments",
    pools: "agent pools",
    check_configurations: "checks",
    runs: "runs",
    pipelines: "pipelines",
    permissions: "permits",
}


def _record(transaction: Transaction, action: Action, project: Project, *, by: str, at: float) -> None:
    details = {"ProjectName": project.name, "ProjectId": project.guid}
    audit.append(transaction, audit.Event(action=action, actor=by, at=at, project_id=project.id, details=details))
