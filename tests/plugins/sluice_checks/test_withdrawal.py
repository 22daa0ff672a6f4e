"""Business hours beside an approval: the pass is withdrawn at closing time when the stage has not started by then."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.doubles.check_runs import evaluation

from sluice.authorization.checks import approval, suite
from sluice.authorization.checks.approval import Statement, Verdict, same_person
from sluice.authorization.checks.kinds import APPROVAL
from sluice.authorization.checks.model import Check, Configuration, Covered, State, Suite
from sluice.hooks.checks import CheckType
from sluice_checks._types import BUSINESS_HOURS

DEPOT = Covered(kind="endpoint", id="d1", name="depot")
OFFICE = {
    "businessDays": "Monday, Tuesday, Wednesday, Thursday, Friday",
    "startTime": "09:00",
    "endTime": "17:00",
    "timeZone": "W. Europe Standard Time",
}


def at(text: str) -> float:
    return datetime.fromisoformat(f"{text}+01:00").timestamp()


def check(kind: CheckType, settings: dict[str, str], now: float, timeout: int = 10_000) -> Check:
    configuration = Configuration(
        project_id=1,
        resource_kind="endpoint",
        resource_id="d1",
        kind=kind.name,
        settings=settings,
        timeout=timeout,
        retry_interval=kind.retry_interval,
    )
    return suite.new_check(configuration, DEPOT, kind, check_id=kind.name, now=now)


def begun(now: float, *checks: Check) -> Suite:
    return Suite(
        id="s1",
        run_id=7,
        project_id=1,
        pipeline_id=1,
        stage="Deploy",
        attempt=1,
        requester="bob",
        created_at=now,
        resources=(DEPOT,),
        checks=checks,
    )


def go_on(one: Suite, now: float) -> Suite:
    """What a driver does: advance, evaluate what is due, advance."""
    one = suite.advance(one, now, takes_locks=lambda _: True)
    for due in suite.due(one, now):
        one = suite.claim(one, due.id, now)
        moment = datetime.fromtimestamp(now, UTC)
        decision = BUSINESS_HOURS.evaluate(evaluation(BUSINESS_HOURS, due.settings, now=moment))
        one = suite.record(one, due.id, due.evaluations + 1, decision, now)
    return suite.advance(one, now, takes_locks=lambda _: True)


def approved(one: Suite, now: float) -> Suite:
    pending = one.check(APPROVAL.name)
    assert pending is not None
    statement = Statement(verdict=Verdict.APPROVE, by="ada", at=now)
    return suite.put(one, approval.decide(pending, statement, one.requester, same_person))


def hours(one: Suite) -> Check:
    found = one.check(BUSINESS_HOURS.name)
    assert found is not None
    return found


def test_an_approval_after_closing_time_waits_for_the_next_opening() -> None:
    monday = at("2026-01-05T16:00")
    ask = check(APPROVAL, {"approvers": "ada"}, monday)
    one = go_on(begun(monday, ask, check(BUSINESS_HOURS, OFFICE, monday)), monday)
    assert (one.state, hours(one).state) == (State.RUNNING, State.APPROVED)
    assert suite.next_due(one) == at("2026-01-05T17:00")

    one = go_on(one, at("2026-01-05T17:00"))
    assert hours(one).state is State.RUNNING
    assert hours(one).message == "waiting for business hours: Tuesday 2026-01-06 09:00 (W. Europe Standard Time)"

    one = go_on(approved(one, at("2026-01-05T20:00")), at("2026-01-05T20:00"))
    assert one.state is State.RUNNING
    assert suite.next_due(one) == at("2026-01-06T09:00")
    assert go_on(one, at("2026-01-06T09:00")).state is State.APPROVED


def test_an_approval_in_business_hours_starts_the_stage() -> None:
    monday = at("2026-01-05T16:00")
    ask = check(APPROVAL, {"approvers": "ada"}, monday)
    one = go_on(begun(monday, ask, check(BUSINESS_HOURS, OFFICE, monday)), monday)
    assert go_on(approved(one, at("2026-01-05T16:59")), at("2026-01-05T16:59")).state is State.APPROVED


def test_business_hours_that_do_not_come_in_time_fail_the_stage() -> None:
    friday = at("2026-01-09T17:00")
    one = go_on(begun(friday, check(BUSINESS_HOURS, OFFICE, friday, timeout=1440)), friday)
    assert suite.next_due(one) == at("2026-01-10T17:00")
    one = go_on(one, at("2026-01-10T17:00"))
    late = suite.timed_out(one)
    assert (one.state, late and late.on_timeout) == (State.TIMED_OUT, "failed")
