"""The state machine of a checkpoint's checks. Pure: time, ids and what evaluations said come in as arguments.

Categories follow one another; the checks of one run side by side. The suite passes when all checks hold in the same
moment, the exclusive locks last. A pass holds for good, for one retry interval, or up to the moment that the check
itself named; what ends before the suite has passed is evaluated again. One negative end is the end of the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from sluice.authorization import texts
from sluice.authorization.checks import approval
from sluice.authorization.checks.kinds import EXCLUSIVE_LOCK
from sluice.authorization.checks.model import (
    NEGATIVE,
    PASSED,
    Check,
    Configuration,
    Covered,
    State,
    StepState,
    Suite,
)
from sluice.hooks.checks import CATEGORIES, Category, CheckType, Decision

MAX_EVALUATIONS: Final = 2_000
"""Documented: a check is evaluated at most so often in one checkpoint."""

LEASE_SECONDS: Final = 180.0
"""How long an evaluation may take until it counts as lost (its process died), and is begun again."""

MINUTE: Final = 60.0
_RECORD_TYPES: Final = ("Checkpoint.Approval", "Checkpoint.TaskCheck", "Checkpoint.ExtendsCheck")
LOCK_RECORD: Final = "Checkpoint.ExclusiveLock"
RECORD_TYPES: Final = (*_RECORD_TYPES, LOCK_RECORD)
"""The types of timeline records that checks have."""


def is_lock(check: Check) -> bool:
    """Whether the check is an exclusive lock."""
    return check.kind == EXCLUSIVE_LOCK.name


def new_check(
    configuration: Configuration, resource: Covered, kind: CheckType | None, *, check_id: str, now: float
) -> Check:
    """A check of a new suite. One whose kind no loaded plugin offers fails: nobody can tell whether it would pass."""
    check = Check(
        id=check_id,
        configuration_id=configuration.id,
        configuration_version=configuration.version,
        kind=configuration.kind,
        label=kind.label if kind else configuration.kind,
        category=_category(configuration, kind),
        resource=resource,
        settings=dict(configuration.settings),
        timeout=configuration.timeout,
        retry_interval=configuration.retry_interval,
        created_at=now,
    )
    if kind is None:
        message = f"no loaded plugin offers the kind of check '{configuration.kind}'"
        return replace(check, state=State.FAILED, message=message, completed_at=now)
    record_type = kind.record_type if kind.record_type in RECORD_TYPES else "Checkpoint.TaskCheck"
    return replace(
        check, final=kind.final, on_timeout=kind.on_timeout, bypassable=kind.bypassable, record_type=record_type
    )


def advance(suite: Suite, now: float, *, takes_locks: Callable[[Suite], bool]) -> Suite:
    """The suite as far as time and stored decisions take it.

    `takes_locks` is asked once nothing but exclusive locks is missing: whether all of them can be had now.
    """
    if not suite.open:
        return suite
    checks = [_in_time(check, now) for check in suite.checks]
    if ended := _ended(checks):
        return _close(replace(suite, checks=tuple(checks)), ended, now)
    checks = _start(checks, now)
    suite = replace(suite, state=State.RUNNING, checks=tuple(checks))
    if ended := _ended(suite.checks):  # an approval may need nobody, a time-out may be over at once
        return _close(suite, ended, now)
    if not all(check.holds(now) for check in suite.checks if not is_lock(check)):
        return suite
    locks = [check for check in suite.checks if is_lock(check) and check.state not in PASSED]
    if locks and not takes_locks(suite):
        return suite
    held = tuple(
        replace(check, state=State.APPROVED, completed_at=now) if check in locks else check for check in suite.checks
    )
    return replace(suite, checks=held, state=State.APPROVED, completed_at=now)


def due(suite: Suite, now: float) -> list[Check]:
    """The checks that are to be evaluated now."""
    if not suite.open:
        return []
    return [
        check
        for check in suite.checks
        if check.state is State.RUNNING and not _by_others(check) and check.due_at is not None and check.due_at <= now
    ]


def next_due(suite: Suite) -> float:
    """When time alone changes something in the suite next; infinity when never."""
    if not suite.open:
        return float("inf")
    times: list[float | None] = []
    for check in suite.checks:
        if check.state is State.RUNNING:
            times += [check.due_at, check.expires_at]
        elif check.state in PASSED:
            times.append(check.holds_until)
    return min((one for one in times if one is not None), default=float("inf"))


def claim(suite: Suite, check_id: str, now: float) -> Suite:
    """The suite with an evaluation of that check begun; nobody else begins one before the lease is over."""

    def begun(check: Check) -> Check:
        return replace(check, evaluations=check.evaluations + 1, last_at=now, due_at=now + LEASE_SECONDS)

    return _changed(suite, check_id, begun)


def record(suite: Suite, check_id: str, evaluation: int, decision: Decision, now: float) -> Suite:
    """The suite with what an evaluation said; one that is not the newest of a running check counts no more."""

    def said(check: Check) -> Check:
        if check.state is not State.RUNNING or check.evaluations != evaluation:
            return check
        return _after(check, decision, now)

    return _changed(suite, check_id, said) if suite.open else suite


def bypass(suite: Suite, check_id: str, *, by: str, at: float, message: str = "") -> Suite:
    """The suite with a check that counts as passed because an Administrator said so."""
    said = message or f"bypassed by {by}"

    def bypassed(check: Check) -> Check:
        check = approval.close(check, StepState.SKIPPED)
        return replace(
            check, state=State.BYPASSED, message=said, decided_by=by, completed_at=at, holds_until=None, due_at=None
        )

    return _changed(suite, check_id, bypassed)


def can_rerun(check: Check) -> bool:
    """Whether a check that passed may be asked once more: one that asks somebody else, and just once (documented)."""
    asked_once = not check.final and not check.retry_interval and check.holds_until is None
    return check.state is State.APPROVED and asked_once and not _by_others(check)


def rerun(suite: Suite, check_id: str, now: float) -> Suite:
    """The suite with a check that passed to be evaluated again, with all of its time."""

    def again(check: Check) -> Check:
        expires_at = now + check.timeout * MINUTE if check.timeout else None
        return replace(
            check, state=State.RUNNING, message="", completed_at=None, started_at=now, expires_at=expires_at, due_at=now
        )

    return _changed(suite, check_id, again)


def put(suite: Suite, check: Check) -> Suite:
    """The suite with a check as it is now."""
    return _changed(suite, check.id, lambda _: check)


def cancel(suite: Suite, now: float, message: str = texts.ABORTED) -> Suite:
    """The suite of a checkpoint that is not needed any more."""
    return _close(suite, (State.CANCELED, message), now) if suite.open else suite


def timed_out(suite: Suite) -> Check | None:
    """The check whose time-out ended the suite."""
    return next((check for check in suite.checks if check.state is State.TIMED_OUT), None)


def without_turn(suite: Suite) -> Suite:
    """The suite of a stage that could not start now: its locks keep their places in the queue, and nobody waits for it."""
    return replace(
        suite,
        checks=tuple(
            replace(check, state=State.QUEUED) if is_lock(check) and check.state is State.RUNNING else check
            for check in suite.checks
        ),
    )


def lost_locks(suite: Suite, now: float) -> Suite:
    """The suite of a started stage whose locks went to somebody else: they are asked for again."""

    def lost(check: Check) -> Check:
        if not is_lock(check):
            return check
        return replace(check, state=State.RUNNING, started_at=now, completed_at=None, expires_at=None)

    return replace(suite, released_at=None, checks=tuple(map(lost, suite.checks)))


def regained(suite: Suite, now: float) -> Suite:
    """The suite of a started stage that has its locks again."""

    def held(check: Check) -> Check:
        return replace(check, state=State.APPROVED, completed_at=now) if is_lock(check) else check

    return replace(suite, checks=tuple(map(held, suite.checks)))


def _category(configuration: Configuration, kind: CheckType | None) -> Category:
    if kind is None:
        return "sanityChecks"
    wanted = configuration.settings.get("when", "") if kind.name == "approval" else ""
    return next((category for category in CATEGORIES if category == wanted), kind.category)


def _by_others(check: Check) -> bool:
    """Whether not an evaluation but people, or the queue of a lock, decide it."""
    return approval.is_approval(check) or is_lock(check)


def _in_time(check: Check, now: float) -> Check:
    """What the time makes of a check: deferred approvals count, passes and patience end."""
    if approval.is_approval(check):
        check = approval.settle(check, now if check.expires_at is None else min(now, check.expires_at))
    if check.state is State.APPROVED and not check.holds(now):
        check = replace(check, state=State.RUNNING, completed_at=None, holds_until=None, due_at=now)
        if check.hands_back:
            check = replace(check, expires_at=now + check.timeout * MINUTE if check.timeout else None)
    if check.is_late(now):
        check = approval.close(check, StepState.TIMED_OUT)
        message = check.message or f"{check.label} was not decided in time."
        return replace(check, state=State.TIMED_OUT, message=message, completed_at=now, due_at=None)
    return check


def _start(checks: list[Check], now: float) -> list[Check]:
    """Begin the checks of the first category that has not passed. A lock keeps its place in the queue meanwhile."""
    for category in CATEGORIES:
        mine = [check for check in checks if check.category == category]
        checks = [_begin(check, now) if check in mine and check.state is State.QUEUED else check for check in checks]
        if not all(check.holds(now) for check in checks if check.category == category):
            break
    waits = any(not check.holds(now) for check in checks if not is_lock(check))
    return [
        replace(check, state=State.QUEUED) if waits and is_lock(check) and check.state is State.RUNNING else check
        for check in checks
    ]


def _begin(check: Check, now: float) -> Check:
    if check.started_at is not None:  # a lock that had its place in the queue before
        return replace(check, state=State.RUNNING)
    check = replace(
        check,
        state=State.RUNNING,
        started_at=now,
        expires_at=now + check.timeout * MINUTE if check.timeout else None,
        due_at=None if _by_others(check) else now,
    )
    if not approval.is_approval(check):
        return check
    check = approval.begin(check, now)
    if not check.steps:
        return replace(check, state=State.FAILED, message="nobody is named as approver", completed_at=now)
    return check


def _ended(checks: Iterable[Check]) -> tuple[State, str] | None:
    """The negative end of one check, which is the suite's: a decision counts more than a time-out."""
    for state in (State.REJECTED, State.FAILED, State.CANCELED, State.TIMED_OUT):
        for check in checks:
            if check.state is state:
                return state, f"{check.label} on '{check.resource.name}': {check.message}"
    return None


def _close(suite: Suite, ended: tuple[State, str], now: float) -> Suite:
    state, message = ended
    checks = tuple(_aborted(check, now) for check in suite.checks)
    return replace(suite, state=state, message=message, completed_at=now, checks=checks)


def _aborted(check: Check, now: float) -> Check:
    if check.state in PASSED or check.state in NEGATIVE:
        return check
    check = approval.close(check, StepState.CANCELED)
    return replace(check, state=State.CANCELED, message=texts.ABORTED, completed_at=now, due_at=None)


def _changed(suite: Suite, check_id: str, change: Callable[[Check], Check]) -> Suite:
    return replace(suite, checks=tuple(change(check) if check.id == check_id else check for check in suite.checks))


def _after(check: Check, decision: Decision, now: float) -> Check:
    """A running check after an evaluation."""
    until = decision.until.timestamp() if decision.until else None
    again = now + check.retry_interval * MINUTE if check.retry_interval else None
    check = replace(check, message=decision.message, last_outcome=decision.outcome)
    if check.evaluations >= MAX_EVALUATIONS and decision.outcome != "approved":
        message = f"evaluated {MAX_EVALUATIONS} times without passing: {decision.message}"
        return replace(check, state=State.FAILED, message=message, completed_at=now, due_at=None)
    if decision.outcome == "approved":
        return _passed(check, until, again, now)
    if decision.outcome == "waiting":
        return replace(check, due_at=_not_before(until, now) or again)
    if decision.outcome == "rejected" and (check.final or again is None):
        return replace(check, state=State.REJECTED, completed_at=now, due_at=None)
    if again is None:
        return replace(check, state=State.FAILED, completed_at=now, due_at=None)
    return replace(check, due_at=again)


def _passed(check: Check, until: float | None, again: float | None, now: float) -> Check:
    """A pass up to the moment that was named, else for one interval where decisions are not final."""
    holds_until = until if until is not None else None if check.final else again
    hands_back = until is not None
    return replace(
        check, state=State.APPROVED, completed_at=now, holds_until=holds_until, hands_back=hands_back, due_at=None
    )


def _not_before(until: float | None, now: float) -> float | None:
    """A moment to ask again that lies ahead: a check that names a past one would be asked without end."""
    return None if until is None else max(until, now + 1.0)
