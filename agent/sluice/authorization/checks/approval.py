"""Approvals: who may decide when, and what that makes of the approval. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sluice.authorization.checks.kinds import APPROVAL, IN_SEQUENCE
from sluice.authorization.checks.model import Check, State, Step, StepState
from sluice.errors import ConflictError, NotPermittedError, UsageError
from sluice.values import dataclass

Matches = Callable[[str, str], bool]
"""Whether a person (the second) is an approver: that user or a member of that group, by its id or its name."""

APPROVER_IDS = "approverIds"
"""The setting that holds the ids of the approvers, in their order: a name may be somebody else's later."""

MAX_COMMENT = 4_000


class Verdict(enum.StrEnum):
    """What an approver says."""

    APPROVE = "approved"
    REJECT = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person says to an approval; `deferred_to` lets an approval count only from that moment on."""

    verdict: Verdict
    by: str
    at: float
    comment: str = ""
    deferred_to: float | None = None


def same_person(approver: str, person: str) -> bool:
    """Whether both are the same user, where there are no groups."""
    return approver.strip().casefold() == person.strip().casefold()


def names_in(text: str) -> tuple[str, ...]:
    """The names of a list separated by commas, each once, in order."""
    names = [name.strip() for name in text.split(",")]
    return tuple({name.casefold(): name for name in names if name}.values())


def is_approval(check: Check) -> bool:
    """Whether people decide the check."""
    return check.kind == APPROVAL.name


def required(check: Check) -> int:
    """How many approvals it takes; 0 in the settings stands for all."""
    wanted = check.settings.get("minRequiredApprovers", "").strip()
    minimum = int(wanted) if wanted.isdecimal() else 0
    return min(minimum, len(check.steps)) or len(check.steps)


def begin(check: Check, now: float) -> Check:
    """Ask the approvers: all of them, or the first."""
    in_sequence = check.settings.get("executionOrder", "").casefold() == IN_SEQUENCE.casefold()
    names = names_in(check.settings.get("approvers", ""))
    ids = check.settings.get(APPROVER_IDS, "").split(",")
    known = dict(zip(names, ids, strict=True)) if len(ids) == len(names) else {}
    steps = tuple(
        Step(approver=name, approver_id=known.get(name, ""), initiated_at=now)
        if number == 0 or not in_sequence
        else Step(approver=name, approver_id=known.get(name, ""), state=StepState.UNINITIATED)
        for number, name in enumerate(names)
    )
    return replace(check, steps=steps)


def pending(check: Check) -> list[Step]:
    """The parts that an approver may decide now."""
    return [step for step in check.steps if step.state is StepState.PENDING]


def waits_for(check: Check) -> list[str]:
    """The approvers who may decide now."""
    return [step.approver for step in pending(check)]


def never(check: Check, person: str, requester: str, matches: Matches) -> str:
    """Why a person may never decide this approval, whoever gives it to them; '' when that may be."""
    if any(matches(one, person) for one in names_in(check.settings.get("blockedApprovers", ""))):
        return f"{person} is blocked from approving it"
    if check.settings.get("requesterCannotBeApprover", "").casefold() == "true" and same_person(requester, person):
        return f"{person} requested the run, and the requester may not approve it"
    return ""


def objection(check: Check, person: str, requester: str, matches: Matches) -> str:
    """Why a person may not decide this approval now; '' when they may."""
    if why := never(check, person, requester, matches):
        return why
    if any(same_person(step.actual, person) for step in check.steps if step.actual):
        return f"{person} has decided already"
    if not any(matches(step.who, person) for step in check.steps):
        return f"{person} is no approver of it: {', '.join(step.approver for step in check.steps)}"
    if not any(matches(step.who, person) for step in pending(check)):
        return f"it is not the turn of {person} yet: it waits for {', '.join(waits_for(check))}"
    return ""


def decide(check: Check, statement: Statement, requester: str, matches: Matches) -> Check:
    """The approval after a person's decision.

    Raises `ConflictError` when there is nothing to decide any more, `NotPermittedError` when they may not,
    `UsageError` for a decision that makes no sense.
    """
    if check.state is not State.RUNNING:
        raise ConflictError(f"this approval is decided already: it is {check.state}")
    require_in_time(check, statement.at)
    if why := objection(check, statement.by, requester, matches):
        raise NotPermittedError(f"the approval cannot be decided by {statement.by}", why=why)
    if len(statement.comment) > MAX_COMMENT:
        raise UsageError(f"a comment has at most {MAX_COMMENT} characters")
    deferred = statement.deferred_to is not None and statement.deferred_to > statement.at
    if statement.deferred_to is not None and (statement.verdict is Verdict.REJECT or not deferred):
        raise UsageError("only an approval can be deferred, and only to a moment that is still to come")
    if deferred and check.expires_at is not None and (statement.deferred_to or 0.0) >= check.expires_at:
        raise UsageError(f"the approval times out before that, at {day(check.expires_at)}")
    state = StepState.REJECTED if statement.verdict is Verdict.REJECT else StepState.APPROVED
    steps = list(check.steps)
    at = next(
        number
        for number, step in enumerate(steps)
        if step.state is StepState.PENDING and matches(step.who, statement.by)
    )
    steps[at] = replace(
        steps[at],
        state=StepState.DEFERRED if deferred else state,
        actual=statement.by,
        comment=statement.comment,
        modified_at=statement.at,
        deferred_to=statement.deferred_to if deferred else None,
    )
    return settle(replace(check, steps=tuple(steps)), statement.at)


def require_in_time(check: Check, now: float) -> None:
    """Raise `ConflictError` for a check whose time is over, also where nobody has looked since."""
    if check.is_late(now):
        raise ConflictError(
            f"it is too late: the {check.label} check timed out at {day(check.expires_at or now)}",
            do="'sluice resume' ends its stage, 'sluice retry' asks again",
        )


def day(seconds: float) -> str:
    """A moment as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def reassign(check: Check, approver: str, to: str, *, by: str, at: float, to_id: str = "", comment: str = "") -> Check:
    """The approval with a part of one approver given to another; raises `ConflictError` when there is none to give."""
    if check.state is not State.RUNNING:
        raise ConflictError(f"this approval is decided already: it is {check.state}")
    require_in_time(check, at)
    steps = list(check.steps)
    open_states = {StepState.PENDING, StepState.UNINITIATED}
    found = [n for n, step in enumerate(steps) if step.state in open_states and same_person(step.approver, approver)]
    if not found:
        raise ConflictError(
            f"nothing of this approval is left to {approver}", do=f"it waits for {', '.join(waits_for(check))}"
        )
    if any(same_person(step.approver, to) for step in steps):
        raise ConflictError(f"{to} is an approver already")
    step = steps[found[0]]
    note = {"assignedTo": step.approver, "createdBy": by, "createdOn": at, "comment": comment[:MAX_COMMENT]}
    steps[found[0]] = replace(step, approver=to, approver_id=to_id, modified_at=at, history=(*step.history, note))
    return replace(check, steps=tuple(steps))


def settle(check: Check, now: float) -> Check:
    """What the parts make of the approval at that moment: deferred ones count when their moment has come."""
    if check.state is not State.RUNNING or not check.steps:
        return check
    steps = [_in_effect(step, now) for step in check.steps]
    rejected = next((step for step in steps if step.state is StepState.REJECTED), None)
    approved = sum(step.state is StepState.APPROVED for step in steps)
    if rejected is None and approved < required(check):
        steps = _next_in_turn(steps, now)
        deferred = [step.deferred_to for step in steps if step.state is StepState.DEFERRED and step.deferred_to]
        return replace(check, steps=tuple(steps), due_at=min(deferred, default=None))
    steps = [_left_out(step) for step in steps]
    state, message = State.APPROVED, ""
    if rejected is not None:
        state = State.REJECTED
        message = f"rejected by {rejected.actual}" + (f": {rejected.comment}" if rejected.comment else "")
    else:
        message = f"approved by {', '.join(step.actual for step in steps if step.state is StepState.APPROVED)}"
    return replace(check, steps=tuple(steps), state=state, message=message, completed_at=now, due_at=None)


def close(check: Check, state: StepState) -> Check:
    """The approval with everything that is still open put to that state: canceled, or timed out."""
    open_states = {StepState.PENDING, StepState.UNINITIATED, StepState.DEFERRED}
    steps = tuple(replace(step, state=state) if step.state in open_states else step for step in check.steps)
    return replace(check, steps=steps)


def _in_effect(step: Step, now: float) -> Step:
    if step.state is StepState.DEFERRED and step.deferred_to is not None and step.deferred_to <= now:
        return replace(step, state=StepState.APPROVED)
    return step


def _next_in_turn(steps: Sequence[Step], now: float) -> list[Step]:
    """In sequence the next is asked when everybody before has approved."""
    steps = list(steps)
    for number, step in enumerate(steps):
        if step.state is StepState.UNINITIATED:
            if all(before.state is StepState.APPROVED for before in steps[:number]):
                steps[number] = replace(step, state=StepState.PENDING, initiated_at=now)
            break
    return steps


def _left_out(step: Step) -> Step:
    open_states = {StepState.PENDING, StepState.UNINITIATED, StepState.DEFERRED}
    return replace(step, state=StepState.SKIPPED) if step.state in open_states else step
