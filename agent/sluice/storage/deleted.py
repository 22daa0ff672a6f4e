"""Connections that were deleted and can still be put back: kept aside, under no name, sealed for what they are now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy
from sqlalchemy import select

from sluice.storage.connections import RECORDED, PublicRow
from sluice.storage.engine import Row, Transaction
from sluice.storage.names import is_guid, name_key
from sluice.storage.seals import SealedRow, joined
from sluice.storage.tables_connections import deleted_connections
from sluice.values import dataclass

DELETED_CONNECTION = "deleted connection"
"""What the seal calls the records."""

VOUCHED = (*(name for name in PublicRow.__slots__ if name not in {"id", "version"}), "kept", "purge_at")
"""The columns that the seal vouches for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A deleted connection. `kept` is JSON: what comes back with it. Times are seconds since the epoch."""

    row: PublicRow
    kept: str
    deleted_by: str
    deleted_at: float
    purge_at: float

    def public_text(self) -> bytes:
        """What the seal vouches for beside the secrets."""
        values = {**{name: getattr(self.row, name) for name in PublicRow.__slots__}, "kept": self.kept}
        values["purge_at"] = self.purge_at
        return joined([values[name] for name in VOUCHED])


_OWN = ("kept", "deleted_by", "deleted_at", "purge_at")
_ALL = select(*(deleted_connections.c[name] for name in (*PublicRow.__slots__, *_OWN)))


def insert(transaction: Transaction, one: Deleted, sealed: SealedRow) -> None:
    """Keep a connection aside."""
    values: dict[str, Any] = {name: getattr(one.row, name) for name in PublicRow.__slots__}
    values |= {name: getattr(one, name) for name in _OWN}
    values |= {"key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "sealed": sealed.sealed}
    transaction.execute(sqlalchemy.insert(deleted_connections), values)


def listed(transaction: Transaction, project_id: int) -> tuple[Deleted, ...]:
    """The deleted connections of a project that can be put back, the newest first."""
    query = _ALL.where(deleted_connections.c.project_id == project_id).order_by(
        deleted_connections.c.deleted_at.desc(), deleted_connections.c.id
    )
    return tuple(map(_deleted, transaction.rows(query)))


def find(transaction: Transaction, project_id: int, name: str) -> Deleted | None:
    """The deleted connection of that id, or the one of that name that was deleted last."""
    for one in listed(transaction, project_id):
        if one.row.id == name.strip().lower() if is_guid(name) else name_key(one.row.name) == name_key(name):
            return one
    return None


def seal_of(transaction: Transaction, one: Deleted) -> SealedRow | None:
    """The sealed side of a deleted connection."""
    columns = [deleted_connections.c[name] for name in ("key_id", "wrapped_key", "sealed")]
    row = transaction.row(select(*columns).where(deleted_connections.c.id == one.row.id))
    if row is None:
        return None
    return SealedRow(
        key_id=row.key_id,
        wrapped_key=row.wrapped_key,
        sealed=row.sealed,
        version=one.row.version,
        public=one.public_text(),
        recorded_version=transaction.value(select(RECORDED), {"id": one.row.id}) or 0,
    )


def remove(transaction: Transaction, connection_id: str) -> None:
    """Forget a deleted connection: it is put back, or its time is over."""
    transaction.execute(sqlalchemy.delete(deleted_connections).where(deleted_connections.c.id == connection_id))


def over(transaction: Transaction, now: float) -> Iterator[Deleted]:
    """The deleted connections whose time is over."""
    yield from map(_deleted, transaction.rows(_ALL.where(deleted_connections.c.purge_at <= now)))


def _deleted(row: Row) -> Deleted:
    count = len(PublicRow.__slots__)
    public = PublicRow(**dict(zip(PublicRow.__slots__, row[:count], strict=True)))
    return Deleted(row=public, **dict(zip(_OWN, row[count:], strict=True)))
