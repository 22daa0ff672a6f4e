"""The installation that a command works on: its database, its connections, and who is asking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.connections.store import ConnectionStore
    from sluice.library.store import VariableGroupStore
    from sluice.storage.engine import Database
    from sluice.storage.home import Home


def current_user() -> str:
    """The name of the account that runs this process, as the system has it (no variable can claim another)."""
    if os.name == "posix":
        import pwd

        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return f"uid {os.geteuid()}"
    import getpass

    return getpass.getuser()


@contextmanager
def opened_database() -> Iterator[Database]:
    """The database of this installation, closed at the end."""
    from sluice.storage.engine import Database
    from sluice.storage.home import Home

    home = Home.find()
    database = Database.open(home)
    _warn_of_exposed(home)
    try:
        yield database
    finally:
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
        yield ConnectionStore.installed(database)


@contextmanager
def opened_groups() -> Iterator[VariableGroupStore]:
    """The variable groups of this installation; the database is closed at the end."""
    from sluice.library.store import VariableGroupStore

    with opened_store() as store:
        yield VariableGroupStore(store.database, store.sealer)
