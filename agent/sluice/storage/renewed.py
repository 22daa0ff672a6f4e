"""The newest tokens of connections that renew them, sealed, and whose turn it is to ask for others."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage.engine import Transaction
from sluice.storage.prepared import Prepared
from sluice.storage.tables_renewals import renewal_turns, renewed_secrets
from sluice.values import dataclass

RENEWED_SECRETS = "renewed secrets"
"""What the seal calls the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What was renewed in that version of a connection. Times are seconds since the epoch; `expires_at` 0 is unknown."""

    connection_id: str
    version: int
    renewed_at: float
    expires_at: float
    key_id: str
    wrapped_key: bytes
    sealed: bytes


_TABLE = renewed_secrets
_TURNS = renewal_turns
_GET = Prepared(
    select(*(_TABLE.c[name] for name in Renewed.__slots__)).where(_TABLE.c.connection_id == bindparam("id"))
)


def get(transaction: Transaction, connection_id: str, version: int) -> Renewed | None:
    """What was renewed in that version of a connection; None where nothing was."""
    for row in transaction.fetch(_GET, {"id": connection_id}):
        found = Renewed(**dict(zip(Renewed.__slots__, row, strict=True)))
        return found if found.version == version else None
    return None


def put(transaction: Transaction, one: Renewed) -> None:
    """Keep what was renewed, in place of what was before."""
    transaction.execute(sqlalchemy.delete(_TABLE).where(_TABLE.c.connection_id == one.connection_id))
    transaction.execute(sqlalchemy.insert(_TABLE), {name: getattr(one, name) for name in Renewed.__slots__})


def take_turn(transaction: Transaction, connection_id: str, holder: str, *, now: float, until: float) -> bool:
    """Whether it is the holder's turn to ask for new tokens, until then at most."""
    row = transaction.row(select(_TURNS.c.holder, _TURNS.c.until).where(_TURNS.c.connection_id == connection_id))
    if row is not None and row[0] != holder and row[1] > now:
        return False
    transaction.execute(sqlalchemy.delete(_TURNS).where(_TURNS.c.connection_id == connection_id))
    values = {"connection_id": connection_id, "holder": holder, "until": until}
    transaction.execute(sqlalchemy.insert(_TURNS), values)
    return True


def end_turn(transaction: Transaction, connection_id: str, holder: str) -> None:
    """It is somebody else's turn."""
    mine = (_TURNS.c.connection_id == connection_id) & (_TURNS.c.holder == holder)
    transaction.execute(sqlalchemy.delete(_TURNS).where(mine))
