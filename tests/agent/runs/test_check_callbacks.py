"""Answers of services to checks, in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.authorization.checks.model import Check, Covered, State, Suite
from sluice.errors import NotFoundError, NotPermittedError
from sluice.runs import suites
from sluice.runs.check_callbacks import callback_of, complete, issue
from sluice.secret import Secret
from sluice.storage import audit

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

    from sluice.runs.check_callbacks import Result

DEPOT = Covered(kind="endpoint", id="d1", name="depot")


def waiting(bench: Bench) -> tuple[Suite, Secret]:
    """A stored suite whose only check waits for the answer of a service."""
    run = bench.create("steps: [{bash: echo}]")
    check = Check(
        id="c1",
        configuration_id=1,
        configuration_version=1,
        kind="rest-api",
        label="Invoke REST API",
        category="main",
        resource=DEPOT,
        timeout=60,
        state=State.RUNNING,
        created_at=bench.orchestrator.clock(),
        evaluations=1,
    )
    check, token = issue(check, bench.orchestrator.clock())
    suite = Suite(
        id="s1",
        run_id=run.id,
        project_id=run.project_id,
        pipeline_id=run.pipeline_id,
        stage="__default",
        attempt=1,
        state=State.RUNNING,
        created_at=bench.orchestrator.clock(),
        resources=(DEPOT,),
        checks=(check,),
    )
    with bench.database.write() as transaction:
        suites.save(transaction, [suite])
    return suite, token


def state_of(bench: Bench) -> State:
    with bench.database.read() as transaction:
        suite = suites.of_check(transaction, "c1")
    assert suite is not None
    return suite.checks[0].state


@pytest.mark.parametrize(("result", "state"), [("succeeded", State.APPROVED), ("failed", State.REJECTED)])
def test_the_service_decides_once_and_the_audit_log_tells(bench: Bench, result: Result, state: State) -> None:
    suite, token = waiting(bench)
    complete(bench.database, bench.orchestrator.clock, "c1", token, result, run_id=suite.run_id)
    assert state_of(bench) is state
    with pytest.raises(NotPermittedError, match="not answered") as error:
        complete(bench.database, bench.orchestrator.clock, "c1", token, "succeeded")
    assert "decided already" in error.value.why
    assert token.reveal() not in str(error.value)
    assert state_of(bench) is state
    with bench.database.read() as transaction:
        told = [link.entry for link in audit.entries(transaction) if link.entry.action == "Sluice.CheckAnswered"]
    assert len(told) == 1
    assert token.reveal() not in repr(told)


def test_a_wrong_token_changes_nothing(bench: Bench) -> None:
    waiting(bench)
    with pytest.raises(NotPermittedError) as error:
        complete(bench.database, bench.orchestrator.clock, "c1", Secret("guessed"), "succeeded")
    assert "not the one that was given out" in str(error.value.why)
    assert state_of(bench) is State.RUNNING


def test_the_token_is_not_stored(bench: Bench) -> None:
    _, token = waiting(bench)
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if token.reveal().encode() in path.read_bytes()] == []


@pytest.mark.parametrize(("check", "run"), [("c2", None), ("c1", 999)])
def test_a_check_that_there_is_not_is_told(bench: Bench, check: str, run: int | None) -> None:
    _, token = waiting(bench)
    with pytest.raises(NotFoundError, match="there is no check"):
        complete(bench.database, bench.orchestrator.clock, check, token, "succeeded", run_id=run)


def test_a_service_is_told_where_to_answer(bench: Bench) -> None:
    suite, token = waiting(bench)
    told = callback_of(
        suite, suite.checks[0], token, server="https://sluice.example/", project_id="p1", plan_id="plan1"
    )
    assert told.url == "https://sluice.example/p1/_apis/distributedtask/hubs/build/plans/plan1/events"
    assert told.headers == {
        "PlanUrl": "https://sluice.example/",
        "ProjectId": "p1",
        "HubName": "build",
        "PlanId": "plan1",
        "JobId": "s1",
        "TaskInstanceId": "c1",
    }
    alone = callback_of(suite, suite.checks[0], token, server="", project_id="p1", plan_id="plan1")
    assert (alone.url, "PlanUrl" in alone.headers) == ("", False)
