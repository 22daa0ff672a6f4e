"""Connections to SQLite that stay open between transactions, which are begun and ended on the driver.

SQLAlchemy's own way, through its pool and its transactions, takes longer than most of what is done in between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy

_SYNCED = "sluice_synced"


class SqliteConnections:
    """As many connections as there are transactions at a time. For use from any thread."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._engine = engine
        self._idle: list[sqlalchemy.Connection] = []

    @contextmanager
    def reading(self) -> Iterator[sqlalchemy.Connection]:
        """A connection with a transaction that sees one state."""
        connection = self._taken()
        with self._given_back(connection):
            driver_of(connection).execute("BEGIN")
            yield connection
            connection.rollback()
            driver_of(connection).rollback()

    @contextmanager
    def writing(self, *, synced: bool) -> Iterator[sqlalchemy.Connection]:
        """A connection with a transaction that nobody else writes beside, waited for on the disk when it is `synced`."""
        connection = self._taken()
        with self._given_back(connection):
            driver = driver_of(connection)
            if connection.info.get(_SYNCED, True) is not synced:  # it was used in the other way before
                driver.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                connection.info[_SYNCED] = synced
            driver.execute("BEGIN IMMEDIATE")
            yield connection

    def close(self) -> None:
        """Close those that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> sqlalchemy.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.connect()

    @contextmanager
    def _given_back(self, connection: sqlalchemy.Connection) -> Iterator[None]:
        """What was written is stored when the block ends without an error; else all of it is taken back."""
        try:
            yield
            if connection.in_transaction():  # some of it was done through SQLAlchemy, which has begun one of its own
                connection.commit()
            else:
                driver_of(connection).commit()
        except BaseException:
            connection.close()  # rolls back, whatever state it is in
            raise
        self._idle.append(connection)


def driver_of(connection: sqlalchemy.Connection) -> sqlite3.Connection:
    """The driver's own connection to SQLite."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  # tells mypy; nothing else is in here
    return driver
