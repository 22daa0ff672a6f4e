"""Transactions, several writers, and what the disk may do to them."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import sqlalchemy

from sluice.errors import StorageError
from sluice.storage import actions, audit, projects
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.tables import counters, pipelines
from sluice.storage.tables import projects as projects_table

_COUNT = sqlalchemy.text("SELECT count(*) FROM projects")


def _run(code: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]  # options of any kind
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_what_a_block_has_written_is_there_after_it(database: Database, home: Home) -> None:
    with database.write() as transaction:
        projects.ensure(transaction, "one")
    again = Database.open(home)
    with again.read() as transaction:
        assert projects.find(transaction, "ONE").name == "one"
    again.close()


def test_an_error_takes_the_whole_block_back(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as transaction:
            projects.ensure(transaction, "one")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    with database.read() as transaction:
        assert transaction.value(_COUNT) == 1


def test_an_abandoned_transaction_leaves_nothing_and_tells_nobody(database: Database) -> None:
    told: list[str] = []
    with database.write() as transaction:
        transaction.after_commit("told", lambda: told.append("x"))
        projects.ensure(transaction, "one")
        transaction.abandon()
    with database.read() as transaction:
        assert transaction.value(_COUNT) == 1
    assert told == []


def test_actions_after_a_commit_run_once_it_is_stored(database: Database) -> None:
    seen: list[int] = []

    def look() -> None:
        with database.read() as transaction:
            seen.append(transaction.value(_COUNT))

    with database.write() as transaction:
        transaction.after_commit("look", lambda: seen.append(-1))
        transaction.after_commit("look", look)
        projects.ensure(transaction, "one")
    assert seen == [2]


def test_a_write_within_a_write_is_a_mistake_and_not_a_deadlock(database: Database) -> None:
    with database.write(), pytest.raises(RuntimeError, match="hand it on"), database.write():
        pass
    with database.write() as transaction:
        projects.ensure(transaction, "one")


def test_a_reader_sees_one_state_while_another_writes(database: Database) -> None:
    with database.read() as reader:
        before = reader.value(_COUNT)
        with database.write() as writer:
            projects.ensure(writer, "one")
        assert reader.value(_COUNT) == before


def test_rows_must_not_name_what_does_not_exist(database: Database) -> None:
    row = {"project_id": 99, "name": "x", "name_key": "x", "source": "x", "created_at": 1.0}
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as transaction:
        transaction.execute(sqlalchemy.insert(pipelines), row)


def test_threads_that_write_at_once_all_get_through(database: Database) -> None:
    def add(name: str) -> None:
        for index in range(10):
            with database.write() as transaction:
                projects.ensure(transaction, f"{name}-{index}")

    threads = [threading.Thread(target=add, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as transaction:
        assert transaction.value(_COUNT) == 41


_ADD = """
import sys
from pathlib import Path
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage import actions, audit, projects
database = Database.open(Home(Path(sys.argv[1])))
for index in range(25):
    with database.write() as transaction:
        projects.ensure(transaction, f"{sys.argv[2]}-{index}")
"""


def test_processes_that_start_on_an_empty_folder_and_write_at_once_lose_nothing(home: Home) -> None:
    children = [subprocess.Popen([sys.executable, "-c", _ADD, str(home.root), str(number)]) for number in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    database = Database.open(home)
    with database.read() as transaction:
        assert transaction.value(_COUNT) == 101
        assert transaction.value(sqlalchemy.text("PRAGMA integrity_check")) == "ok"
    database.close()


def test_changes_of_another_process_are_noticed_once(database: Database, home: Home) -> None:
    changes = database.changes()
    assert not changes.happened()
    assert _run(_ADD, str(home.root), "x").returncode == 0
    assert changes.happened()
    assert not changes.happened()
    changes.close()


def test_reading_is_no_change(database: Database) -> None:
    changes = database.changes()
    with database.read() as transaction:
        transaction.value(_COUNT)
    assert not changes.happened()
    changes.close()


def test_the_database_and_its_journals_are_open_to_their_owner_only(database: Database, home: Home) -> None:
    with database.write() as transaction:
        projects.ensure(transaction, "one")
        for file in home.data.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_writes_are_synced_and_the_log_is_written_ahead(database: Database) -> None:
    with database.write() as transaction:
        assert transaction.value(sqlalchemy.text("PRAGMA journal_mode")) == "wal"
        assert transaction.value(sqlalchemy.text("PRAGMA synchronous")) == 2
        assert transaction.value(sqlalchemy.text("PRAGMA foreign_keys")) == 1


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_one_clear_error_and_is_left_alone(home: Home, content: bytes) -> None:
    home.create()
    home.database.write_bytes(content)
    with pytest.raises(StorageError, match="cannot be used") as caught:
        Database.open(home)
    assert str(home.database) in str(caught.value)
    assert home.database.read_bytes() == content


def test_a_damaged_database_is_one_clear_error(home: Home) -> None:
    Database.open(home).close()
    raw = bytearray(home.database.read_bytes())
    raw[100:] = b"\x5a" * (len(raw) - 100)
    home.database.write_bytes(raw)
    for journal in home.data.glob("*-*"):
        journal.unlink()
    with pytest.raises(StorageError, match=r"cannot be used.*damaged"):
        Database.open(home)


def test_a_database_of_something_else_is_refused(home: Home) -> None:
    home.create()
    with sqlite3.connect(home.database) as other:
        other.execute("CREATE TABLE diary (day TEXT)")
    other.close()
    with pytest.raises(StorageError, match="none of Sluice's"):
        Database.open(home)


def test_an_unreadable_url_is_not_repeated_since_it_may_hold_a_password() -> None:
    with pytest.raises(StorageError) as caught:
        Database.open("postgresql//user:hunter2secret@host")
    assert "hunter2secret" not in str(caught.value)


def test_a_missing_driver_is_named() -> None:
    with pytest.raises(StorageError, match=r"driver of 'postgresql\+nosuch'"):
        Database.open("postgresql+nosuch://user:hunter2secret@host/x")


_FILL = """
import resource, sys
from pathlib import Path
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage import actions, audit, projects
from sluice.errors import StorageError
database = Database.open(Home(Path(sys.argv[1])))
with database.write() as transaction:
    projects.ensure(transaction, "acknowledged")
size = 450_000
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    for index in range(10_000):
        with database.write() as transaction:
            for part in range(100):
                projects.ensure(transaction, "x" * 200 + f"{index}-{part}")
        print(index, flush=True)
except StorageError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_full_disk_is_one_clear_error_and_nothing_acknowledged_is_lost(home: Home) -> None:
    result = _run(_FILL, str(home.root))
    assert result.returncode == 1
    assert "cannot be used" in result.stderr
    assert "disk" in result.stderr
    assert "Traceback" not in result.stderr
    database = Database.open(home)
    with database.read() as transaction:
        assert projects.find(transaction, "acknowledged")
        assert transaction.value(_COUNT) == 2 + 100 * len(result.stdout.splitlines())
    database.close()


_OPEN_AS_NOBODY = """
import os, sys
from pathlib import Path
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage import actions, audit, projects
from sluice.errors import StorageError
import sqlite3, sqlalchemy.dialects.sqlite.pysqlite
os.setgid(65534); os.setuid(65534)
try:
    database = Database.open(Home(Path(sys.argv[1])))
    with database.write() as transaction:
        projects.ensure(transaction, "x")
except StorageError as error:
    print(error)
    sys.exit(1)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o444), (0o700, 0o600), (0o755, 0o000)])
def test_missing_rights_are_one_clear_error(folder: int, file: int) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        home = Home(Path(place) / "home")
        Database.open(home).close()
        home.root.chmod(0o755)
        home.database.chmod(file)
        home.data.chmod(folder)
        result = _run(_OPEN_AS_NOBODY, str(home.root))
        assert result.returncode == 1, result.stderr
        assert "cannot be" in result.stdout
        assert "Traceback" not in result.stderr


def test_importing_the_engine_imports_no_heavy_module() -> None:
    code = "import sys, sluice.storage.engine; print(sorted({'alembic', 'pluggy', 'cryptography', 'click', 'yaml'} & set(sys.modules)))"
    assert _run(code).stdout.strip() == "[]"


def test_opening_a_database_that_is_up_to_date_imports_no_alembic(home: Home) -> None:
    Database.open(home).close()
    code = (
        "import sys; from pathlib import Path; from sluice.storage.engine import Database; "
        "from sluice.storage.home import Home; Database.open(Home(Path(sys.argv[1]))); print('alembic' in sys.modules)"
    )
    assert _run(code, str(home.root)).stdout.strip() == "False"


def test_the_counters_table_refuses_two_values_for_one_prefix(database: Database) -> None:
    with database.write() as transaction:
        values = {"project_id": 1, "name": "x", "name_key": "x", "source": "x", "created_at": 1.0}
        number = transaction.insert(sqlalchemy.insert(pipelines), values)
    row = {"pipeline_id": number, "kind": "counter", "prefix": "", "value": 1}
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as transaction:
        transaction.execute(sqlalchemy.insert(counters), [row, row])


def test_what_is_not_synced_outlives_the_process(home: Home) -> None:
    write = (
        "import os, sys; from pathlib import Path; from sluice.storage.engine import Database;"
        "from sluice.storage.home import Home; from sluice.storage import projects\n"
        "database = Database.open(Home(Path(sys.argv[1])))\n"
        "with database.write(synced=False) as transaction: projects.ensure(transaction, 'one')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    Database.open(home).close()
    assert _run(write, str(home.root)).returncode == -9
    again = Database.open(home)
    with again.read() as transaction:
        assert projects.find(transaction, "one").name == "one"
    again.close()


def test_a_connection_syncs_again_after_it_did_not(database: Database) -> None:
    how = sqlalchemy.text("PRAGMA synchronous")
    seen = []
    for synced in (True, False, True, False):
        with database.write(synced=synced) as transaction:
            seen.append(transaction.value(how))
    assert seen == [2, 1, 2, 1]


def test_nothing_is_audited_that_the_machine_may_take_back(database: Database) -> None:
    event = audit.Event(action=actions.HEAD_ACCEPTED, actor="me", at=1.0, details={"Head": "a", "Noted": "b"})
    with database.write(synced=False) as transaction, pytest.raises(RuntimeError, match="may take back"):
        audit.append(transaction, event)


def test_many_rows_are_inserted_as_they_are_and_none_when_one_does_not_fit(database: Database) -> None:
    with database.write() as transaction:
        transaction.insert_many(projects_table, [_project(name) for name in ("one", "two")])
        transaction.insert_many(projects_table, [])
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.write() as transaction:
        transaction.insert_many(projects_table, [_project("three"), _project("two")])
    with database.read() as transaction:
        assert {one.name for one in projects.listed(transaction)} >= {"one", "two"}
        assert projects.look_up(transaction, "three") is None


def _project(name: str) -> dict[str, str]:
    return {"name_key": name, "name": name, "guid": f"guid of {name}"}
