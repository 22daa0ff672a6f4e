"""Agentless jobs: they wait without holding anything, and go on when time or a person has answered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sluice.errors import ConflictError, NotFoundError, SealError
from sluice.runs.recovery import recover
from sluice.runs.retrying import retry
from sluice.runs.step_waits import with_answer, without_wait
from sluice.runs.validations import respond
from sluice.runtime import request
from sluice.storage import records

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench, Outcome

DELAY = """
jobs:
- job: J
  pool: server
  timeoutInMinutes: {limit}
  steps:
  - {{task: Delay@1, name: d, inputs: {{delayForMinutes: {minutes}}}{more}}}
  - {{task: Delay@1, name: always, condition: always(), inputs: {{delayForMinutes: 0}}}}
- job: K
  dependsOn: J
  steps: [{{checkout: none}}, {{bash: echo}}]
"""
VALIDATION = """
jobs:
- job: J
  pool: server
  timeoutInMinutes: 0
  steps:
  - task: ManualValidation@1
    name: ask
    timeoutInMinutes: 10
    inputs: {{notifyUsers: '', onTimeout: {on_timeout}, instructions: look}}
"""


def delayed(bench: Bench, *, limit: int = 0, minutes: int = 10, more: str = "") -> int:
    return bench.create(DELAY.format(limit=limit, minutes=minutes, more=more)).id


def later(bench: Bench, run_id: int, minutes: float) -> Outcome:
    bench.clock.late += 60 * minutes
    return bench.drive(run_id)


def test_a_delay_holds_nothing_and_ends_at_its_time_whoever_comes(bench: Bench) -> None:
    run = delayed(bench)
    assert bench.drive(run).run.state != "completed"
    (asked,) = bench.requests(run, "running")
    assert asked.resource_type == "delay"
    assert asked.expires_at - asked.created_at == pytest.approx(600, abs=5)
    assert later(bench, run, 9).run.state != "completed", "not yet"
    assert [one.id for one in bench.requests(run, "running")] == [asked.id], "it is asked for once"
    outcome = later(bench, run, 1.1)
    assert outcome.run.result == "Succeeded"
    assert outcome.results()["J.d"] == "Succeeded"


def test_no_folder_is_made_for_an_agentless_job(bench: Bench) -> None:
    run = delayed(bench, minutes=0)
    outcome = bench.drive(run)
    assert outcome.run.result == "Succeeded"
    (agentless,) = [one for one in outcome.dispatcher.requests if one.server]
    assert not agentless.workspace.exists()


def test_a_job_that_waits_too_long_is_canceled_and_cleans_up(bench: Bench) -> None:
    run = delayed(bench, limit=5)
    bench.drive(run)
    outcome = later(bench, run, 6)
    assert outcome.results()["J"] == "Canceled"
    assert outcome.results()["J.always"] == "Succeeded"
    assert "longer than its maximum time" in outcome.jobs("J")[0].message


def test_a_step_that_may_not_take_so_long_fails(bench: Bench) -> None:
    run = delayed(bench, more=", timeoutInMinutes: 2")
    bench.drive(run)
    assert later(bench, run, 3).results()["J.d"] == "Failed"


def test_a_canceled_run_does_not_wait_on(bench: Bench) -> None:
    run = delayed(bench)
    bench.drive(run)
    bench.decisions.cancel(run)
    outcome = bench.drive(run)
    assert outcome.run.result == "Canceled"
    assert outcome.results()["J.always"] == "Succeeded"
    assert bench.requests(run, "running") == []


@pytest.mark.parametrize("text", ["-1", "86401", "ten"])
def test_a_delay_that_is_no_time_fails(bench: Bench, text: str) -> None:
    run = bench.create(DELAY.format(limit=0, minutes=f"'{text}'", more=""))
    assert bench.drive(run.id).results()["J.d"] == "Failed"


def test_a_job_whose_process_died_while_it_began_to_wait_begins_again(bench: Bench) -> None:
    run = delayed(bench)
    bench.drive(run)
    with bench.database.write() as transaction:
        job = next(one for one in records.of_run(transaction, run) if one.type == "Job")
        records.save(transaction, run, [replace(job, state="inProgress")])
    assert recover(bench.orchestrator, run) == []
    outcome = later(bench, run, 11)
    assert later(bench, run, 11).run.result == "Succeeded", outcome.results()


@pytest.mark.parametrize(("on_timeout", "result"), [("reject", "Failed"), ("resume", "Succeeded")])
def test_nobody_answering_in_time_decides_as_the_step_says(bench: Bench, on_timeout: str, result: str) -> None:
    run = bench.create(VALIDATION.format(on_timeout=on_timeout)).id
    bench.drive(run)
    assert [one.detail for one in bench.requests(run, "running")] == ["look"]
    assert later(bench, run, 11).run.result == result


@pytest.mark.parametrize(("approved", "result"), [(True, "Succeeded"), (False, "Failed")])
def test_a_person_decides_once(bench: Bench, approved: bool, result: str) -> None:
    run = bench.create(VALIDATION.format(on_timeout="reject")).id
    bench.drive(run)
    with pytest.raises(NotFoundError, match="does not wait for manual validation 'other'"):
        respond(bench.decisions, run, approved=approved, names=["other"])
    respond(bench.decisions, run, approved=approved, comment="why not")
    with pytest.raises(ConflictError, match="waits for no manual validation"):
        respond(bench.decisions, run, approved=not approved)
    outcome = bench.drive(run)
    assert outcome.run.result == result
    assert outcome.results()["J.ask"] == result
    assert [one.decided_by for one in bench.requests(run)] == ["tester"]


def test_a_rejection_does_not_cancel_other_jobs_of_the_stage(bench: Bench) -> None:
    other = "- job: O\n  steps: [{checkout: none}, {bash: echo}]\n- {job: P, dependsOn: O, steps: [{checkout: none}]}\n"
    run = bench.create(VALIDATION.format(on_timeout="reject") + other).id
    bench.drive(run)
    respond(bench.decisions, run, approved=False)
    results = bench.drive(run).results()
    assert (results["J"], results["O"], results["P"]) == ("Failed", "Succeeded", "Succeeded")


def test_a_validation_is_no_permission(bench: Bench) -> None:
    run = bench.create(VALIDATION.format(on_timeout="reject")).id
    bench.drive(run)
    for decide in (bench.decisions.permit, bench.decisions.deny):
        with pytest.raises(ConflictError, match="it waits for manual validation"):
            decide(run)


FORGED = request.StepAnswer(outcome=request.Outcome.APPROVED, by="tester", comment="forged")


def test_an_answer_that_was_written_into_the_database_is_none(bench: Bench) -> None:
    run = bench.create(VALIDATION.format(on_timeout="reject")).id
    bench.drive(run)
    (asked,) = bench.requests(run, "running")
    with bench.database.read() as transaction:
        job = records.get(transaction, run, asked.job_id)
    assert job is not None
    forged = with_answer(job.details, asked.step_id, FORGED)
    for row in (replace(job, details=forged), replace(job, state="pending", details=without_wait(forged))):
        with bench.database.write() as transaction:
            records.save(transaction, run, [row])
        with pytest.raises(SealError):
            bench.drive(run)
    with bench.database.write() as transaction:
        records.save(transaction, run, [job])
    respond(bench.decisions, run, approved=False)
    assert bench.drive(run).results()["J.ask"] == "Failed"


def test_a_decision_is_about_one_attempt(bench: Bench) -> None:
    run = bench.create(VALIDATION.format(on_timeout="reject")).id
    bench.drive(run)
    respond(bench.decisions, run, approved=False)
    assert bench.drive(run).run.result == "Failed"
    retry(bench.orchestrator, run)
    assert bench.drive(run).results()["J"] == "waiting"
    respond(bench.decisions, run, approved=True)
    assert bench.drive(run).run.result == "Succeeded"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"instructions":"look"', '"instructions":"look","approvers":"eve"'),
        ('"kind":"manualvalidation"', '"kind":"delay"'),
        ('"details"', '"details"'),
    ],
)
def test_what_a_step_waits_for_is_vouched_for(bench: Bench, before: str, after: str) -> None:
    run = bench.create(VALIDATION.format(on_timeout="resume")).id
    bench.drive(run)
    (job,) = [one for one in bench.records(run) if one.type == "Job"]
    with bench.database.write() as transaction:
        text = json.dumps(job.details, separators=(",", ":"))
        changed = json.loads(text.replace(before, after))
        if before == after:  # as if its time were over
            answer = request.StepAnswer(outcome=request.Outcome.TIMED_OUT)
            changed = with_answer(without_wait(changed), job.details["stepWait"]["step"], answer)
        records.save(transaction, run, [replace(job, details=changed)])
    with pytest.raises(SealError, match=f"run {run} is not as it was stored"):
        bench.drive(run)
    with pytest.raises(SealError):
        respond(bench.decisions, run, approved=True)
