"""The keys that identity tokens are signed with: made, sealed like every secret, published ahead, and retired."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sluice.connections import vault
from sluice.connections.sealing import Identity
from sluice.errors import SealError
from sluice.storage import actions, audit
from sluice.storage import signing_keys as rows
from sluice.storage.replay import SIGNING_KEY
from sluice.values import dataclass

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from sluice.connections.sealing import Sealer
    from sluice.storage.engine import Transaction
    from sluice.storage.signing_keys import SigningKeyRow

ROTATE_SECONDS = 90 * 24 * 3600.0
"""How old a key becomes before the next one is made."""

AHEAD_SECONDS = 2 * 24 * 3600.0
"""How long a key is published before it signs: whoever checks tokens may keep a copy of the published keys for a day."""

KEEP_SECONDS = 24 * 3600.0
"""How long a key stays published after another signs in its place: far longer than a token lives."""

_BITS = 2048
_FIRST, _GONE = 1, 2
"""Versions in the audit log: a key that was put back by hand after it was retired does not open."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs from `active_from` on (seconds since the epoch)."""

    id: str
    active_from: float
    private: RSAPrivateKey = field(repr=False)

    @property
    def jwk(self) -> Mapping[str, Any]:
        """The public half, as a key set holds it."""
        return {"kid": self.id, "use": "sig", "alg": "RS256", **_public(self.private)}


def signing(transaction: Transaction, sealer: Sealer, *, at: float, by: str) -> SigningKey:
    """The key that signs at that time, in a write transaction: the very first one is made here."""
    row = _signing(rows.listed(transaction), at)
    return _make(transaction, sealer, at=at, active_from=at, by=by) if row is None else _open(transaction, sealer, row)


def published(transaction: Transaction, sealer: Sealer) -> tuple[SigningKey, ...]:
    """Every key that a token may be signed with, or soon will be."""
    return tuple(_open(transaction, sealer, row) for row in rows.listed(transaction))


def is_due(transaction: Transaction, *, at: float) -> bool:
    """Whether a key has to be made or retired: see `keep`."""
    listed = rows.listed(transaction)
    return not listed or _is_next_due(listed, at) or bool(_retired(listed, at))


def keep(transaction: Transaction, sealer: Sealer, *, at: float, by: str) -> None:
    """Make the next key in time, and forget those that no living token is signed with.

    Left to whoever publishes the keys: one that signs before it can be read is of no use.
    """
    listed = rows.listed(transaction)
    if not listed:
        _make(transaction, sealer, at=at, active_from=at, by=by)
    elif _is_next_due(listed, at):
        _make(transaction, sealer, at=at, active_from=at + AHEAD_SECONDS, by=by)
    for row in _retired(listed, at):
        _forget(transaction, row, at=at, by=by)


def rotate(transaction: Transaction, sealer: Sealer, *, at: float, by: str, at_once: bool = False) -> SigningKey:
    """Make another key. `at_once` it signs from now on and the others are forgotten: what they signed is refused then."""
    listed = rows.listed(transaction)
    soon = at_once or not listed
    made = _make(transaction, sealer, at=at, active_from=at if soon else at + AHEAD_SECONDS, by=by)
    if at_once:
        for row in listed:
            _forget(transaction, row, at=at, by=by)
    return made


def _signing(listed: Sequence[SigningKeyRow], at: float) -> SigningKeyRow | None:
    """The newest that is active; when the clock went back, the first that will be."""
    active = [row for row in listed if row.active_from <= at]
    return active[-1] if active else next(iter(listed), None)


def _is_next_due(listed: Sequence[SigningKeyRow], at: float) -> bool:
    return listed[-1].active_from <= at - ROTATE_SECONDS


def _retired(listed: Sequence[SigningKeyRow], at: float) -> tuple[SigningKeyRow, ...]:
    """Those in whose place another has signed for long enough."""
    over = [place for place, row in enumerate(listed) if row.active_from <= at - KEEP_SECONDS]
    return tuple(listed[: over[-1]]) if over else ()


def _make(transaction: Transaction, sealer: Sealer, *, at: float, active_from: float, by: str) -> SigningKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    made = SigningKey(_thumbprint(private), float(active_from), private)
    row = rows.SigningKeyRow(id=made.id, version=_FIRST, created_at=float(at), active_from=made.active_from)
    text = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    identity = Identity(SIGNING_KEY, row.id, row.version, rows.public_text(row))
    rows.insert(transaction, row, vault.seal_text(sealer, vault.master_key(transaction, sealer), identity, text))
    details = {
        "KeyId": row.id,
        "ActiveFrom": datetime.fromtimestamp(row.active_from, UTC).isoformat(timespec="seconds"),
    }
    event = audit.Event(
        action=actions.SIGNING_KEY_CREATED,
        actor=by,
        at=at,
        resource_id=row.id,
        resource_version=row.version,
        details=details,
    )
    audit.append(transaction, event)
    return made


def _open(transaction: Transaction, sealer: Sealer, row: SigningKeyRow) -> SigningKey:
    from cryptography.hazmat.primitives import serialization

    audit.check_head(transaction)
    what = f"the signing key {row.id}"
    text = vault.open_text(sealer, SIGNING_KEY, row.id, rows.seal_of(transaction, row.id), what)
    # it was sealed here: to check that it is a sound key takes longer than to sign with it
    private = serialization.load_der_private_key(text, None, unsafe_skip_rsa_key_validation=True)
    found = SigningKey(row.id, row.active_from, private)  # type: ignore[arg-type]  # _make seals no other kind
    if _thumbprint(found.private) != row.id:
        raise SealError(f"{what} is another key than its id says")
    return found


def _forget(transaction: Transaction, row: SigningKeyRow, *, at: float, by: str) -> None:
    rows.remove(transaction, row.id)
    event = audit.Event(
        action=actions.SIGNING_KEY_RETIRED,
        actor=by,
        at=at,
        resource_id=row.id,
        resource_version=_GONE,
        details={"KeyId": row.id},
    )
    audit.append(transaction, event)


def _public(private: RSAPrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _thumbprint(private: RSAPrivateKey) -> str:
    """The id of a key, as RFC 7638 makes it of the public half."""
    text = json.dumps(_public(private), sort_keys=True, separators=(",", ":"))
    return _base64(hashlib.sha256(text.encode("ascii")).digest())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
