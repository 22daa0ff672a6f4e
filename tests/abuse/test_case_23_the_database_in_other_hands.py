"""Abuse case 23: somebody copies or edits the database: reads it, swaps, rolls back, flips, truncates."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.abuse.conftest import Sluice

SECRET = "hunter2-very-secret-0815"  # what the test looks for


@contextlib.contextmanager
def _database(sluice: Sluice) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(sluice.home / "data" / "sluice.db")
    with contextlib.closing(connection), connection:
        yield connection


def _files(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def test_a_copy_of_the_data_folder_holds_neither_secret_nor_key(sluice: Sluice) -> None:
    sluice.create()
    sluice.create("other")
    keys = [*_files(sluice.home / "keys")]
    assert keys
    for content in _files(sluice.home / "data"):
        assert SECRET.encode() not in content
        assert not any(len(line) >= 32 and line in content for key in keys for line in key.split(b'"'))
    stolen = sluice.folder / "stolen"
    shutil.copytree(sluice.home / "data", stolen / "data")
    sluice.environment["SLUICE_HOME"] = str(stolen)
    assert sluice.run("connection", "verify", "web").returncode != 0
    assert SECRET not in sluice.printed


SEALS = "key_id, wrapped_key, sealed"
TAMPERING = {
    "two ciphertexts change places": f"""
        UPDATE connections SET ({SEALS}) = (SELECT {SEALS} FROM other) WHERE id = (SELECT id FROM one)""",
    "a bit is flipped": "UPDATE connections SET sealed = CAST(sealed || x'00' AS BLOB) WHERE id = (SELECT id FROM one)",
    "the address is edited": "UPDATE connections SET data = replace(data, 'web.invalid', 'evil.invalid')",
    "an old row is put back": "REPLACE INTO connections SELECT * FROM old",
    "a name is another's": """
        UPDATE connection_projects SET name = 'x', name_key = 'x' WHERE connection_id = (SELECT id FROM other);
        UPDATE connection_projects SET name = 'other', name_key = 'other' WHERE connection_id = (SELECT id FROM one)""",
}


@pytest.mark.parametrize("tampering", TAMPERING.values(), ids=TAMPERING.keys())
def test_what_was_edited_opens_no_more_and_is_named(sluice: Sluice, tampering: str) -> None:
    sluice.create()
    sluice.create("other")
    with _database(sluice) as database:
        database.executescript("""
            CREATE TABLE old AS SELECT * FROM connections;
            CREATE TABLE one AS SELECT connection_id AS id FROM connection_projects WHERE name = 'web';
            CREATE TABLE other AS SELECT c.* FROM connections AS c
              JOIN connection_projects AS p ON p.connection_id = c.id WHERE p.name = 'other'""")
    sluice("connection", "update", "web", "--secret", "password=-", given="replaced-very-secret-0816")
    with _database(sluice) as database:
        database.executescript(f"PRAGMA foreign_keys = OFF; {tampering}")
    name = "other" if "'other', name_key" in tampering else "web"
    told = sluice("connection", "verify", name, status=1)
    assert "cannot be opened" in told
    assert "see 'sluice audit verify'" in told or "changed outside of Sluice" in told
    assert "sluice: audit: " in sluice("audit", "verify", status=1)
    assert SECRET not in sluice.printed


def test_an_older_database_is_not_used(sluice: Sluice) -> None:
    sluice.create()
    older = sluice.folder / "older"
    with _database(sluice) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(sluice.home / "data", older)
    sluice("connection", "update", "web", "--secret", "password=-", given="replaced-very-secret-0816")
    shutil.rmtree(sluice.home / "data")
    shutil.copytree(older, sluice.home / "data")
    assert "is not the one that Sluice stored last" in sluice("connection", "verify", "web", status=1)
    assert "entries were cut off the end" in sluice("audit", "verify", status=1)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("DELETE FROM audit WHERE sequence = (SELECT MAX(sequence) FROM audit)", "cut off"),
        ("DELETE FROM audit WHERE sequence = 1", "entries are missing"),
        ("UPDATE audit SET actor = 'somebody' WHERE sequence = 1", "entry 1: it was changed"),
        ("UPDATE audit SET details = replace(details, 'web', 'wob') WHERE sequence = 1", "entry 1: it was changed"),
        (
            "UPDATE audit SET sequence = 3 - sequence + 100; UPDATE audit SET sequence = sequence - 100",
            "does not follow",
        ),
    ],
)
def test_the_log_tells_of_every_edit(sluice: Sluice, edit: str, told: str) -> None:
    sluice.create()
    sluice.create("other")
    with _database(sluice) as database:
        database.executescript(edit)
    assert told in sluice("audit", "verify", status=1)


def test_with_a_passphrase_the_whole_folder_opens_nothing(sluice: Sluice) -> None:
    sluice.environment |= {"SLUICE_KEY_PROVIDER": "passphrase", "SLUICE_PASSPHRASE": "correct horse battery staple"}
    sluice.create()
    stolen = sluice.folder / "stolen"
    shutil.copytree(sluice.home, stolen)
    sluice.environment["SLUICE_HOME"] = str(stolen)
    verify = ("connection", "verify", "web")
    for guess, told in (("incorrect horse battery", "is not the one of the master key"), ("", "is locked")):
        sluice.environment["SLUICE_PASSPHRASE"] = guess
        assert told in sluice(*verify, status=1)
    assert "web" in sluice("connection", "list")  # what is public needs no key
