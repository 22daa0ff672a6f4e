"""The rows of the keys that identity tokens are signed with."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage.engine import Transaction
from sluice.storage.seals import SealedRow, joined
from sluice.storage.tables import audit
from sluice.storage.tables_federation import signing_keys
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRow:
    """A signing key as it is listed. It signs from `active_from` on; times are seconds since the epoch."""

    id: str
    version: int
    created_at: float
    active_from: float


_SEALED = ("key_id", "wrapped_key", "sealed")
VOUCHED = ("created_at", "active_from")
"""The columns that the seal vouches for."""

_PUBLIC = select(*(signing_keys.c[name] for name in SigningKeyRow.__slots__)).order_by(
    signing_keys.c.active_from, signing_keys.c.created_at, signing_keys.c.id
)
_RECORDED = (
    select(sqlalchemy.func.max(audit.c.resource_version))
    .where(audit.c.resource_id == bindparam("id"))
    .scalar_subquery()
)
_SEAL = select(
    *(signing_keys.c[name] for name in (*_SEALED, "version", *VOUCHED)), _RECORDED.label("recorded_version")
).where(signing_keys.c.id == bindparam("id"))


def listed(transaction: Transaction) -> tuple[SigningKeyRow, ...]:
    """Every signing key, in the order in which they come to sign."""
    return tuple(
        SigningKeyRow(**dict(zip(SigningKeyRow.__slots__, row, strict=True))) for row in transaction.rows(_PUBLIC)
    )


def public_text(row: SigningKeyRow) -> bytes:
    """What the seal vouches for beside the key itself."""
    return joined([getattr(row, name) for name in VOUCHED])


def seal_of(transaction: Transaction, key_id: str) -> SealedRow | None:
    """The sealed side of a signing key."""
    row = transaction.row(_SEAL, {"id": key_id})
    if row is None:
        return None
    master, wrapped_key, sealed, version, *vouched, recorded = row
    return SealedRow(
        key_id=master,
        wrapped_key=wrapped_key,
        sealed=sealed,
        version=version,
        public=joined(vouched),
        recorded_version=recorded or 0,
    )


def insert(transaction: Transaction, row: SigningKeyRow, sealed: SealedRow) -> None:
    """Store a new signing key."""
    values = {name: getattr(row, name) for name in SigningKeyRow.__slots__}
    seal = {name: getattr(sealed, name) for name in _SEALED}
    transaction.execute(sqlalchemy.insert(signing_keys).values(**values, **seal))


def remove(transaction: Transaction, key_id: str) -> None:
    """Forget a signing key."""
    transaction.execute(sqlalchemy.delete(signing_keys).where(signing_keys.c.id == key_id))
