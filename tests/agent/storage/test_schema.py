"""The schema's revisions: made in one go, migrated, refused."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sluice.errors import NewerDatabaseError, StorageError
from sluice.storage import revisions, schema
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.tables import projects


def _schema_of(file: Path) -> dict[str, list[str]]:
    """The words of each table's and index's SQL, sorted: constraints have no order."""
    connection = sqlite3.connect(file)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: sorted(re.findall(r"\w+", sql)) for name, sql in rows}


def _migrated(file: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        schema.migrate(connection)
    engine.dispose()


def test_a_new_database_has_the_very_schema_that_the_migrations_make(home: Home, tmp_path: Path) -> None:
    Database.open(home).close()
    _migrated(tmp_path / "migrated.db")
    assert _schema_of(home.database) == _schema_of(tmp_path / "migrated.db")


def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    _migrated(tmp_path / "migrated.db")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, projects.metadata) == []
        assert (
            connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar() == revisions.NEWEST
        )
    engine.dispose()


def test_the_known_revisions_are_those_of_the_migrations_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [revisions.NEWEST]
    assert tuple(one.revision for one in reversed(list(script.walk_revisions()))) == revisions.REVISIONS


def test_a_database_of_each_older_revision_is_upgraded_with_all_that_is_in_it(home: Home, tmp_path: Path) -> None:
    for revision in revisions.REVISIONS[:-1]:
        older = Home(tmp_path / revision)
        older.create()
        engine = sqlalchemy.create_engine(f"sqlite:///{older.database}")
        with engine.begin() as connection:
            schema.migrate(connection, revision)
            connection.execute(sqlalchemy.text("INSERT INTO projects VALUES (7, 'guid', 'Kept', 'kept')"))
        engine.dispose()
        database = Database.open(older)
        with database.read() as transaction:
            rows = transaction.rows(sqlalchemy.text("SELECT id, name FROM projects"))
            assert [tuple(row) for row in rows] == [(7, "Kept")]
        database.close()
        Database.open(home).close()
        assert _schema_of(older.database) == _schema_of(home.database)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(home: Home) -> None:
    Database.open(home).close()
    connection = sqlite3.connect(home.database)
    connection.execute("UPDATE alembic_version SET version_num = '0042'")
    connection.commit()
    connection.close()
    before = home.database.read_bytes()
    with pytest.raises(NewerDatabaseError) as caught:
        Database.open(home)
    assert "0042" in str(caught.value)
    assert revisions.NEWEST in str(caught.value)
    assert home.database.read_bytes() == before


def test_a_database_that_does_not_say_its_revision_is_refused(home: Home) -> None:
    Database.open(home).close()
    connection = sqlite3.connect(home.database)
    connection.execute("DELETE FROM alembic_version")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match="which schema"):
        Database.open(home)


def test_every_database_has_the_default_project(database: Database) -> None:
    with database.read() as transaction:
        assert [row.name for row in transaction.rows(sqlalchemy.text("SELECT name FROM projects"))] == ["default"]


def test_the_schema_can_be_made_in_postgresql() -> None:
    from sqlalchemy.dialects import postgresql

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    for table in projects.metadata.sorted_tables:
        assert str(sqlalchemy.schema.CreateTable(table).compile(dialect=dialect))


def test_a_process_that_is_killed_while_it_makes_the_database_leaves_nothing_half_made(home: Home) -> None:
    code = """
import os, signal, sys
from pathlib import Path
import sqlalchemy
from sqlalchemy import event
from sluice.storage.engine import Database
from sluice.storage.home import Home
made = 0
def count(connection, cursor, statement, parameters, context, executemany):
    global made
    if statement.strip().startswith("CREATE TABLE"):
        made += 1
        if made == 5:
            os.kill(os.getpid(), signal.SIGKILL)
event.listen(sqlalchemy.Engine, "before_cursor_execute", count)
Database.open(Home(Path(sys.argv[1])))
"""
    killed = subprocess.run([sys.executable, "-c", code, str(home.root)], check=False, timeout=60)
    assert killed.returncode == -9
    database = Database.open(home)
    with database.read() as transaction:
        assert transaction.value(sqlalchemy.text("SELECT count(*) FROM projects")) == 1
    database.close()
    assert set(_schema_of(home.database)) >= set(projects.metadata.tables)
