"""The store with 100,000 connections: `python benchmarks/store.py`.

G12 is to import them all in one transaction, as `sluice connection apply` does once it has read its file. G11 is to find
one by project and name, to ask whether a pipeline may use it, and to open its secret, while nobody writes and while
another process does. Both have bare `sqlite3` and AES-GCM beside them in the same run. What a release to a step costs
in all, with its audit entry flushed to the disk, is told as well.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import Goal, verdict_of

from sluice.cli.main import collect_rarely
from sluice.connections import document, lookup, vault
from sluice.connections.connection import Draft
from sluice.connections.guard import Unrestricted
from sluice.connections.store import ConnectionStore
from sluice.secret import Secret
from sluice.storage import permissions, projects, usage
from sluice.storage.engine import Database
from sluice.storage.home import Home

CONNECTIONS = 100_000
SAMPLES = 20_000
RELEASES = 200
PIPELINE = 7
SECRET = "s" * 230


def main() -> int:
    """Everything in a state folder of its own; status 1 when a goal at "must" is missed."""
    if sys.argv[1:2] == ["write"]:
        return _write_on(Home(Path(sys.argv[2])))
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        return 0 if all(measure(Path(folder))) else 1


def measure(work: Path) -> list[bool]:
    """G12 and G11."""
    collect_rarely()
    home = Home(work / "many")
    database = Database.open(home)
    store = ConnectionStore.installed(database, Unrestricted("bench"))
    bare = _Bare(work / "bare.db")
    try:
        met = [_import(store, bare)]
        project = _permit(store)
        met.append(_look_ups(store, project, bare, "nobody writes"))
        with subprocess.Popen([sys.executable, __file__, "write", str(home.root)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            try:
                met.append(_look_ups(store, project, bare, "another process writes"))
            finally:
                writer.terminate()
        _releases(store, project)
    finally:
        bare.close()
        database.close()
    return met


def _import(store: ConnectionStore, bare: _Bare) -> bool:
    goal = Goal(name="G12", what=f"{CONNECTIONS:,} connections imported", must=4000, moonshot=1600)
    wanted = [
        document.Wanted(
            draft=Draft(
                name=_name(number),
                type="generic",
                url=f"https://host{number}.example/",
                values={"username": f"user{number}"},
                secrets={"password": Secret(f"{SECRET}{number}")},
            )
        )
        for number in range(CONNECTIONS)
    ]
    store.check_key()  # makes the master key, once in an installation's life
    cpu, start = time.process_time(), time.perf_counter()
    changes = document.apply(store, "default", wanted, by="bench", at=time.time())
    took, used = (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000
    assert {change.action for change in changes} == {"create"}
    cpu, start = time.process_time(), time.perf_counter()
    bare.fill()
    floor, floor_used = (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000
    met = took <= goal.must
    print(
        f"{goal.name:4} {goal.what:42} {took:8.0f} ms  (must {goal.must:g}, moonshot {goal.moonshot:g}): "
        f"{verdict_of(met=met, best=took <= goal.moonshot):8}  CPU {used:.0f} ms, bare sqlite3 {floor:.0f} ms "
        f"(CPU {floor_used:.0f}), ratio of CPU {used / floor_used:.1f}"
    )
    return met


def _permit(store: ConnectionStore) -> int:
    """A permit for one pipeline on some of them; answers the project's number."""
    with store.database.write() as transaction:
        project = projects.find(transaction, "default").id
        for number in _chosen(2000):
            record = lookup.get(transaction, project, _name(number))
            resource = permissions.Resource(project, record.id)
            permissions.grant(transaction, resource, PIPELINE, by="bench", at=time.time())
    return project


def _look_ups(store: ConnectionStore, project: int, bare: _Bare, what: str) -> bool:
    goal = Goal(name="G11", what=f"find and open, {what}", must=1.0, moonshot=0.1)
    numbers = _chosen(2000)

    def ours(number: int) -> None:
        with store.database.read() as transaction:
            record = lookup.find(transaction, project, _name(number))
            assert record is not None
            assert permissions.permitted(transaction, permissions.Resource(project, record.id), PIPELINE)
            secrets = vault.open_secrets(transaction, store.sealer, record)
        assert secrets["parameters", "password"].reveal() == f"{SECRET}{number}"

    mine, theirs = _times(ours, numbers), _times(bare.open, numbers)
    p99 = _percentile(mine, 99)
    met = p99 <= goal.must
    print(
        f"{goal.name:4} {goal.what:42} {p99:8.3f} ms  (must {goal.must:g}, moonshot {goal.moonshot:g}; p99): "
        f"{verdict_of(met=met, best=p99 <= goal.moonshot):8}  p50 {statistics.median(mine):.3f} ms; bare sqlite3 p50 "
        f"{statistics.median(theirs):.3f}, p99 {_percentile(theirs, 99):.3f}, "
        f"ratio of p50 {statistics.median(mine) / statistics.median(theirs):.1f}"
    )
    return met


def _releases(store: ConnectionStore, project: int) -> None:
    with store.database.read() as transaction:
        ids = [lookup.get(transaction, project, _name(number)).id for number in _chosen(RELEASES)]
    times = []
    for connection_id in ids:
        start = time.perf_counter()
        store.open(project, connection_id, usage.Use(project_id=project, actor="bench", pipeline_id=PIPELINE))
        times.append((time.perf_counter() - start) * 1000)
    print(
        f"     {'a release to a step, audited and flushed':42} {_percentile(times, 99):8.3f} ms  (p99; no goal)"
        f"  p50 {statistics.median(times):.3f} ms"
    )


class _Bare:
    """The floor: a table, a key, AES-GCM, and nothing of what makes it a store that can be trusted."""

    def __init__(self, path: Path) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(os.urandom(32))
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(
            "CREATE TABLE connection (id TEXT PRIMARY KEY, project INTEGER, name TEXT, url TEXT, sealed BLOB, "
            "UNIQUE (project, name))"
        )

    def fill(self) -> None:
        """Insert all of them in one transaction."""
        self._database.execute("BEGIN IMMEDIATE")
        rows = (
            (str(number), 1, _name(number), f"https://host{number}.example/", self._seal(f"{SECRET}{number}"))
            for number in range(CONNECTIONS)
        )
        self._database.executemany("INSERT INTO connection VALUES (?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def open(self, number: int) -> None:
        """Find one and decrypt it."""
        query = "SELECT sealed FROM connection WHERE project = ? AND name = ?"
        (sealed,) = self._database.execute(query, (1, _name(number))).fetchone()
        content = json.loads(self._cipher.decrypt(sealed[:12], sealed[12:], None))
        assert content["password"] == f"{SECRET}{number}"

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _seal(self, text: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, json.dumps({"password": text}).encode(), None)


def _write_on(home: Home) -> int:
    """Another process: changes connections one after another, each in a transaction, until it is ended."""
    from sluice.connections.connection import Update

    store = ConnectionStore.installed(Database.open(home), Unrestricted("bench"))
    print("writing", flush=True)
    number = 0
    while True:
        number += 1
        name = _name(CONNECTIONS - 1 - number % 1000)
        store.update("default", name, Update(description=f"change {number}"), by="bench")


def _chosen(count: int) -> list[int]:
    """Connections all over the place, but not those that are written to; always the same ones."""
    return random.Random(1).sample(range(CONNECTIONS - 2000), count)


def _times(work: Callable[[int], None], numbers: list[int]) -> list[float]:
    """How long each sample takes, in milliseconds; the first few only warm up."""
    times = []
    for index in range(SAMPLES + 100):
        start = time.perf_counter()
        work(numbers[index % len(numbers)])
        times.append((time.perf_counter() - start) * 1000)
    return times[100:]


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _name(number: int) -> str:
    return f"connection {number:06}"


if __name__ == "__main__":
    sys.exit(main())
