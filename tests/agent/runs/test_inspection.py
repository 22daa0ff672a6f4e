"""Every seal is tried, those of runs too, and nothing is made or changed by it."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, field

import pytest
import sqlalchemy

from sluice.connections.sealing import Sealer
from sluice.errors import SealError
from sluice.runs import inspection, secrets
from sluice.runs.orchestrator import sealed_identity
from sluice.secret import Secret
from sluice.storage import projects, runs
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.tables import job_progress, pipelines


@dataclass
class Keys:
    """A provider with one key, or with none."""

    known: dict[str, bytes] = field(default_factory=dict)

    def current(self) -> tuple[str, bytes]:
        if not self.known:
            raise AssertionError("a check makes no key")
        return next(iter(self.known.items()))

    def key(self, key_id: str) -> bytes:
        if key_id in self.known:
            return self.known[key_id]
        raise SealError(f"there is no key {key_id}")

    def rotate(self) -> tuple[str, bytes]:
        raise AssertionError

    def forget(self, key_id: str) -> None:
        raise AssertionError(key_id)


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database.open(Home(tmp_path_factory.mktemp("home")))


def _fill(database: Database, keys: Keys, steps: int) -> None:
    sealer = Sealer(lambda: keys)
    with database.write() as transaction:
        project = projects.ensure(transaction, "default").id
        values = {"project_id": project, "name": "x", "name_key": "x", "source": "x", "created_at": 1.0}
        pipeline = transaction.insert(sqlalchemy.insert(pipelines), values)
        run = runs.add(transaction, project_id=project, pipeline_id=pipeline, requested_by="ann", options={}, at=1.0)
        secrets.keep(transaction, sealer, run, {"token": Secret("value")})
        for step in range(steps):
            sealed = sealer.seal_blob(sealed_identity(run, "job"), step, b"progress")
            row = runs.SealedRow(
                run_id=run,
                job_id="job",
                step=step,
                key_id=sealed.key_id,
                wrapped_key=sealed.wrapped_key,
                sealed=sealed.sealed,
            )
            runs.save_sealed(transaction, row)


def _inspected(database: Database, keys: Keys) -> inspection.Inspection:
    with database.read() as transaction:
        return inspection.inspect_seals(transaction, keys)


def test_seals_of_runs_are_tried_in_batches_and_one_that_was_moved_is_named(database: Database) -> None:
    keys = Keys({"one": randomness.token_bytes(32)})
    _fill(database, keys, 120)
    assert _inspected(database, keys) == inspection.Inspection(opened=121)
    with database.write() as transaction:
        transaction.execute(sqlalchemy.update(job_progress).where(job_progress.c.step == 100).values(step=500))
    found = _inspected(database, keys)
    assert found.opened == 120
    assert len(found.broken) == 1
    assert "job progress 1/job/500" in found.broken[0]
    database.close()


def test_more_broken_seals_than_a_person_reads_are_counted(database: Database) -> None:
    keys = Keys({"one": randomness.token_bytes(32)})
    _fill(database, keys, 120)
    with database.write() as transaction:
        transaction.execute(sqlalchemy.update(job_progress).values(sealed=b"x" * 50))
    found = _inspected(database, keys)
    assert (found.opened, len(found.broken), found.more) == (0, inspection.MAX_TOLD, 21)
    database.close()


def test_without_a_key_nothing_is_tried_and_the_reason_is_told(database: Database) -> None:
    _fill(database, Keys({"one": randomness.token_bytes(32)}), 1)
    found = _inspected(database, Keys())
    assert (found.opened, found.unknown, found.broken) == (0, 2, ())
    assert found.why == "there is no key one"
    database.close()
