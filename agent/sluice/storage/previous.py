"""The secrets that a rotation replaced, sealed, for its undo."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import select

from sluice.storage.engine import Transaction
from sluice.storage.tables_connections import previous_secrets
from sluice.values import dataclass

PREVIOUS_SECRETS = "previous secrets"
"""What the seal calls the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """What was replaced in a connection, which had `version` afterwards. Times are seconds since the epoch."""

    connection_id: str
    version: int
    replaced_by: str
    replaced_at: float
    expires_at: float
    key_id: str
    wrapped_key: bytes
    sealed: bytes


_TABLE = previous_secrets


def get(transaction: Transaction, connection_id: str) -> Previous | None:
    """What the last rotation of a connection replaced, if that is kept still."""
    columns = [_TABLE.c[name] for name in Previous.__slots__]
    row = transaction.row(select(*columns).where(_TABLE.c.connection_id == connection_id))
    return None if row is None else Previous(**dict(zip(Previous.__slots__, row, strict=True)))


def put(transaction: Transaction, one: Previous) -> None:
    """Keep what a rotation replaced, in place of what an earlier one did."""
    remove(transaction, one.connection_id)
    values = {name: getattr(one, name) for name in Previous.__slots__}
    transaction.execute(sqlalchemy.insert(_TABLE), values)


def remove(transaction: Transaction, connection_id: str) -> None:
    """Forget what was replaced in a connection."""
    transaction.execute(sqlalchemy.delete(_TABLE).where(_TABLE.c.connection_id == connection_id))


def remove_over(transaction: Transaction, now: float) -> None:
    """Forget what was replaced too long ago."""
    transaction.execute(sqlalchemy.delete(_TABLE).where(_TABLE.c.expires_at <= now))
