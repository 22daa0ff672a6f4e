"""Browser sessions and one-time links. Of both only a hash is kept: the database opens nothing for who reads it.

A row that somebody writes into the database by hand has no code that vouches for it, and lets nobody in.
"""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.secret import Secret
from sluice.storage import audit, people_actions
from sluice.storage.engine import Transaction
from sluice.storage.people import User
from sluice.storage.tables_server import sessions, sign_in_links
from sluice.values import dataclass

SECRET_BYTES = 32

_SESSION = "session"
_LINK = "sign-in link"
_BY_ID = select(*sessions.c).where(sessions.c.id == bindparam("id"))
_LINK_BY_ID = select(*sign_in_links.c).where(sign_in_links.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A person who is signed in with a browser. `token_id` is the access token that it was done with, '' for a link."""

    id: str
    user_id: str
    token_id: str
    created_at: float
    expires_at: float


def begin(
    transaction: Transaction, user: User, *, token_id: str, method: str, at: float, expires_at: float
) -> tuple[Session, Secret]:
    """Sign a person in; answers the session, and what the browser is to hold."""
    text = secrets.token_urlsafe(SECRET_BYTES)
    session = Session(
        id=_hash(text), user_id=user.id, token_id=token_id, created_at=float(at), expires_at=float(expires_at)
    )
    values = (session.id, session.user_id, session.token_id, session.created_at, session.expires_at)
    row = dict(zip(Session.__slots__, values, strict=True))
    code = transaction.voucher.code(_SESSION, *values)
    transaction.execute(sqlalchemy.delete(sessions).where(sessions.c.expires_at <= at))
    transaction.execute(sqlalchemy.insert(sessions).values(**row, code=code))
    _record(transaction, user, at=at, method=method)
    return session, Secret(text)


def find(transaction: Transaction, text: str, *, at: float) -> Session | None:
    """The session that a browser shows; None when there is none, or not any more."""
    row = transaction.row(_BY_ID, {"id": _hash(text)})
    if row is None or row.expires_at <= at or not transaction.voucher.vouches(row.code, _SESSION, *row[:-1]):
        return None
    return Session(**dict(zip(Session.__slots__, row[:-1], strict=True)))


def end(transaction: Transaction, session: Session, user: User, *, at: float) -> None:
    """Sign a person out."""
    transaction.execute(sqlalchemy.delete(sessions).where(sessions.c.id == session.id))
    _record(transaction, user, at=at)


def make_link(transaction: Transaction, user: User, *, at: float, expires_at: float) -> Secret:
    """What stands in a link that signs a person in once."""
    text = secrets.token_urlsafe(SECRET_BYTES)
    values = (_hash(text), user.id, float(expires_at))
    transaction.execute(sqlalchemy.delete(sign_in_links).where(sign_in_links.c.expires_at <= at))
    transaction.execute(
        sqlalchemy.insert(sign_in_links).values(
            **dict(zip(("id", "user_id", "expires_at"), values, strict=True)),
            code=transaction.voucher.code(_LINK, *values),
        )
    )
    return Secret(text)


def use_link(transaction: Transaction, text: str, *, at: float) -> str | None:
    """The id of whom a link signs in, which it does no more after this; None for a link that does not."""
    row = transaction.row(_LINK_BY_ID, {"id": _hash(text)})
    if row is None:
        return None
    transaction.execute(sqlalchemy.delete(sign_in_links).where(sign_in_links.c.id == row.id))
    if row.expires_at <= at or not transaction.voucher.vouches(row.code, _LINK, *row[:-1]):
        return None
    return str(row.user_id)


def _record(transaction: Transaction, user: User, *, at: float, method: str = "") -> None:
    action = people_actions.SIGNED_IN if method else people_actions.SIGNED_OUT
    details: dict[str, object] = {"UserName": user.name, **({"Method": method} if method else {})}
    audit.append(transaction, audit.Event(action=action, actor=user.name, at=at, resource_id=user.id, details=details))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
