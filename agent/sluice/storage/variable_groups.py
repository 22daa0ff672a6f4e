"""The rows of variable groups: their public side, and their sealed side."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage.engine import Row, Transaction
from sluice.storage.names import name_key
from sluice.storage.seals import SealedRow, joined
from sluice.storage.tables import audit, variable_groups
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRow:
    """A variable group as stored, without what is sealed; the texts `variables` and so on are JSON.

    `number` is its id in the REST interface (0 before it is stored), `id` the one that permits and the audit log use.
    """

    number: int = 0
    id: str
    project_id: int
    name: str
    description: str
    version: int
    variables: str
    secret_names: str
    secret_references: str
    created_by: str
    created_at: float
    modified_by: str
    modified_at: float


_SEALED = ("key_id", "wrapped_key", "sealed")
VOUCHED = ("project_id", "name", "variables", "secret_names", "secret_references")
"""The columns that the seal vouches for."""

_PUBLIC = select(*(variable_groups.c[name] for name in PublicRow.__slots__))
_HERE = variable_groups.c.project_id == bindparam("project")
_BY_NAME = _PUBLIC.where(_HERE, variable_groups.c.name_key == bindparam("key"))
_BY_ID = _PUBLIC.where(_HERE, variable_groups.c.id == bindparam("id"))
_RECORDED = (
    select(sqlalchemy.func.max(audit.c.resource_version))
    .where(audit.c.resource_id == bindparam("id"))
    .scalar_subquery()
)
_SEAL = select(
    *(variable_groups.c[name] for name in (*_SEALED, "version", *VOUCHED)), _RECORDED.label("recorded_version")
).where(variable_groups.c.id == bindparam("id"))


def by_name(transaction: Transaction, project_id: int, name: str) -> PublicRow | None:
    """The variable group of that name in a project; names are compared as `name_key` says."""
    return _public(transaction.row(_BY_NAME, {"project": project_id, "key": name_key(name)}))


def by_id(transaction: Transaction, project_id: int, group_id: str) -> PublicRow | None:
    """The variable group of that id, if the project has it."""
    return _public(transaction.row(_BY_ID, {"project": project_id, "id": group_id}))


def seal_of(transaction: Transaction, group_id: str) -> SealedRow | None:
    """The sealed side of a variable group."""
    row = transaction.row(_SEAL, {"id": group_id})
    if row is None:
        return None
    key_id, wrapped_key, sealed, version, *vouched, recorded = row
    return SealedRow(
        key_id=key_id,
        wrapped_key=wrapped_key,
        sealed=sealed,
        version=version,
        public=joined(vouched),
        recorded_version=recorded or 0,
    )


def public_text(row: PublicRow) -> bytes:
    """What the seal vouches for beside the secrets: an edit of any of it by hand makes them unreadable."""
    return joined([getattr(row, name) for name in VOUCHED])


def listed(transaction: Transaction, project_id: int) -> tuple[PublicRow, ...]:
    """The variable groups of a project, by name."""
    rows = transaction.rows(_PUBLIC.where(_HERE).order_by(variable_groups.c.name_key), {"project": project_id})
    return tuple(row for row in map(_public, rows) if row)


def names(transaction: Transaction, project_id: int) -> list[str]:
    """The names of a project's variable groups."""
    query = select(variable_groups.c.name).where(_HERE).order_by(variable_groups.c.name_key)
    return [row[0] for row in transaction.rows(query, {"project": project_id})]


def insert(transaction: Transaction, row: PublicRow, sealed: SealedRow) -> int:
    """Store a new variable group and answer its number."""
    return transaction.insert(sqlalchemy.insert(variable_groups).values(**_columns(row, sealed)))


def replace(transaction: Transaction, row: PublicRow, sealed: SealedRow) -> None:
    """Store a variable group's new state; who created it and when stays."""
    values = _columns(row, sealed)
    for name in ("id", "project_id", "created_by", "created_at"):
        del values[name]
    transaction.execute(sqlalchemy.update(variable_groups).where(variable_groups.c.id == row.id).values(**values))


def remove(transaction: Transaction, group_id: str) -> None:
    """Delete a variable group."""
    transaction.execute(sqlalchemy.delete(variable_groups).where(variable_groups.c.id == group_id))


def _public(row: Row | None) -> PublicRow | None:
    return None if row is None else PublicRow(**dict(zip(PublicRow.__slots__, row, strict=True)))


def _columns(row: PublicRow, sealed: SealedRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in PublicRow.__slots__ if name != "number"}
    values.update({name: getattr(sealed, name) for name in _SEALED})
    return {**values, "name_key": name_key(row.name)}
