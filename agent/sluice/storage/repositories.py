"""Repositories that belong to a project: protected resources by their name alone, of which no list is kept.

Those of `type: git` that name no service connection are meant. The id of one is its project and its name, so that a
permit, a role or a check holds for the repository however a pipeline spells it.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select, union

from sluice.errors import UsageError
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, hidden_characters, name_key
from sluice.storage.permissions import REPOSITORY, Resource
from sluice.storage.projects import Project
from sluice.storage.tables import permissions
from sluice.storage.tables_checks import check_configurations

MAX_NAME = 400

_KNOWN = union(
    *(
        select(table.c.resource_id).where(
            table.c.project_id == bindparam("project"), table.c.resource_type == REPOSITORY
        )
        for table in (permissions, check_configurations)
    )
)


def resource_of(home: Project, name: str) -> Resource:
    """The repository that a name means in a project; `PROJECT/NAME` with that very project is `NAME`."""
    key = name_key(name).strip("/")
    own = f"{name_key(home.name)}/"
    return Resource(home.id, f"{home.guid}.{key.removeprefix(own)}", REPOSITORY)


def get(home: Project, name: str) -> Resource:
    """The repository that a person names, by its name or id; raises `UsageError` for what can be none."""
    cleaned = clean_name(name).removeprefix(f"{home.guid}.")
    if not cleaned.strip("/") or len(cleaned) > MAX_NAME or hidden_characters(cleaned):
        raise UsageError(f"'{cleaned[:80]}' is no name of a repository", do="write NAME, or PROJECT/NAME")
    return resource_of(home, cleaned)


def name_of(resource: Resource) -> str:
    """The name of a repository, in the form in which names are compared."""
    return resource.id.partition(".")[2]


def listed(transaction: Transaction, home: Project) -> list[Resource]:
    """The repositories of a project about which anything is stored: a permit or a check."""
    rows = transaction.rows(_KNOWN, {"project": home.id})
    return [Resource(home.id, resource_id, REPOSITORY) for resource_id in sorted(str(row[0]) for row in rows)]
