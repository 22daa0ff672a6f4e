from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.authorization.checks import callback
from sluice.authorization.checks.model import Check, Covered, State, Suite
from sluice.hooks.checks import Decision
from sluice.secret import Secret

NOW = 1_000_000.0
TOKEN = Secret("token-of-this-check-0123456789")
DEPOT = Covered(kind="endpoint", id="d1", name="depot")
CHECK = Check(
    id="c1",
    configuration_id=1,
    configuration_version=1,
    kind="rest-api",
    label="Invoke REST API",
    category="main",
    resource=DEPOT,
    timeout=60,
    state=State.RUNNING,
    created_at=NOW,
    evaluations=1,
)


def suite(check: Check, state: State = State.RUNNING) -> Suite:
    return Suite(
        id="s1",
        run_id=7,
        project_id=1,
        pipeline_id=1,
        stage="Deploy",
        attempt=1,
        state=state,
        created_at=NOW,
        resources=(DEPOT,),
        checks=(check,),
    )


def expecting(**changes: object) -> Check:
    return replace(callback.expect(CHECK, TOKEN, NOW), **changes)  # type: ignore[arg-type]  # fields of a check


def test_the_token_that_was_given_out_may_answer() -> None:
    check = expecting()
    assert callback.refusal(suite(check), check, TOKEN, NOW + 47 * 3600) == ""
    assert TOKEN.reveal() not in repr(check)


@pytest.mark.parametrize(
    ("check", "state", "token", "later", "why"),
    [
        (expecting(), State.RUNNING, "another", 0.0, "not the one"),
        (expecting(), State.RUNNING, "", 0.0, "not the one"),
        (CHECK, State.RUNNING, "", 0.0, "not the one"),
        (expecting(), State.RUNNING, TOKEN.reveal(), 48 * 3600.0, "48 hours"),
        (expecting(state=State.TIMED_OUT), State.TIMED_OUT, TOKEN.reveal(), 0.0, "decided already: timedOut"),
        (expecting(), State.CANCELED, TOKEN.reveal(), 0.0, "decided already"),
    ],
)
def test_no_other_token_and_no_other_time_does(check: Check, state: State, token: str, later: float, why: str) -> None:
    assert why in callback.refusal(suite(check, state), check, Secret(token), NOW + later)


def test_a_token_given_out_anew_ends_the_one_before() -> None:
    check = callback.expect(expecting(), Secret("newer"), NOW)
    assert callback.refusal(suite(check), check, TOKEN, NOW)
    assert callback.refusal(suite(check), check, Secret("newer"), NOW) == ""


@pytest.mark.parametrize(
    ("decision", "state"),
    [(Decision.approved(), State.APPROVED), (Decision.rejected("no"), State.REJECTED)],
)
def test_an_answer_is_final_and_uses_the_token_up(decision: Decision, state: State) -> None:
    check = expecting(retry_interval=5)
    after = callback.answered(suite(check), check, decision, NOW)
    (decided,) = after.checks
    assert (decided.state, decided.holds_until) == (state, None)
    assert callback.refusal(after, decided, TOKEN, NOW)
