"""Protected resources as addresses name them: by type, and by the id or number that clients know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.connections import lookup
from sluice.errors import NotFoundError
from sluice.library import environments, pools, repositories, secure_files
from sluice.library import lookup as groups
from sluice.library.store import resource_of as resource_of_group
from sluice.rights import Right
from sluice.server.problems import bad_argument, not_found
from sluice.storage import environments as environment_rows
from sluice.storage import pools as pool_rows
from sluice.storage import repositories as repository_rows
from sluice.storage import secure_files as file_rows
from sluice.storage import variable_groups as group_rows
from sluice.storage.permissions import (
    ENDPOINT,
    ENVIRONMENT,
    QUEUE,
    REPOSITORY,
    SECURE_FILE,
    VARIABLE_GROUP,
    Resource,
)
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.server.rest.call import Call
    from sluice.storage.engine import Transaction
    from sluice.storage.environments import Environment
    from sluice.storage.pools import Pool
    from sluice.storage.projects import Project
    from sluice.storage.variable_groups import PublicRow

TYPES = (ENDPOINT, QUEUE, ENVIRONMENT, VARIABLE_GROUP, SECURE_FILE, REPOSITORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """A resource that the caller sees; `shown` is the id that clients know it by."""

    resource: Resource
    name: str
    shown: str


def find(call: Call, transaction: Transaction, home: Project, kind: str, identity: str) -> Protected:
    """The resource of a type and id; raises `Problem` for an unknown type, and for one that the caller does not see."""
    guard = call.caller.guard
    wanted = kind.strip().casefold()
    if wanted not in TYPES:
        raise bad_argument(f"'{kind[:40]}' is no type of protected resources: {', '.join(TYPES)}")
    try:
        if wanted == ENDPOINT:
            record = lookup.get(transaction, home.id, identity, guard)
            return Protected(resource=Resource(home.id, record.id), name=record.name, shown=record.id)
        if wanted == VARIABLE_GROUP:
            group = groups.get(transaction, home.id, _name(transaction, home, wanted, identity), guard)
            return Protected(resource=resource_of_group(group), name=group.name, shown=str(group.number))
        if wanted == ENVIRONMENT:
            environment = environments.get(transaction, home.id, _name(transaction, home, wanted, identity), guard)
            shown = str(environment.number)
            return Protected(resource=environment_rows.resource_of(environment), name=environment.name, shown=shown)
        if wanted == QUEUE:
            pool = pools.get(transaction, home.id, _name(transaction, home, wanted, identity), guard)
            return Protected(resource=pool_rows.resource_of(pool), name=pool.name, shown=str(pool.number))
        if wanted == SECURE_FILE:
            file = secure_files.get(transaction, home.id, identity, guard)
            return Protected(resource=file_rows.resource_of(file), name=file.name, shown=file.id)
        found = repositories.get(transaction, home.id, identity, guard)
        return Protected(resource=found, name=repository_rows.name_of(found), shown=found.id)
    except NotFoundError:
        raise not_found(f"The {wanted} {identity[:80]} does not exist.") from None


def by_id(call: Call, transaction: Transaction, home: Project, resource: Resource) -> Protected | None:
    """The resource that is stored under an id; None for one that is gone, or that the caller does not see."""
    guard = call.caller.guard
    if not guard.allows(transaction, Right.SEE, resource):
        return None
    from sluice.server.problems import Problem

    try:
        return find(call, transaction, home, resource.type, resource.id)
    except Problem:
        return None


def _name(transaction: Transaction, home: Project, kind: str, identity: str) -> str:
    """The id that is stored of what clients name by number; what is no number is an id or a name already."""
    text = identity.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return identity
    number = int(text)
    rows = _numbered(transaction, home, kind)
    return next((row.id for row in rows if row.number == number), identity)


def _numbered(transaction: Transaction, home: Project, kind: str) -> Sequence[Environment | Pool | PublicRow]:
    if kind == VARIABLE_GROUP:
        return group_rows.listed(transaction, home.id)
    return (
        environment_rows.listed(transaction, home.id) if kind == ENVIRONMENT else pool_rows.listed(transaction, home.id)
    )
