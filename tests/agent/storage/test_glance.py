from __future__ import annotations

import sqlite3
from dataclasses import replace

import sqlalchemy

from sluice.storage import connections, glance, projects, seals
from sluice.storage.engine import Database
from sluice.storage.home import Home


def stored(database: Database, project: str, *names: str) -> None:
    sealed = seals.SealedRow(key_id="k", wrapped_key=b"", sealed=b"", version=1, public=b"")
    with database.write() as transaction:
        owner = projects.ensure(transaction, project)
        rows = [
            connections.PublicRow(
                id=f"{owner.id}-{number}",
                project_id=owner.id,
                name=name,
                description="",
                type="ssh",
                scheme="UsernamePassword",
                url=f"ssh://{number}",
                owner="library",
                disabled=number == 1,
                version=1,
                parameters="{}",
                data="{}",
                secret_names="{}",
                secret_references="{}",
                created_by="ann",
                created_at=0.0,
                modified_by="ann",
                modified_at=0.0,
            )
            for number, name in enumerate(names)
        ]
        connections.insert(transaction, [(row, sealed) for row in rows])


def test_a_glance_sees_what_the_gateway_lists(home: Home, database: Database) -> None:
    stored(database, "default", "web", "Alpha", "\u00e4ther")
    stored(database, "other", "elsewhere")
    with database.read() as transaction:
        rows = connections.listed(transaction, projects.find(transaction, "default").id)
    expected = [glance.Listed(row.name, row.type, row.scheme, row.url, bool(row.disabled)) for row in rows]
    assert glance.connections(home, "Default") == expected
    assert len(expected) == 3


def test_a_glance_leaves_the_unusual_to_the_usual_way(home: Home, database: Database) -> None:
    assert glance.connections(home, "default") is None or glance.connections(home, "default") == []
    assert glance.connections(home, "no such project") is None
    assert glance.connections(replace(home, url="postgresql://elsewhere/x"), "default") is None
    with database.write() as transaction:
        transaction.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    assert glance.connections(home, "default") is None


def test_a_glance_at_nothing_or_at_rubbish_makes_no_file(home: Home) -> None:
    assert glance.connections(home, "default") is None
    assert not home.database.exists()
    home.create()
    home.database.write_bytes(b"this is no database, but it is long enough to look like one" * 20)
    assert glance.connections(home, "default") is None


def test_a_glance_waits_for_nobody_who_writes(home: Home, database: Database) -> None:
    stored(database, "default", "web")
    writer = sqlite3.connect(home.database, isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        assert [one.name for one in glance.connections(home, "default") or ()] == ["web"]
    finally:
        writer.close()
