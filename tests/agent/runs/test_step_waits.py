"""What the steps of agentless jobs wait for."""

from __future__ import annotations

import json

import pytest

from sluice.authorization.texts import DELAY, VALIDATION
from sluice.runs.step_waits import (
    DECIDED,
    answer_of,
    decision_of,
    wait_of,
    with_answer,
    with_decision,
    with_wait,
    without_wait,
)
from sluice.runtime.request import Outcome, StepAnswer, WaitFor


def test_a_wait_survives_its_storage() -> None:
    asked = WaitFor(kind=VALIDATION, seconds=60, properties={"instructions": "look"})
    details = with_wait({"leg": 1}, "step", asked, now=100.0, job_until=130.0)
    wait = wait_of(json.loads(json.dumps(details)))
    assert wait is not None
    assert (wait.step, wait.kind, wait.until, wait.due) == ("step", VALIDATION, 160.0, 130.0)
    assert wait.properties == {"instructions": "look"}
    assert without_wait(details) == {"leg": 1}
    assert wait_of({"leg": 1}) is None


@pytest.mark.parametrize(("kind", "outcome"), [(DELAY, Outcome.ELAPSED), (VALIDATION, Outcome.TIMED_OUT)])
def test_time_alone_answers_each_kind_in_its_own_way(kind: str, outcome: Outcome) -> None:
    wait = wait_of(with_wait({}, "s", WaitFor(kind=kind, seconds=1), now=0.0, job_until=None))
    assert wait is not None
    assert wait.answer_of_time.outcome is outcome
    assert wait.due == 1.0


def test_answers_are_kept_by_step() -> None:
    first, second = StepAnswer(outcome=Outcome.ELAPSED), StepAnswer(outcome=Outcome.REJECTED, by="ann", comment="no")
    details = json.loads(json.dumps(with_answer({}, "a", first)))
    options = json.loads(json.dumps(with_decision({"branch": "main"}, "job", "b", second)))
    decided = options[DECIDED]
    assert options["branch"] == "main"
    assert answer_of(details, "a", decision_of(decided, "job", "a")) == first
    assert answer_of(details, "b", decision_of(decided, "job", "b")) == second
    assert decision_of(decided, "another", "b") is None


@pytest.mark.parametrize("outcome", [Outcome.APPROVED, Outcome.REJECTED])
def test_an_answer_of_a_person_counts_only_where_it_was_decided(outcome: Outcome) -> None:
    details = with_answer({}, "a", StepAnswer(outcome=outcome, by="mallory"))
    assert answer_of(details, "a", None) is None
    decision = StepAnswer(outcome=Outcome.REJECTED, by="ann")
    assert answer_of(details, "a", decision) == decision
