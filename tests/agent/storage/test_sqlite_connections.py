"""Connections to SQLite that stay open between transactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text

from sluice.storage.sqlite_connections import SqliteConnections, driver_of

COUNT = "SELECT COUNT(*) FROM t"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'database'}")

    @sqlalchemy.event.listens_for(engine, "connect")
    def prepare(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    yield engine
    engine.dispose()


@pytest.fixture
def connections(engine: sqlalchemy.Engine) -> Iterator[SqliteConnections]:
    connections = SqliteConnections(engine)
    with connections.writing(synced=True) as connection:
        driver_of(connection).execute("CREATE TABLE t (n)")
    yield connections
    connections.close()


def count(connections: SqliteConnections) -> int:
    with connections.reading() as connection:
        return int(driver_of(connection).execute(COUNT).fetchone()[0])


def test_what_the_driver_and_sqlalchemy_write_is_stored_together(connections: SqliteConnections) -> None:
    with connections.writing(synced=True) as connection:
        driver_of(connection).execute("INSERT INTO t VALUES (1)")
        connection.execute(text("INSERT INTO t VALUES (2)"))
        driver_of(connection).execute("INSERT INTO t VALUES (3)")
        assert count(connections) == 0
    assert count(connections) == 3


@pytest.mark.parametrize("through_sqlalchemy", [False, True])
def test_an_error_takes_everything_back(connections: SqliteConnections, through_sqlalchemy: bool) -> None:
    def fail() -> None:
        with connections.writing(synced=False) as connection:
            driver_of(connection).execute("INSERT INTO t VALUES (1)")
            if through_sqlalchemy:
                connection.execute(text("INSERT INTO t VALUES (2)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert count(connections) == 0
    with connections.writing(synced=False) as connection:
        driver_of(connection).execute("INSERT INTO t VALUES (1)")
    assert count(connections) == 1


def test_nothing_is_written_while_reading(connections: SqliteConnections) -> None:
    with connections.reading() as connection:
        driver_of(connection).execute("INSERT INTO t VALUES (1)")
    with connections.reading() as connection:
        connection.execute(text("INSERT INTO t VALUES (2)"))
    assert count(connections) == 0


def test_a_connection_is_used_again_and_waits_for_the_disk_only_when_it_is_to(connections: SqliteConnections) -> None:
    seen = []
    for synced in (True, False, False, True):
        with connections.writing(synced=synced) as connection:
            driver = driver_of(connection)
            seen.append((id(driver), driver.execute("PRAGMA synchronous").fetchone()[0]))
    assert [one for _, one in seen] == [2, 1, 1, 2]
    assert len({driver for driver, _ in seen}) == 1


def test_each_of_several_transactions_has_its_own(connections: SqliteConnections) -> None:
    with connections.writing(synced=True) as one, connections.reading() as two, connections.reading() as three:
        assert len({id(driver_of(connection)) for connection in (one, two, three)}) == 3
