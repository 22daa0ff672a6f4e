"""Stages with `trigger: manual`: they wait for a person, hold nothing, and are started once."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sluice.runs.orchestrator import WAIT_SECONDS
from sluice.runs.retrying import retry
from sluice.storage import audit

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

STAGE = """
stages:
- stage: M
  trigger: manual
  jobs: [{{job: J, steps: [{step}]}}]
"""


def test_a_permit_is_asked_for_once_somebody_has_started_the_stage(bench: Bench) -> None:
    depot = bench.connection("depot")
    run = bench.create(STAGE.format(step="{task: Deliver@1, inputs: {to: depot, what: it}}"))
    bench.drive(run.id)
    assert [one.resource_type for one in bench.requests(run.id, "running")] == ["stage"]
    bench.decisions.start(run.id)
    bench.drive(run.id)
    assert [one.resource_type for one in bench.requests(run.id, "running")] == ["endpoint"]
    assert {record.type for record in bench.records(run.id)} >= {"Checkpoint", "Checkpoint.Authorization"}
    bench.permit(depot)
    assert bench.drive(run.id).run.result == "Succeeded"
    with bench.database.read() as transaction:
        actions = [link.entry.action for link in audit.entries(transaction)]
    assert "Sluice.StageStarted" in actions


def test_a_retry_of_a_stage_that_was_started_does_not_ask_again(bench: Bench) -> None:
    flag = bench.folder / "flag"
    run = bench.create(STAGE.format(step=f"{{bash: test -e {flag}}}"))
    bench.drive(run.id)
    bench.decisions.start(run.id, ["m"])
    assert bench.drive(run.id).run.result == "Failed"
    flag.touch()
    retry(bench.orchestrator, run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_start_that_was_written_into_the_database_is_none(bench: Bench) -> None:
    run = bench.create(STAGE.format(step="{bash: echo}"))
    bench.drive(run.id)
    connection = sqlite3.connect(bench.home.database)
    connection.execute("UPDATE authorization_requests SET state = 'approved', decided_by = 'tester', decided_at = 1.0")
    connection.commit()
    connection.close()
    assert bench.drive(run.id).results()["M"] == "waiting"
    assert [one.resource_type for one in bench.requests(run.id, "running")] == ["stage"]
    bench.decisions.start(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_nobody_starting_it_in_time_skips_the_stage_and_cancels_the_run(bench: Bench) -> None:
    run = bench.create(STAGE.format(step="{bash: echo}"))
    bench.drive(run.id)
    bench.clock.late = WAIT_SECONDS + 1
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Canceled"
    assert outcome.results()["M"] == "Skipped"
    assert [record.message for record in outcome.records if record.type == "Stage"] == ["Nobody started it in time."]


def test_a_canceled_run_does_not_wait(bench: Bench) -> None:
    run = bench.create(STAGE.format(step="{bash: echo}"))
    bench.drive(run.id)
    bench.decisions.cancel(run.id)
    outcome = bench.drive(run.id)
    assert (outcome.run.result, bench.requests(run.id, "running")) == ("Canceled", [])
