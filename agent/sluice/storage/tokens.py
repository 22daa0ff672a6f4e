"""Access tokens: what speaks for a person. Kept as a hash; the token itself is answered once, when it is made."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import ConflictError, NotFoundError
from sluice.secret import Secret
from sluice.storage import audit, people_actions, witnesses
from sluice.storage.action import Action
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, name_key
from sluice.storage.people import User
from sluice.storage.tables_people import access_tokens
from sluice.values import dataclass

MARK = "sluice_"
"""What every token begins with, so that people and scanners of leaks know one when they see it."""

TOKEN_BYTES = 32
PREFIX_LENGTH = len(MARK) + 5
"""How much of a token is kept in the clear; what is left has more than 220 random bits."""

_KIND = "token"
_ACTIONS = (people_actions.TOKEN_CREATED, people_actions.TOKEN_REVOKED)
_VOUCHED = ("id", "user_id", "name", "prefix", "hash", "scopes", "created_at", "expires_at", "revoked_at", "sequence")
_QUERY = select(*(access_tokens.c[name] for name in _VOUCHED), access_tokens.c.used_at, access_tokens.c.code)
_BY_HASH = _QUERY.where(access_tokens.c.hash == bindparam("hash"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without what makes it one. Times are seconds since the epoch; `whole`: it is as Sluice stored it."""

    id: str
    user_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    revoked_at: float | None
    used_at: float | None
    whole: bool = True

    def state(self, at: float) -> str:
        """`active`, or why it is not."""
        if not self.whole:
            return "edited by hand"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if at >= self.expires_at else "active"


def create(
    transaction: Transaction, user: User, name: str, scopes: Sequence[str], *, expires_at: float, by: str, at: float
) -> tuple[Token, Secret]:
    """Make a token for a user; answers it, and the text that is shown this once."""
    cleaned = clean_name(name)[:256] or "token"
    if any(name_key(one.name) == name_key(cleaned) and one.revoked_at is None for one in of_user(transaction, user.id)):
        raise ConflictError(f"there is a token '{cleaned}' already", do="choose another name, or revoke that one")
    text = MARK + secrets.token_urlsafe(TOKEN_BYTES)
    token = Token(
        id=str(uuid.uuid4()),
        user_id=user.id,
        name=cleaned,
        prefix=text[:PREFIX_LENGTH],
        scopes=tuple(scopes),
        created_at=float(at),
        expires_at=float(expires_at),
        revoked_at=None,
        used_at=None,
    )
    sequence = record(transaction, people_actions.TOKEN_CREATED, token, user, by=by, at=at)
    values = _columns(transaction, token, _hash(text), sequence)
    transaction.execute(sqlalchemy.insert(access_tokens).values(**values))
    return token, Secret(text)


def find(transaction: Transaction, text: str) -> Token | None:
    """The token that somebody shows, whatever its state; None for one that there is not."""
    row = transaction.row(_BY_HASH, {"hash": _hash(text)})
    return None if row is None else _token(transaction, row)


def by_id(transaction: Transaction, token_id: str) -> Token | None:
    """The token of that id, whatever its state."""
    row = transaction.row(_QUERY.where(access_tokens.c.id == token_id))
    return None if row is None else _token(transaction, row)


def of_user(transaction: Transaction, user_id: str) -> tuple[Token, ...]:
    """The tokens of a user, oldest first."""
    rows = transaction.rows(_QUERY.where(access_tokens.c.user_id == user_id).order_by(access_tokens.c.created_at))
    return tuple(_token(transaction, row) for row in rows)


def get(transaction: Transaction, user: User, name: str) -> Token:
    """The token of a user by id, by beginning, or by name (the newest that is not revoked); raises `NotFoundError`."""
    known = sorted(of_user(transaction, user.id), key=lambda one: (one.revoked_at is None, one.created_at))
    wanted = name.strip().rstrip(".")
    for token in reversed(known):
        if wanted in {token.id, token.prefix} or name_key(token.name) == name_key(wanted):
            return token
    raise NotFoundError(
        f"'{user.name}' has no token '{clean_name(name)}'",
        do="see 'sluice token list'; --user NAME names somebody else's",
    )


def revoke(transaction: Transaction, token: Token, user: User, *, by: str, at: float) -> bool:
    """End a token; False when it is revoked already."""
    if token.revoked_at is not None:
        return False
    sequence = record(transaction, people_actions.TOKEN_REVOKED, token, user, by=by, at=at)
    row = transaction.row(_QUERY.where(access_tokens.c.id == token.id))
    values = dict(zip(_VOUCHED, row or (), strict=False)) | {"revoked_at": float(at), "sequence": sequence}
    code = transaction.voucher.code(_KIND, *values.values())
    transaction.execute(
        sqlalchemy.update(access_tokens)
        .where(access_tokens.c.id == token.id)
        .values(revoked_at=float(at), sequence=sequence, code=code)
    )
    return True


def mark_used(transaction: Transaction, token: Token, *, at: float) -> None:
    """Note that a token was used."""
    transaction.execute(
        sqlalchemy.update(access_tokens).where(access_tokens.c.id == token.id).values(used_at=float(at))
    )


def record(
    transaction: Transaction,
    action: Action,
    token: Token,
    user: User,
    *,
    by: str,
    at: float,
    reason: str = "",
) -> int:
    """An audit entry about a token."""
    details: dict[str, object] = {
        "TokenName": token.name,
        "TokenId": token.id,
        "Prefix": token.prefix,
        "UserName": user.name,
        "Scopes": list(token.scopes),
    }
    if reason:
        details["Reason"] = reason
    return audit.append(transaction, audit.Event(action=action, actor=by, at=at, resource_id=token.id, details=details))


def broken(transaction: Transaction) -> Iterator[str]:
    """The tokens that Sluice did not store as they stand."""
    for row in transaction.rows(_QUERY.order_by(access_tokens.c.created_at)):
        if not _is_whole(transaction, row):
            yield f"the access token {row.name} ({row.prefix}...) was written or edited by hand"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for every token that is stored: when the key is made."""
    for row in transaction.rows(_QUERY):
        code = transaction.voucher.code(_KIND, *row[: len(_VOUCHED)])
        transaction.execute(sqlalchemy.update(access_tokens).where(access_tokens.c.id == row.id).values(code=code))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _token(transaction: Transaction, row: Any) -> Token:
    same = ("id", "user_id", "name", "prefix", "created_at", "expires_at", "revoked_at", "used_at")
    return Token(
        **{name: getattr(row, name) for name in same},
        scopes=tuple(str(row.scopes).split()),
        whole=_is_whole(transaction, row),
    )


def _is_whole(transaction: Transaction, row: Any) -> bool:
    if not transaction.voucher.vouches(row.code, _KIND, *row[: len(_VOUCHED)]):
        return False
    return bool(row.sequence == witnesses.newest(transaction, _ACTIONS, row.id))


def _columns(transaction: Transaction, token: Token, digest: str, sequence: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": token.id,
        "user_id": token.user_id,
        "name": token.name,
        "prefix": token.prefix,
        "hash": digest,
        "scopes": " ".join(token.scopes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "sequence": sequence,
    }
    return {**values, "code": transaction.voucher.code(_KIND, *values.values())}
