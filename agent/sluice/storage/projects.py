"""Projects: where connections, pipelines and permissions live."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import NotFoundError, UsageError
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, name_key
from sluice.storage.tables import projects

DEFAULT = "default"

_BY_KEY = select(projects.c.id, projects.c.guid, projects.c.name).where(projects.c.name_key == bindparam("key"))
_BY_ID = select(projects.c.id, projects.c.guid, projects.c.name).where(projects.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Project:
    """A project; `guid` is its id in the REST interface."""

    id: int
    guid: str
    name: str


def find(transaction: Transaction, name: str) -> Project:
    """The project of that name, ignoring case; raises `NotFoundError`."""
    row = transaction.row(_BY_KEY, {"key": name_key(name)})
    if row is None:
        known = transaction.rows(select(projects.c.name).order_by(projects.c.name_key).limit(5))
        raise NotFoundError(
            f"there is no project '{clean_name(name)}'",
            do=f"known: {', '.join(row.name for row in known)}; a new one is made with its first connection",
        )
    return Project(*row)


def look_up(transaction: Transaction, name: str) -> Project | None:
    """The project of that name, ignoring case, if there is one."""
    row = transaction.row(_BY_KEY, {"key": name_key(name)})
    return Project(*row) if row else None


def get(transaction: Transaction, project_id: int) -> Project:
    """The project of that number; raises `NotFoundError`."""
    row = transaction.row(_BY_ID, {"id": project_id})
    if row is None:
        raise NotFoundError(f"there is no project {project_id}")
    return Project(*row)


def ensure(transaction: Transaction, name: str) -> Project:
    """The project of that name, made when it does not exist; raises `UsageError` for an empty name."""
    row = transaction.row(_BY_KEY, {"key": name_key(name)})
    if row is not None:
        return Project(*row)
    if not clean_name(name):
        raise UsageError("a project needs a name")
    guid = str(uuid.uuid4())
    values = {"guid": guid, "name": clean_name(name), "name_key": name_key(name)}
    number = transaction.insert(sqlalchemy.insert(projects).values(**values))
    return Project(number, guid, values["name"])
