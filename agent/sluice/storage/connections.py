"""The rows of service connections: their public side, their sealed side, and the projects they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage import digests
from sluice.storage.engine import Transaction
from sluice.storage.names import name_key
from sluice.storage.prepared import Prepared
from sluice.storage.seals import SealedRow, joined
from sluice.storage.tables import audit, connection_projects, connections
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRow:
    """A connection in one project as stored, without what is sealed; the texts `parameters` and so on are JSON."""

    id: str
    project_id: int
    name: str
    description: str
    type: str
    scheme: str
    url: str
    owner: str
    disabled: bool
    version: int
    parameters: str
    data: str
    secret_names: str
    secret_references: str
    created_by: str
    created_at: float
    modified_by: str
    modified_at: float


_IN_PROJECT = ("project_id", "name", "description")
_SEALED = ("key_id", "wrapped_key", "sealed")
_COLUMNS = [(connection_projects if name in _IN_PROJECT else connections).c[name] for name in PublicRow.__slots__]
_JOINED = connections.join(connection_projects, connection_projects.c.connection_id == connections.c.id)
_PUBLIC = select(*_COLUMNS).select_from(_JOINED)
_HERE = connection_projects.c.project_id == bindparam("project")
_BY_NAME = Prepared(_PUBLIC.where(_HERE, connection_projects.c.name_key == bindparam("key")))
_BY_ID = Prepared(_PUBLIC.where(_HERE, connection_projects.c.connection_id == bindparam("id")))
_PLACES = Prepared(
    select(connection_projects.c.project_id, connection_projects.c.name, connection_projects.c.description)
    .where(connection_projects.c.connection_id == bindparam("id"))
    .order_by(connection_projects.c.project_id)
)
RECORDED = (
    select(sqlalchemy.func.max(audit.c.resource_version))
    .where(audit.c.resource_id == bindparam("id"))
    .scalar_subquery()
)
VOUCHED = ("type", "scheme", "url", "owner", "disabled", "parameters", "data", "secret_names", "secret_references")
"""The columns that the seal vouches for."""

_SEAL = select(
    *(connections.c[name] for name in (*_SEALED, "version", *VOUCHED)), RECORDED.label("recorded_version")
).where(connections.c.id == bindparam("id"))


def by_name(transaction: Transaction, project_id: int, name: str) -> PublicRow | None:
    """The connection of that name in a project; names are compared as `name_key` says."""
    return _first(transaction.fetch(_BY_NAME, {"project": project_id, "key": name_key(name)}))


def by_id(transaction: Transaction, project_id: int, connection_id: str) -> PublicRow | None:
    """The connection of that id, if the project has it."""
    return _first(transaction.fetch(_BY_ID, {"project": project_id, "id": connection_id}))


def seal_of(transaction: Transaction, connection_id: str) -> SealedRow | None:
    """The sealed side of a connection."""
    row = transaction.row(_SEAL, {"id": connection_id})
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
    """The connections of a project, by name."""
    rows = transaction.rows(_PUBLIC.where(_HERE).order_by(connection_projects.c.name_key), {"project": project_id})
    return tuple(map(_public, rows))


def listed_after(transaction: Transaction, project_id: int, after: str, limit: int) -> tuple[PublicRow, ...]:
    """As `listed`, but so many at most, behind the one whose name has that key ('' for the first ones)."""
    query = _PUBLIC.where(_HERE, connection_projects.c.name_key > after).order_by(connection_projects.c.name_key)
    rows = transaction.rows(query.limit(limit), {"project": project_id})
    return tuple(map(_public, rows))


def names(transaction: Transaction, project_id: int) -> list[str]:
    """The names of a project's connections."""
    query = select(connection_projects.c.name).where(_HERE).order_by(connection_projects.c.name_key)
    return [row[0] for row in transaction.rows(query, {"project": project_id})]


def insert(transaction: Transaction, entries: list[tuple[PublicRow, SealedRow]]) -> list[str]:
    """Store new connections; answers the digest of each, for the audit log."""
    own = [_own_columns(row, sealed) for row, sealed in entries]
    references = [_reference_columns(transaction, row) for row, _ in entries]
    transaction.insert_many(connections, own)
    transaction.insert_many(connection_projects, references)
    return [digests.of_new(connection, place) for connection, place in zip(own, references, strict=True)]


def add_to_project(transaction: Transaction, row: PublicRow) -> None:
    """Let a connection be in one more project, under the name that the row has."""
    transaction.insert_many(connection_projects, [_reference_columns(transaction, row)])


def projects_of(transaction: Transaction, connection_id: str) -> list[tuple[int, str]]:
    """The projects that a connection is in, and its names there."""
    reference = connection_projects.c
    query = select(reference.project_id, reference.name).where(reference.connection_id == connection_id)
    return [(row[0], row[1]) for row in transaction.rows(query.order_by(reference.project_id))]


def places_of_shared(transaction: Transaction, project_id: int) -> dict[str, list[tuple[int, str, str]]]:
    """Of the connections of a project that are in others too: each project, and name and description there."""
    reference, other = connection_projects.c, connection_projects.alias().c
    shared = select(reference.connection_id).where(
        reference.project_id == project_id,
        sqlalchemy.exists().where(other.connection_id == reference.connection_id, other.project_id != project_id),
    )
    query = select(reference.connection_id, reference.project_id, reference.name, reference.description)
    found: dict[str, list[tuple[int, str, str]]] = {}
    for connection_id, *place in transaction.rows(
        query.where(reference.connection_id.in_(shared)).order_by(reference.project_id)
    ):
        found.setdefault(connection_id, []).append((place[0], place[1], place[2]))
    return found


def places(transaction: Transaction, connection_id: str) -> list[tuple[int, str, str]]:
    """The projects that a connection is in, and its name and description in each."""
    return [(row[0], row[1], row[2]) for row in transaction.fetch(_PLACES, {"id": connection_id})]


def of_type(transaction: Transaction, type_name: str) -> tuple[PublicRow, ...]:
    """The connections of a type (ignoring case; '' for all), in every project that they are in."""
    query = _PUBLIC
    if type_name:
        query = query.where(sqlalchemy.func.lower(connections.c.type) == type_name.lower())
    rows = transaction.rows(query.order_by(connection_projects.c.name_key, connection_projects.c.project_id))
    return tuple(map(_public, rows))


def in_other_projects(transaction: Transaction, project_id: int, name: str) -> list[tuple[int, str]]:
    """The other projects that have a connection of that name, and its id there."""
    reference = connection_projects.c
    query = select(reference.project_id, reference.connection_id).where(
        reference.name_key == name_key(name), reference.project_id != project_id
    )
    return [(row[0], row[1]) for row in transaction.rows(query.order_by(reference.project_id))]


def replace(transaction: Transaction, row: PublicRow, sealed: SealedRow) -> None:
    """Store a connection's new state; who created it and when stays."""
    values = _own_columns(row, sealed)
    for name in ("id", "created_by", "created_at"):
        del values[name]
    transaction.execute(sqlalchemy.update(connections).where(connections.c.id == row.id).values(**values))
    reference = _reference_columns(transaction, row)
    transaction.execute(
        sqlalchemy.update(connection_projects)
        .where(
            connection_projects.c.connection_id == reference.pop("connection_id"),
            connection_projects.c.project_id == reference.pop("project_id"),
        )
        .values(**reference)
    )


def remove(transaction: Transaction, project_id: int, connection_id: str) -> bool:
    """Take a connection out of a project; the last project takes the connection with it, which answers True."""
    reference = connection_projects.c
    transaction.execute(
        sqlalchemy.delete(connection_projects).where(
            reference.project_id == project_id, reference.connection_id == connection_id
        )
    )
    left = transaction.value(select(reference.project_id).where(reference.connection_id == connection_id).limit(1))
    if left is not None:
        return False
    transaction.execute(sqlalchemy.delete(connections).where(connections.c.id == connection_id))
    return True


def _public(row: Sequence[Any]) -> PublicRow:
    return PublicRow(**dict(zip(PublicRow.__slots__, row, strict=True)))


def _first(rows: Sequence[Sequence[Any]]) -> PublicRow | None:
    return _public(rows[0]) if rows else None


def _own_columns(row: PublicRow, sealed: SealedRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in PublicRow.__slots__ if name not in _IN_PROJECT}
    values.update({name: getattr(sealed, name) for name in _SEALED})
    for name in ("created_at", "modified_at"):
        values[name] = float(values[name])  # as it is read again: the digest is of that
    return values


_REFERENCE = "connection in project"
_PLACE = select(
    connection_projects.c.connection_id,
    connection_projects.c.project_id,
    connection_projects.c.name,
    connection_projects.c.name_key,
)
_IN_PLACE = _PLACE.add_columns(connection_projects.c.code).where(
    _HERE, connection_projects.c.connection_id == bindparam("id")
)


def in_place(transaction: Transaction, connection_id: str, project_id: int) -> bool:
    """Whether a connection's name in a project is the one that Sluice stored: nobody gave it another's."""
    row = transaction.row(_IN_PLACE, {"id": connection_id, "project": project_id})
    return row is not None and transaction.voucher.vouches(row[-1], _REFERENCE, *row[:-1])


def broken(transaction: Transaction) -> Iterator[str]:
    """The connections whose name in a project is not the one that was stored."""
    for *place, code in transaction.rows(_PLACE.add_columns(connection_projects.c.code)):
        if not transaction.voucher.vouches(code, _REFERENCE, *place):
            yield f"the name of connection {place[0]} in project {place[1]} was edited by hand"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for the place of every connection that is stored: when the key is made."""
    for connection_id, project_id, *names in transaction.rows(_PLACE):
        code = transaction.voucher.code(_REFERENCE, connection_id, project_id, *names)
        place = (
            connection_projects.c.connection_id == connection_id,
            connection_projects.c.project_id == project_id,
        )
        transaction.execute(sqlalchemy.update(connection_projects).where(*place).values(code=code))


def _reference_columns(transaction: Transaction, row: PublicRow) -> dict[str, Any]:
    key = name_key(row.name)
    return {
        "connection_id": row.id,
        "project_id": row.project_id,
        "name": row.name,
        "name_key": key,
        "description": row.description,
        "code": transaction.voucher.code(_REFERENCE, row.id, row.project_id, row.name, key),
    }
