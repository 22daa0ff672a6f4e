"""The state machine of a checkpoint's checks, driven at random and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.authorization.checks import suite as machine
from sluice.authorization.checks.kinds import APPROVAL, EXCLUSIVE_LOCK
from sluice.authorization.checks.model import NEGATIVE, Check, Configuration, Covered, State, Suite
from sluice.authorization.checks.suite import LEASE_SECONDS, MAX_EVALUATIONS, MINUTE, advance, claim, due, record
from sluice.hooks.checks import CATEGORIES, Category, CheckType, Decision

PROD = Covered(kind="environment", id="p", name="production")


def kind(name: str = "gate", category: Category = "main", *, interval: int = 0, final: bool = False) -> CheckType:
    return CheckType(
        name, name, lambda run: Decision.approved(), category=category, retry_interval=interval, final=final, timeout=60
    )


def new(*kinds: CheckType) -> Suite:
    checks = tuple(
        machine.new_check(
            Configuration(
                project_id=1,
                resource_kind=PROD.kind,
                resource_id=PROD.id,
                kind=one.name,
                settings={"approvers": "alice"} if one is APPROVAL else {},
                timeout=one.timeout,
                retry_interval=one.retry_interval,
            ),
            PROD,
            one,
            check_id=f"c{number}",
            now=0.0,
        )
        for number, one in enumerate(kinds)
    )
    return Suite(
        id="s",
        run_id=1,
        project_id=1,
        pipeline_id=1,
        stage="S",
        attempt=1,
        created_at=0.0,
        resources=(PROD,),
        checks=checks,
    )


def go(suite: Suite, now: float = 0.0, *, takes: bool = True) -> Suite:
    return advance(suite, now, takes_locks=lambda _: takes)


def say(suite: Suite, check_id: str, decision: Decision, now: float = 0.0) -> Suite:
    claimed = claim(suite, check_id, now)
    found = claimed.check(check_id)
    assert found is not None
    return go(record(claimed, check_id, found.evaluations, decision, now), now)


def states(suite: Suite) -> list[str]:
    return [str(check.state) for check in suite.checks]


def test_without_checks_a_suite_passes_at_once() -> None:
    assert go(new()).state is State.APPROVED


def test_categories_follow_one_another() -> None:
    suite = go(new(kind("b"), kind("a", "sanityChecks"), kind("c", "postChecks"), EXCLUSIVE_LOCK))
    assert states(suite) == ["queued", "running", "queued", "queued"]
    suite = say(suite, "c1", Decision.approved())
    assert states(suite) == ["running", "approved", "queued", "queued"]
    suite = say(suite, "c0", Decision.approved())
    assert states(suite) == ["approved", "approved", "running", "queued"]
    assert say(suite, "c2", Decision.approved()).state is State.APPROVED


def test_a_pass_that_ended_sends_the_lock_back_and_it_keeps_its_place() -> None:
    suite = go(new(kind(interval=1), EXCLUSIVE_LOCK), takes=False)
    claimed = claim(suite, "c0", 0.0)
    suite = go(record(claimed, "c0", 1, Decision.approved(), 0.0), 0.0, takes=False)
    assert states(suite) == ["approved", "running"]
    suite = go(suite, MINUTE, takes=False)
    assert states(suite) == ["running", "queued"]
    assert suite.checks[1].started_at == 0.0
    assert say(suite, "c0", Decision.approved(), MINUTE).state is State.APPROVED


def test_a_pass_that_names_its_end_is_withdrawn_then_with_new_patience() -> None:
    suite = go(new(kind(final=True, interval=5), APPROVAL))
    suite = say(suite, "c0", Decision.approved(until=datetime.fromtimestamp(100 * MINUTE, UTC)))
    assert go(suite, 99 * MINUTE).checks[0].state is State.APPROVED
    suite = go(suite, 100 * MINUTE)
    assert suite.checks[0].state is State.RUNNING
    assert suite.checks[0].expires_at == 160 * MINUTE


def test_a_rejection_ends_the_suite_unless_it_may_be_asked_again() -> None:
    rejected = say(go(new(kind(), APPROVAL)), "c0", Decision.rejected("no"))
    assert (rejected.state, states(rejected)) == (State.REJECTED, ["rejected", "canceled"])
    again = say(go(new(kind(interval=2))), "c0", Decision.rejected("no"))
    assert (again.state, due(again, MINUTE), len(due(again, 2 * MINUTE))) == (State.RUNNING, [], 1)
    final = say(go(new(kind(interval=2, final=True))), "c0", Decision.rejected("no"))
    assert final.state is State.REJECTED


def test_an_error_is_the_end_only_without_a_retry_interval() -> None:
    assert say(go(new(kind())), "c0", Decision.error("gone")).state is State.FAILED
    assert say(go(new(kind(interval=1))), "c0", Decision.error("gone")).state is State.RUNNING


def test_patience_ends() -> None:
    late = go(say(go(new(kind(interval=1))), "c0", Decision.waiting("not yet")), 60 * MINUTE)
    assert (late.state, states(late)) == (State.TIMED_OUT, ["timedOut"])


def test_an_evaluation_is_begun_once_and_again_only_when_it_is_lost() -> None:
    suite = claim(go(new(kind())), "c0", 0.0)
    assert due(suite, LEASE_SECONDS - 1) == []
    again = claim(suite, "c0", LEASE_SECONDS)
    assert record(again, "c0", 1, Decision.approved(), LEASE_SECONDS) == again
    assert record(again, "c0", 2, Decision.approved(), LEASE_SECONDS).checks[0].state is State.APPROVED


def test_a_check_is_not_evaluated_without_end() -> None:
    suite = go(new(kind(interval=1)))
    for _ in range(MAX_EVALUATIONS):
        suite = claim(suite, "c0", 0.0)
    assert record(suite, "c0", MAX_EVALUATIONS, Decision.rejected("no"), 0.0).checks[0].state is State.FAILED


def test_a_bypass_passes_one_check() -> None:
    suite = machine.bypass(go(new(kind(), kind("other"))), "c0", by="root", at=1.0)
    assert states(go(suite, 1.0)) == ["bypassed", "running"]


def test_an_approval_without_approvers_fails() -> None:
    suite = new(APPROVAL)
    (check,) = suite.checks
    emptied = machine.put(suite, _without_approvers(check))
    assert go(emptied).state is State.FAILED


def _without_approvers(check: Check) -> Check:
    from dataclasses import replace

    return replace(check, settings={})


DECISIONS = st.sampled_from(
    [
        Decision.approved(),
        Decision.approved(until=datetime.fromtimestamp(300.0, UTC)),
        Decision.rejected("no"),
        Decision.waiting("not yet"),
        Decision.waiting("not yet", until=datetime.fromtimestamp(200.0, UTC)),
        Decision.error("gone"),
    ]
)
KINDS = st.lists(
    st.builds(kind, category=st.sampled_from(CATEGORIES[1:5]), interval=st.integers(0, 2), final=st.booleans()),
    max_size=4,
)
MOVES = st.lists(st.tuples(st.integers(0, 3), DECISIONS, st.sampled_from([0.0, 1.0, 70.0, 400.0])), max_size=20)


@given(KINDS, MOVES)
def test_whatever_evaluations_say_the_suite_stays_lawful(
    kinds: Sequence[CheckType], moves: Sequence[tuple[int, Decision, float]]
) -> None:
    now = 0.0
    suite = go(new(*kinds))
    for number, decision, seconds in moves:
        now += seconds
        suite = go(suite, now)
        ready = due(suite, now)
        if ready:
            suite = say(suite, ready[number % len(ready)].id, decision, now)
        lawful(suite, now)
        assert go(suite, now) == suite
        if not suite.open:
            return


def lawful(suite: Suite, now: float) -> None:
    if suite.state is State.APPROVED:
        assert all(check.holds(now) for check in suite.checks)
    elif suite.state in NEGATIVE:
        assert any(check.state is suite.state for check in suite.checks)
        assert not any(check.state in {State.QUEUED, State.RUNNING} for check in suite.checks)
    for check in suite.checks:
        before = [one for one in suite.checks if CATEGORIES.index(one.category) < CATEGORIES.index(check.category)]
        if check.state is State.QUEUED:
            assert suite.open
        if check.started_at is None and suite.state is State.RUNNING:
            assert any(not one.holds(now) for one in before) or check.state is State.FAILED


@pytest.mark.parametrize("when", ["preChecks", "main", "postChecks"])
def test_an_approval_is_asked_when_its_settings_say(when: Category) -> None:
    configured = Configuration(
        project_id=1,
        resource_kind="environment",
        resource_id="p",
        kind="approval",
        settings={"approvers": "a", "when": when},
        timeout=1,
    )
    assert machine.new_check(configured, PROD, APPROVAL, check_id="c", now=0.0).category == when
