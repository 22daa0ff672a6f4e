"""Opens the database and hands out transactions: SQLite in the state folder, or another one by URL."""

from __future__ import annotations

import functools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event, exc

from sluice.errors import StorageError
from sluice.storage.ancestors import RefusedToStepError
from sluice.storage.chain import Head
from sluice.storage.home import Home
from sluice.storage.prepared import Prepared, Values
from sluice.storage.refusals import RefusedError
from sluice.storage.schema import check_revision
from sluice.storage.sqlite_connections import SqliteConnections
from sluice.storage.vouching import Voucher

BUSY_SECONDS = 30.0
"""How long a transaction waits for another process that writes."""

WRITER_LOCK = 0x51_1C_E1
"""The number of the lock that writers take in PostgreSQL; ours alone by convention."""

_WRITE_OPTION = "sluice_write"
_UNSYNCED_OPTION = "sluice_unsynced"

Row = sqlalchemy.Row[*tuple[Any, ...]]
"""A row of a query whose columns are not known to the type checker."""

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Transaction:
    """One transaction: every read sees the same state, and all writes happen or none."""

    __slots__ = ("_after", "_connection", "_driver", "head", "home", "synced", "voucher", "writes")

    def __init__(
        self,
        connection: sqlalchemy.Connection,
        home: Home | None = None,
        voucher: Voucher | None = None,
        *,
        writes: bool = False,
        synced: bool = True,
    ) -> None:
        self.home = home
        self.voucher = voucher or Voucher(None)
        self.writes = writes
        self.synced = synced
        self.head: Head | None = None
        """The end of the audit log, once this transaction has checked it: nobody else can write before this one ends."""
        self._connection = connection
        driver = connection.connection.driver_connection
        self._driver = driver if isinstance(driver, sqlite3.Connection) else None
        self._after: dict[str, Callable[[], None]] = {}

    def execute(
        self, statement: sqlalchemy.Executable, parameters: Parameters = None
    ) -> sqlalchemy.CursorResult[*tuple[Any, ...]]:
        """Run a statement; a sequence of parameters runs it once for each."""
        return self._connection.execute(statement, parameters)

    def insert(self, statement: sqlalchemy.Insert, parameters: Mapping[str, Any] | None = None) -> int:
        """Insert one row and answer the number that it was given."""
        key = self._connection.execute(statement, parameters).inserted_primary_key
        return int(key[0]) if key else 0

    def insert_many(self, table: sqlalchemy.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that all have the same columns, no default left to be filled in.

        The driver takes the values as they are: for many rows that is several times as quick as `execute`.
        """
        if rows:
            statement, order = _insertion(table, tuple(rows[0]), self._connection.dialect)
            values = rows if order is None else [tuple(row[name] for name in order) for row in rows]
            self._connection.exec_driver_sql(statement, values)

    def rows(self, statement: sqlalchemy.Executable, parameters: Parameters = None) -> Sequence[Row]:
        """All rows of a query."""
        return self._connection.execute(statement, parameters).all()

    def row(self, statement: sqlalchemy.Executable, parameters: Parameters = None) -> Row | None:
        """The first row of a query, or None."""
        return self._connection.execute(statement, parameters).first()

    def value(self, statement: sqlalchemy.Executable, parameters: Parameters = None) -> Any:
        """The first column of the first row, or None."""
        return self._connection.execute(statement, parameters).scalar()

    def fetch(self, prepared: Prepared, values: Values | None = None) -> list[tuple[Any, ...]]:
        """All rows of a prepared query."""
        if self._driver is None:
            return [tuple(row) for row in self._connection.execute(prepared.statement, values)]
        text = prepared.text_for(self._connection.dialect)
        rows = self._driver.execute(text.sql, text.arguments(values or {})).fetchall()
        return rows if text.decode is None else list(map(text.decode, rows))

    def run(self, prepared: Prepared, *values: Values) -> int:
        """Run a prepared change, once for each mapping of parameters; answers how many rows that changed."""
        if self._driver is None:
            return sum(self._connection.execute(prepared.statement, one).rowcount for one in values)
        text = prepared.text_for(self._connection.dialect)
        if len(values) == 1:
            return self._driver.execute(text.sql, text.arguments(values[0])).rowcount
        return self._driver.executemany(text.sql, map(text.arguments, values)).rowcount

    def after_commit(self, name: str, action: Callable[[], None]) -> None:
        """Call `action` once the transaction is stored; a later one of the same name takes its place."""
        self._after[name] = action

    def abandon(self) -> None:
        """Take everything back; it is the last thing done with the transaction."""
        self._after.clear()
        if transaction := self._connection.get_transaction():
            transaction.rollback()
        elif self._driver is not None:
            self._driver.rollback()

    def committed(self) -> None:
        """Called by the database when the transaction is stored."""
        for action in self._after.values():
            action()


@functools.lru_cache(maxsize=64)
def _insertion(
    table: sqlalchemy.Table, names: tuple[str, ...], dialect: sqlalchemy.Dialect
) -> tuple[str, tuple[str, ...] | None]:
    """The text of an insertion, and the order of its values where they have no names."""
    compiled = sqlalchemy.insert(table).compile(dialect=dialect, column_keys=list(names))
    order = tuple(compiled.positiontup or ()) if dialect.positional else None
    return str(compiled), order


class Changes:
    """Tells whether somebody else has written since it was last asked; cheap enough to ask ten times a second."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection
        self._seen = self._version()

    @property
    def told(self) -> bool:
        """Whether the database can tell at all."""
        return self._connection is not None

    def happened(self) -> bool:
        """Whether another process (or another connection of this one) has written since the last call.

        Where the database cannot tell, the answer is always yes.
        """
        if self._connection is None:
            return True
        before, self._seen = self._seen, self._version()
        return before != self._seen

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _version(self) -> int:
        if self._connection is None:
            return 0
        with explained("the database"):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)


class Database:
    """The database of one installation. Safe to use from several threads."""

    def __init__(self, engine: sqlalchemy.Engine, place: str, home: Home | None = None) -> None:
        self.place = place
        self.home = home
        self.voucher = Voucher(home.audit_key if home else None)
        self._engine = engine
        self._writing_engine = engine.execution_options(**{_WRITE_OPTION: True})
        self._unsynced_engine = engine.execution_options(**{_WRITE_OPTION: True, _UNSYNCED_OPTION: True})
        self._sqlite = SqliteConnections(engine) if engine.dialect.name == "sqlite" else None
        self._writer = threading.RLock()
        self._writing = False

    @classmethod
    def open(cls, place: Home | str) -> Database:
        """Open the database of a state folder, or the one of a URL, and bring its schema up to date.

        Raises `NewerDatabaseError` when a newer version of Sluice made it, `StorageError` when it cannot be used,
        `SealError` when the keys beside it are open to others.
        """
        home = place if isinstance(place, Home) else None
        url = home.url if home else str(place)
        if home:
            home.create().refuse_open_keys()
        if home and not url:
            _private_file(home.database)
            target = sqlalchemy.URL.create("sqlite", database=str(home.database))
        else:
            target = _parsed(url)
        shown = target.database or "" if target.get_backend_name() == "sqlite" else target.render_as_string()
        database = cls(_engine(target), shown, home)
        try:
            with explained(shown):
                check_revision(database._engine, shown)
            if database.voucher.missing:
                from sluice.storage.adoption import prepare

                prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that only reads. It never waits for a writer, and no writer waits for it."""
        lent = self._sqlite.reading() if self._sqlite else self._engine.connect()
        with explained(self.place), lent as connection:
            yield Transaction(connection, self.home, self.voucher)

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Transaction]:
        """A transaction that reads and writes: one at a time, stored for good when the block ends without an error.

        Not `synced`, it outlives the end of this process, but a failure of the machine may take it back, unless a later
        one was synced. That is for how far a running job is, which comes often, and never for what people decide:
        nothing is audited in it.
        """
        try:
            with self._writer:
                if self._writing:
                    raise RuntimeError("this thread has a write transaction open already: hand it on instead")
                self._writing = True
                try:
                    with explained(self.place), self._written(synced=synced) as connection:
                        transaction = Transaction(connection, self.home, self.voucher, writes=True, synced=synced)
                        yield transaction
                finally:
                    self._writing = False
        except (RefusedToStepError, RefusedError) as refused:
            from sluice.storage.audit import record_refusal  # it needs this module

            with self.write() as told:  # what was tried is taken back, that it was tried is kept
                record_refusal(told, refused)
            raise
        transaction.committed()

    def _written(self, *, synced: bool) -> AbstractContextManager[sqlalchemy.Connection]:
        if self._sqlite:
            return self._sqlite.writing(synced=synced)
        return (self._writing_engine if synced else self._unsynced_engine).begin()

    def changes(self) -> Changes:
        """A detector of other writers' changes; use it from one thread and close it."""
        if self._engine.dialect.name != "sqlite":
            return Changes(None)
        with explained(self.place):
            fairy = self._engine.raw_connection()
            connection = fairy.driver_connection
            fairy.detach()
        return Changes(connection if isinstance(connection, sqlite3.Connection) else None)

    def close(self) -> None:
        """Close every connection; transactions that are open must have ended."""
        if self._sqlite:
            self._sqlite.close()
        self._engine.dispose()


def _parsed(url: str) -> sqlalchemy.URL:
    try:
        return sqlalchemy.make_url(url)
    except exc.ArgumentError:
        raise StorageError(
            "the database URL cannot be read",
            do="write it as postgresql+psycopg://user@host/database",
        ) from None  # the URL may hold a password


def _engine(url: sqlalchemy.URL) -> sqlalchemy.Engine:
    sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = sqlalchemy.create_engine(
            url,
            hide_parameters=True,
            connect_args={"timeout": BUSY_SECONDS} if sqlite else {},
        )
    except (ImportError, exc.NoSuchModuleError) as error:
        raise StorageError(
            f"the database driver of '{url.drivername}' is not installed",
            why=str(error),
            do="install it beside Sluice, such as psycopg for postgresql+psycopg://",
        ) from error
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    elif url.get_backend_name() == "postgresql":
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: Python's would be deferred even for writers
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_postgresql(connection: sqlalchemy.Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_WRITE_OPTION):
        if options.get(_UNSYNCED_OPTION):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        # one writer at a time, as with SQLite: the audit log is a chain, and decisions read what they rely on
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _private_file(path: Path) -> None:
    # SQLite would make the file readable for everybody; its journals take over the mode of this one
    with explained(str(path)):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


_REASONS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "make room and try again: nothing that was stored is lost"),
    sqlite3.SQLITE_READONLY: ("it cannot be written to", "check the permissions of the file and of its folder"),
    sqlite3.SQLITE_PERM: ("permission denied", "check the permissions of the file and of its folder"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check the permissions of the file and of its folder"),
    sqlite3.SQLITE_BUSY: ("another process keeps it locked", "try again when that process is done"),
    sqlite3.SQLITE_LOCKED: ("another process keeps it locked", "try again when that process is done"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "is the disk full, over its quota, or failing?"),
    sqlite3.SQLITE_CORRUPT: ("its content is damaged", "restore it from a backup; the damaged file is left as it is"),
    sqlite3.SQLITE_NOTADB: ("it is no database", "restore it from a backup, or move the file away to start anew"),
}


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn what a database or the file system reports into one sentence; mistakes of ours keep their traceback."""
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError):
        raise
    except exc.DBAPIError as error:
        raise _storage_error(place, error.orig or error) from error
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        raise _storage_error(place, error) from error
    except OSError as error:
        if error.filename is None or os.fspath(error.filename) != place:
            raise
        raise StorageError(f"the database '{place}' cannot be used", why=error.strerror or str(error)) from error


def _storage_error(place: str, error: BaseException) -> StorageError:
    code = getattr(error, "sqlite_errorcode", None)
    why, do = _REASONS.get((code or 0) & 0xFF, (" ".join(str(error).split()), ""))
    return StorageError(f"the database '{place}' cannot be used", why=why, do=do)
