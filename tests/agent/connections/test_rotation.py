"""Rotation of the master key, also when it is killed at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy

from sluice.connections.connection import Draft
from sluice.connections.store import ConnectionStore
from sluice.errors import SealError
from sluice.secret import Secret
from sluice.storage import usage
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.tables import job_progress, pipelines, runs


def fill(store: ConnectionStore, count: int = 5) -> list[str]:
    drafts = [
        Draft(
            name=f"depot-{number}",
            type="depot",
            scheme="Token",
            url="https://x.example",
            secrets={"apitoken": Secret(f"token-{number}")},
        )
        for number in range(count)
    ]
    with store.database.write() as transaction:
        return [one.record.id for one in store.create_in(transaction, "default", drafts, by="ann")]


def tokens(store: ConnectionStore, ids: list[str], use: usage.Use) -> list[str]:
    found = (store.open(1, one, use).secret("apitoken") for one in ids)
    return [secret.reveal() for secret in found if secret]


def key_ids(home: Home) -> set[str]:
    return set(json.loads((home.keys / "master.json").read_text())["keys"])


def test_everything_opens_afterwards_and_the_old_key_is_gone(
    store: ConnectionStore, home: Home, use: usage.Use
) -> None:
    ids = fill(store)
    (old,) = key_ids(home)
    rotation = store.rotate_key(by="ann")
    assert rotation.count == 5
    assert rotation.forgotten == (old,)
    assert key_ids(home) == {rotation.key_id}
    assert tokens(store, ids, use) == [f"token-{number}" for number in range(5)]


def test_job_progress_is_rotated_too(store: ConnectionStore) -> None:
    with store.database.write() as transaction:
        values = {"project_id": 1, "name": "x", "name_key": "x", "source": "x", "created_at": 1.0}
        pipeline = transaction.insert(sqlalchemy.insert(pipelines), values)
        texts = ("name", "plan", "options", "state", "result", "cancel_requested_by", "requested_by")
        row = {"project_id": 1, "pipeline_id": pipeline, "created_at": 1.0, **dict.fromkeys(texts, "")}
        run = transaction.insert(sqlalchemy.insert(runs), row)
        sealed = store.sealer.seal_blob("7/job", 2, b"progress")
        for step in (0, 1):
            columns = {column.name for column in job_progress.columns}
            progress = {"run_id": run, "job_id": "job", "step": step, "key_id": sealed.key_id}
            progress |= {"wrapped_key": sealed.wrapped_key, "sealed": sealed.sealed}
            transaction.execute(
                sqlalchemy.insert(job_progress), {key: value for key, value in progress.items() if key in columns}
            )
    assert store.rotate_key(by="ann").count == 2
    with store.database.read() as transaction:
        rows = transaction.rows(sqlalchemy.select(job_progress.c.key_id, job_progress.c.wrapped_key))
    for key_id, wrapped in rows:
        again = type(sealed)(key_id, wrapped, sealed.sealed)
        assert store.sealer.open_blob("7/job", 2, again) == b"progress"


def test_an_empty_store_rotates(store: ConnectionStore, home: Home) -> None:
    store.rotate_key(by="ann")
    rotation = store.rotate_key(by="ann")
    assert (rotation.count, key_ids(home)) == (0, {rotation.key_id})


def test_a_record_that_does_not_open_stops_the_rotation_and_no_key_is_forgotten(
    store: ConnectionStore, home: Home, use: usage.Use
) -> None:
    ids = fill(store)
    with store.database.write() as transaction:
        transaction.execute(
            sqlalchemy.text("UPDATE connections SET sealed = zeroblob(50) WHERE id = :id"), {"id": ids[0]}
        )
    (old,) = key_ids(home)
    with pytest.raises(SealError, match=ids[0]):
        store.rotate_key(by="ann")
    assert old in key_ids(home)
    assert tokens(store, ids[1:], use) == [f"token-{number}" for number in range(1, 5)]


_ROTATE = """
import os, signal, sys
from pathlib import Path
from sluice.connections.catalogue import Catalogue
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.storage.engine import Database
from sluice.storage.home import Home

home, moment = Home(Path(sys.argv[1])), int(sys.argv[2])
steps = 0

def trace(event, arguments):
    # every file that is opened, renamed, linked or removed, and every statement of the database is a moment to die at
    global steps
    if event in {"open", "os.rename", "os.link", "os.remove", "sqlite3.connect"} or event == "step":
        steps += 1
        if steps == moment:
            os.kill(os.getpid(), signal.SIGKILL)

database = Database.open(home)
from sqlalchemy import Engine, event as events
for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
    events.listen(Engine, name, lambda *arguments: trace("step", arguments))
sys.addaudithook(trace)
store = ConnectionStore(database, Sealer(lambda: FileKeys(home.keys / "master.json")), catalogue=lambda: Catalogue({}))
store.rotate_key(by="ann")
print(steps)
"""


def test_a_rotation_that_is_killed_at_any_moment_loses_nothing(
    store: ConnectionStore, home: Home, use: usage.Use, make_store: Callable[[Database], ConnectionStore]
) -> None:
    ids = fill(store, 3)
    complete = subprocess.run(
        [sys.executable, "-c", _ROTATE, str(home.root), "0"], capture_output=True, text=True, check=True, timeout=60
    )
    moments = int(complete.stdout)
    assert moments > 20
    killed = 0
    for moment in range(1, moments + 1, max(1, moments // 10)):
        result = subprocess.run([sys.executable, "-c", _ROTATE, str(home.root), str(moment)], check=False, timeout=60)
        killed += result.returncode == -9
        again = make_store(Database.open(home))
        assert tokens(again, ids, use) == ["token-0", "token-1", "token-2"]
        again.database.close()
    assert killed > 7
    rotation = store.rotate_key(by="ann")
    assert key_ids(home) == {rotation.key_id}
    assert tokens(store, ids, use) == ["token-0", "token-1", "token-2"]


_ROTATE_OFTEN = """
import sys
from pathlib import Path
from sluice.connections.catalogue import Catalogue
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.storage.engine import Database
from sluice.storage.home import Home

home = Home(Path(sys.argv[1]))
sealer = Sealer(lambda: FileKeys(home.keys / "master.json"))
store = ConnectionStore(Database.open(home), sealer, catalogue=lambda: Catalogue({}))
for _ in range(20):
    store.rotate_key(by="ann")
"""


def test_rotations_at_the_same_time_do_not_overwrite_each_others_keys(
    store: ConnectionStore, home: Home, use: usage.Use
) -> None:
    ids = fill(store, 3)
    children = [subprocess.Popen([sys.executable, "-c", _ROTATE_OFTEN, str(home.root)]) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert tokens(store, ids, use) == ["token-0", "token-1", "token-2"]
    assert len(key_ids(home)) == 1


_CREATE = """
import sys
from pathlib import Path
from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import Draft
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.hooks.declaration import ConnectionType, Field, Scheme, Url
from sluice.secret import Secret
from sluice.storage.engine import Database
from sluice.storage.home import Home

home = Home(Path(sys.argv[1]))
kind = ConnectionType("depot", "x", url=Url(required=False), data=(Field("token", "x", secret=True),))
sealer = Sealer(lambda: FileKeys(home.keys / "master.json"))
store = ConnectionStore(Database.open(home), sealer, catalogue=lambda: Catalogue({"depot": kind}))
for number in range(40):
    store.create("default", Draft(name=f"new-{number}", type="depot", secrets={"token": Secret(f"t-{number}")}), by="a")
"""


def test_secrets_that_are_stored_while_keys_rotate_are_not_lost(
    store: ConnectionStore, home: Home, use: usage.Use
) -> None:
    fill(store, 1)
    child = subprocess.Popen([sys.executable, "-c", _CREATE, str(home.root)])
    while child.poll() is None:
        store.rotate_key(by="ann")
    assert child.returncode == 0
    made = [record for record in store.list("default") if record.name.startswith("new-")]
    assert len(made) == 40
    for record in made:
        secret = store.open(1, record.id, use).secret("token")
        assert secret
        assert secret.reveal() == f"t-{record.name.removeprefix('new-')}"
