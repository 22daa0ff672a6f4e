"""When something of a connection expires, beside its row: a public fact that is kept when its secrets are stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy
from sqlalchemy import select

from sluice.storage.engine import Transaction
from sluice.storage.tables_connections import connection_expiries
from sluice.values import dataclass

DECLARED = ""
"""In place of a field: the date that a person declared."""

_BATCH = 500


@dataclass(frozen=True, slots=True, order=True)
class Expiry:
    """`at` is seconds since the epoch, `field` the key of what expires (`DECLARED` for the whole), `kind` what it is."""

    at: float
    field: str
    kind: str


def of(transaction: Transaction, ids: Iterable[str]) -> Mapping[str, tuple[Expiry, ...]]:
    """What expires of these connections, the first first; connections of which nothing does are left out."""
    found: dict[str, list[Expiry]] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        query = select(connection_expiries).where(connection_expiries.c.connection_id.in_(some))
        for row in transaction.rows(query):
            found.setdefault(row.connection_id, []).append(Expiry(row.expires_at, row.field, row.kind))
    return {connection_id: tuple(sorted(each)) for connection_id, each in found.items()}


def replace(transaction: Transaction, connection_id: str, kept: Iterable[str], found: Iterable[Expiry]) -> None:
    """Store what expires now; of the fields `kept` what is stored stays."""
    table = connection_expiries.c
    stale = sqlalchemy.delete(connection_expiries).where(
        table.connection_id == connection_id, table.field.not_in(list(kept))
    )
    transaction.execute(stale)
    rows = [
        {"connection_id": connection_id, "field": one.field, "kind": one.kind, "expires_at": one.at} for one in found
    ]
    if rows:
        transaction.execute(sqlalchemy.insert(connection_expiries), rows)
