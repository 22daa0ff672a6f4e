"""Keeps the schema of a database at the revision that this version of Sluice works with."""

from __future__ import annotations

import sqlite3
import time
import uuid
from pathlib import Path

import sqlalchemy
from sqlalchemy import exc

from sluice.errors import NewerDatabaseError, StorageError
from sluice.storage.revisions import NEWEST, REVISIONS

_REVISION = sqlalchemy.text("SELECT version_num FROM alembic_version")
_LOCK_NUMBER = 0x51_1C_E0
_WAL_SECONDS = 30.0


def check_revision(engine: sqlalchemy.Engine, place: str) -> None:
    """Make the schema when the database is empty, migrate it when it is older, refuse it when it is newer."""
    with engine.connect() as connection:
        revision = _stored_revision(connection)
    if revision == NEWEST:
        return
    if revision is not None and revision not in REVISIONS:
        raise _newer(revision, place)
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    _upgrade(engine, place)


def _stored_revision(connection: sqlalchemy.Connection) -> str | None:
    try:
        return connection.execute(_REVISION).scalar()
    except (exc.OperationalError, exc.ProgrammingError) as error:
        # SQLite says a missing table in words only; SQLITE_ERROR is its code for every mistake in a statement
        if connection.dialect.name == "sqlite" and getattr(error.orig, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
            raise
        connection.rollback()
        return None


def _upgrade(engine: sqlalchemy.Engine, place: str) -> None:
    """Bring the schema to the newest revision, in one transaction that only one process holds at a time."""
    with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            # a migration may have to rebuild a table; its references are checked at the end instead
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        try:
            writer = connection.execution_options(sluice_write=True)
            with writer.begin():
                if sqlite:
                    writer.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    writer.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK_NUMBER})
                _upgrade_locked(writer, place)
        finally:
            if sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys = ON")


def _upgrade_locked(connection: sqlalchemy.Connection, place: str) -> None:
    tables = set(sqlalchemy.inspect(connection).get_table_names())
    if not tables:
        _create(connection)
    elif "alembic_version" not in tables:
        raise StorageError(f"the database '{place}' cannot be used", why="it holds tables, but none of Sluice's")
    else:
        revision = connection.execute(_REVISION).scalar()
        if revision is None:
            raise StorageError(f"the database '{place}' cannot be used", why="it does not say which schema it has")
        if revision not in REVISIONS:
            raise _newer(revision, place)
        if revision != NEWEST:
            migrate(connection)
    _ensure_default_project(connection)
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StorageError(f"the database '{place}' cannot be upgraded", why="its content contradicts itself")


def _create(connection: sqlalchemy.Connection) -> None:
    # the same schema as the migrations make (a test compares them), without the cost of importing Alembic
    from sluice.storage.tables import projects

    projects.metadata.create_all(connection)
    connection.execute(
        sqlalchemy.text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(sqlalchemy.text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": NEWEST})


def _ensure_default_project(connection: sqlalchemy.Connection) -> None:
    from sluice.storage.tables import projects

    if connection.execute(sqlalchemy.select(projects.c.id).limit(1)).first() is None:
        row = {"guid": str(uuid.uuid4()), "name": "default", "name_key": "default"}
        connection.execute(sqlalchemy.insert(projects), row)


def migrate(connection: sqlalchemy.Connection, revision: str = NEWEST) -> None:
    """Run the migrations that are missing up to a revision, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _use_wal(engine: sqlalchemy.Engine) -> None:
    """Choose the write-ahead log, which the file remembers; the change needs a moment when nobody else reads."""
    deadline = time.monotonic() + _WAL_SECONDS
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
    finally:
        connection.close()


def _newer(revision: str, place: str) -> NewerDatabaseError:
    return NewerDatabaseError(
        f"the database '{place}' was written by a newer version of Sluice",
        why=f"its schema is at revision {revision}, this version knows revisions up to {NEWEST}",
        do="upgrade Sluice; the database was left as it is",
    )
