"""The installation that a command works on: its database, its connections, and who is asking.

Without a token that is the account that owns the state folder, the local administrator. With `SLUICE_TOKEN`, or
`--token-file`, it is whom the access token speaks for, within the token's scopes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.connections.store import ConnectionStore
    from sluice.library.secure_files import SecureFileStore
    from sluice.library.store import VariableGroupStore
    from sluice.rights import Actor
    from sluice.secret import Secret
    from sluice.storage.engine import Database
    from sluice.storage.home import Home

_MAX_TOKEN = 4096


TOKEN_VARIABLE = "SLUICE_TOKEN"  # noqa: S105  # the name of a variable
TOKEN_FILE_VARIABLE = "SLUICE_TOKEN_FILE"  # noqa: S105  # as above

_signed_in: dict[Database, Actor] = {}


def given_token() -> Secret | None:
    """The access token that the command is to act with; None when it acts as the account that runs it."""
    from sluice.secret import Secret

    if file := os.environ.get(TOKEN_FILE_VARIABLE):
        return Secret(_read_token(Path(file)))
    text = os.environ.get(TOKEN_VARIABLE)
    if text is not None and not text.strip():  # a secret that a script did not get: it must not act as the owner
        raise UsageError(
            f"{TOKEN_VARIABLE} is set, and holds no access token",
            do="unset it to act as the account that runs the command",
        )
    return Secret(text) if text else None


def _read_token(file: Path) -> str:
    try:
        with file.expanduser().open(encoding="utf-8") as opened:
            text = opened.read(_MAX_TOKEN).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"the file of the access token '{file}' cannot be read", why=why or "") from error
    if not text:
        raise UsageError(f"the file of the access token '{file}' is empty")
    return text


def current_user() -> str:
    """The name of the person who acts: the owner of the token that is used, else the account that runs this process."""
    if _signed_in:
        return next(reversed(_signed_in.values())).name
    from sluice.storage.accounts import current_account

    return current_account()


def actor_of(database: Database) -> Actor:
    """Who acts on a database that is open."""
    return _signed_in[database]


def guard_of(database: Database) -> Guard:
    """What decides what the person who acts may do."""
    from sluice.identity.actors import guard_for

    return guard_for(actor_of(database))


def _sign_in(database: Database) -> Actor:
    from sluice.identity import actors

    token = given_token()
    return actors.local(database) if token is None else actors.by_token(database, token, at=time.time())


@contextmanager
def opened_database() -> Iterator[Database]:
    """The database of this installation, closed at the end."""
    from sluice.storage.engine import Database
    from sluice.storage.home import Home

    home = Home.find()
    database = Database.open(home)
    _warn_of_exposed(home)
    try:
        _signed_in[database] = _sign_in(database)
        yield database
    finally:
        _signed_in.pop(database, None)
        database.close()


@cache
def _warn_of_exposed(home: Home) -> None:
    """Say once which of the data others may read or change: no secret is in it in the clear, much else is."""
    import click

    for path in home.exposed():
        kind = "700" if path.is_dir() else "600"
        click.echo(f"sluice: warning: others may use '{path}': close it with 'chmod {kind} {path}'", err=True)


@contextmanager
def opened_store() -> Iterator[ConnectionStore]:
    """The service connections of this installation; the database is closed at the end."""
    from sluice.connections.store import ConnectionStore

    with opened_database() as database:
        yield ConnectionStore.installed(database, guard_of(database))


@contextmanager
def opened_files() -> Iterator[SecureFileStore]:
    """The secure files of this installation; the database is closed at the end."""
    from sluice.library.secure_files import SecureFileStore

    with opened_store() as store:
        yield SecureFileStore(store.database, store.sealer, guard=store.guard)


@contextmanager
def opened_groups() -> Iterator[VariableGroupStore]:
    """The variable groups of this installation; the database is closed at the end."""
    from sluice.library.store import VariableGroupStore

    with opened_store() as store:
        yield VariableGroupStore(store.database, store.sealer, guard=store.guard)
