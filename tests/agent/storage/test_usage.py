"""Usage history."""

from __future__ import annotations

from sluice.storage import usage
from sluice.storage.engine import Database

USE = usage.Use(project_id=1, actor="me", pipeline_id=1, run_id=3, stage="S", job="J", step_id="id", task="SSH@0")


def test_a_use_is_recorded_before_it_is_over(database: Database) -> None:
    with database.write() as transaction:
        usage.started(transaction, "web", USE, at=1.0)
        (record,) = usage.history(transaction, "web", project_id=1)
    assert (record.run_id, record.task, record.finished_at, record.result) == (3, "SSH@0", None, "")


def test_a_steps_end_closes_all_its_uses_once(database: Database) -> None:
    with database.write() as transaction:
        usage.started(transaction, "web", USE, at=1.0)
        usage.started(transaction, "jump", USE, at=1.0)
        assert usage.step_finished(transaction, 3, "id", "Succeeded", at=2.0) == 2
        assert usage.run_finished(transaction, 3, "Failed", at=3.0) == 0
        (record,) = usage.history(transaction, "jump", project_id=1)
    assert (record.finished_at, record.result) == (2.0, "Succeeded")


def test_a_run_that_died_closes_what_it_left_open(database: Database) -> None:
    with database.write() as transaction:
        usage.started(transaction, "web", USE, at=1.0)
        assert usage.run_finished(transaction, 3, "Abandoned", at=3.0) == 1


def test_the_history_is_newest_first_limited_and_of_one_project(database: Database) -> None:
    with database.write() as transaction:
        for number in range(5):
            usage.started(transaction, "web", USE, at=float(number))
        records = usage.history(transaction, "web", project_id=1, limit=2)
        assert usage.history(transaction, "web", project_id=2) == ()
    assert [record.started_at for record in records] == [4.0, 3.0]
