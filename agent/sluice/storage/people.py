"""Users of this installation. The local administrator is one without a row: whoever owns the state folder."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, select

from sluice.errors import ConflictError, NotFoundError, SealError, UsageError
from sluice.rights import OWNER_ID
from sluice.storage import audit, people_actions, witnesses
from sluice.storage.accounts import owner_of
from sluice.storage.action import Action
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, hidden_characters, is_guid, name_key
from sluice.storage.tables_people import access_tokens, users
from sluice.values import dataclass

MAX_NAME = 256

_KIND = "user"
_ACTIONS = (people_actions.USER_CREATED, people_actions.USER_CHANGED, people_actions.USER_DELETED)
_NAMES = ("id", "name", "name_key", "display_name", "disabled", "created_by", "created_at", "sequence")
_QUERY = select(*(users.c[name] for name in _NAMES), users.c.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person. `local` is true for the local administrator."""

    id: str
    name: str
    display_name: str = ""
    disabled: bool = False
    created_by: str = ""
    created_at: float | None = None
    local: bool = False


def owner(transaction: Transaction) -> User:
    """The local administrator, by the name of the account that owns the state folder."""
    return User(id=OWNER_ID, name=owner_of(transaction.home), local=True)


def find(transaction: Transaction, name: str) -> User | None:
    """The user of that name (ignoring case) or id; raises `SealError` for one that Sluice did not store."""
    local = owner(transaction)
    wanted = name.strip().lower()
    if wanted == OWNER_ID or name_key(name) == name_key(local.name):
        return local
    return _one(transaction, users.c.id == wanted if is_guid(name) else users.c.name_key == name_key(name))


def get(transaction: Transaction, name: str) -> User:
    """As `find`; raises `NotFoundError`."""
    if found := find(transaction, name):
        return found
    raise NotFoundError(f"there is no user '{clean_name(name)}'", do="see 'sluice user list'")


def listed(transaction: Transaction) -> tuple[User, ...]:
    """All users, the local administrator first."""
    rows = transaction.rows(_QUERY.order_by(users.c.name_key))
    return (owner(transaction), *(_user(transaction, row) for row in rows))


def create(transaction: Transaction, name: str, *, by: str, at: float, display_name: str = "") -> User:
    """Make a user; raises `ConflictError` when the name is taken, `UsageError` for one that cannot be."""
    cleaned = clean_name(name)
    if not cleaned or len(cleaned) > MAX_NAME or hidden_characters(cleaned) or is_guid(cleaned) or cleaned[0] == "[":
        raise UsageError(f"'{cleaned[:80]}' is no name for a user", do="use an account name or an e-mail address")
    if find(transaction, cleaned) is not None:
        raise ConflictError(f"the user '{cleaned}' exists already", do="see 'sluice user list'")
    user = User(
        id=str(uuid.uuid4()),
        name=cleaned,
        display_name=clean_name(display_name)[:MAX_NAME],
        created_by=by,
        created_at=float(at),
    )
    sequence = _record(transaction, people_actions.USER_CREATED, user, by=by, at=at)
    transaction.execute(sqlalchemy.insert(users).values(**_columns(transaction, user, sequence)))
    return user


def set_disabled(transaction: Transaction, user: User, disabled: bool, *, by: str, at: float) -> User:
    """Let a user do nothing any more, or everything again; raises `ConflictError` for the local administrator."""
    _refuse_owner(user)
    after = replace(user, disabled=disabled)
    change = "disabled" if disabled else "enabled"
    sequence = _record(transaction, people_actions.USER_CHANGED, after, by=by, at=at, change=change)
    values = _columns(transaction, after, sequence)
    transaction.execute(sqlalchemy.update(users).where(users.c.id == user.id).values(**values))
    return after


def delete(transaction: Transaction, user: User, *, by: str, at: float) -> None:
    """Delete a user and its tokens; what the audit log says of it stays."""
    _refuse_owner(user)
    transaction.execute(sqlalchemy.delete(access_tokens).where(access_tokens.c.user_id == user.id))
    transaction.execute(sqlalchemy.delete(users).where(users.c.id == user.id))
    _record(transaction, people_actions.USER_DELETED, user, by=by, at=at)


def broken(transaction: Transaction) -> Iterator[str]:
    """The users that Sluice did not store as they stand."""
    for row in transaction.rows(_QUERY.order_by(users.c.name_key)):
        if not _is_whole(transaction, row):
            yield f"the user {row.name} was written or edited by hand"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for every user that is stored: when the key is made."""
    for row in transaction.rows(_QUERY):
        code = transaction.voucher.code(_KIND, *_parts(row))
        transaction.execute(sqlalchemy.update(users).where(users.c.id == row.id).values(code=code))


def _refuse_owner(user: User) -> None:
    if user.local:
        raise ConflictError(
            f"'{user.name}' is the local administrator: the last administrator cannot be removed",
            why="the account that owns the state folder has the keys and the database anyway",
        )


def _one(transaction: Transaction, criterion: ColumnElement[bool]) -> User | None:
    row = transaction.row(_QUERY.where(criterion))
    return None if row is None else _user(transaction, row)


def _user(transaction: Transaction, row: Any) -> User:
    if not _is_whole(transaction, row):
        raise SealError(
            f"the user '{row.name}' is not as it was stored",
            why="the record was changed outside of Sluice",
            do="see 'sluice audit verify'",
        )
    fields = ("id", "name", "display_name", "created_by", "created_at")
    return User(**{name: getattr(row, name) for name in fields}, disabled=bool(row.disabled))


def _is_whole(transaction: Transaction, row: Any) -> bool:
    if not transaction.voucher.vouches(row.code, _KIND, *_parts(row)):
        return False
    return bool(row.sequence == witnesses.newest(transaction, _ACTIONS, row.id))


def _parts(row: Any) -> tuple[object, ...]:
    return tuple(bool(value) if name == "disabled" else value for name, value in zip(_NAMES, row, strict=False))


def _columns(transaction: Transaction, user: User, sequence: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": user.id,
        "name": user.name,
        "name_key": name_key(user.name),
        "display_name": user.display_name,
        "disabled": user.disabled,
        "created_by": user.created_by,
        "created_at": user.created_at,
        "sequence": sequence,
    }
    return {**values, "code": transaction.voucher.code(_KIND, *values.values())}


def _record(transaction: Transaction, action: Action, user: User, *, by: str, at: float, change: str = "") -> int:
    details = {"UserName": user.name, "UserId": user.id, **({"Change": change} if change else {})}
    return audit.append(transaction, audit.Event(action=action, actor=by, at=at, resource_id=user.id, details=details))
