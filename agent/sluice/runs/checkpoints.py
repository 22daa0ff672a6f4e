"""The checks of the checkpoints of one run, while it is being advanced: begun, taken further, closed.

A checkpoint is passed when every resource that it is about is covered by a suite of checks that was approved for it,
for this attempt and for where the resource leads now. A resource that leads elsewhere meanwhile is asked about anew.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from sluice.authorization.checks import approval, lock, suite
from sluice.authorization.checks.lock import Claim, Place, Turn
from sluice.authorization.checks.model import NEGATIVE, Check, Covered, State, Suite
from sluice.authorization.resources import Known
from sluice.authorization.texts import TYPE_LABELS
from sluice.runs.waits import Asker, Waits
from sluice.runtime.request import Result
from sluice.values import dataclass

BEING_EVALUATED: Final = "it is being evaluated"
"""What a check waits for whose first evaluation is on its way: not worth telling, since that takes seconds."""

_LONGEST = 200
"""So much of the instructions to approvers is told along with what a run waits for: 'sluice approvals' shows them all."""

CHANGED: Final = "What it was asked for leads elsewhere now: it is asked again."


class Facts(Protocol):
    """What the checks of a checkpoint need to know."""

    @property
    def now(self) -> float:
        """Seconds since the epoch."""

    @property
    def driven(self) -> bool:
        """Whether a process drives the run: whoever only looks takes no lock."""

    def new_id(self) -> str:
        """An id that nothing else has."""

    def checks_on(self, resource: Covered) -> list[Check]:
        """New checks, as they are configured on a resource now."""

    def moved(self, resource: Covered, version: int) -> bool:
        """Whether a resource that was looked at leads elsewhere in this version than it did then."""

    def lock_claims(self, place: Place) -> list[Claim]:
        """What runs have to do with the exclusive lock of a resource: stored claims, of all runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What has come to a checkpoint: a stage's attempt or, with `job_id` and `step_id`, a step that asks late."""

    stage: str
    attempt: int
    job_id: str = ""
    step_id: str = ""
    lock_behavior: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Whether a checkpoint is passed; `suite` tells for what it waits, `result` what ends it."""

    suite: Suite | None = None
    passed: bool = False
    result: Result | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A check that is to be evaluated now."""

    suite_id: str
    check_id: str


class Checkpoints:
    """A working copy. `changed` are the suites to be stored; `superseded` and `abandoned` those of other runs."""

    def __init__(self, suites: Iterable[Suite], waits: Waits, asker: Asker, facts: Facts) -> None:
        self._stored = {one.id: one for one in suites}
        self._suites = dict(self._stored)
        self._waits = waits
        self._asker = asker
        self._facts = facts
        self._held: dict[Place, Claim | None] = {}
        self.superseded: set[str] = set()
        self.abandoned: set[str] = set()

    @property
    def changed(self) -> list[Suite]:
        """The suites that are not stored as they are now."""
        return [one for one in self._suites.values() if self._stored.get(one.id) != one]

    @property
    def completed(self) -> list[Suite]:
        """The suites that have come to their end now."""
        ended = (one for one in self.changed if not one.open and one.checks)
        return [one for one in ended if (before := self._stored.get(one.id)) is None or before.open]

    @property
    def due(self) -> list[Due]:
        """The checks that are to be evaluated now."""
        now = self._facts.now
        return [Due(one.id, check.id) for one in self._suites.values() for check in suite.due(one, now)]

    @property
    def next_due(self) -> float:
        """When time alone changes something next."""
        return min((suite.next_due(one) for one in self._suites.values()), default=float("inf"))

    @property
    def unattended(self) -> bool:
        """Whether checks are open, and none of them waits for a person or for a service's call."""
        running = self._running()
        return bool(running) and all(suite.is_lock(check) or check.due_at is not None for check in running)

    @property
    def queued(self) -> bool:
        """Whether an exclusive lock is waited for."""
        return any(map(suite.is_lock, self._running()))

    def _running(self) -> list[Check]:
        return [
            check
            for one in self._suites.values()
            for check in one.checks
            if lock.is_active(one, check) and check.state is State.RUNNING
        ]

    def enter(self, spot: Spot, permitted: Sequence[Known]) -> Passage:
        """Take the checks of a checkpoint as far as they go; `permitted` are its resources, all permitted now."""
        good = [one for one in self._of(spot) if one.state is State.APPROVED and one.job_id in {"", spot.job_id}]
        missing = [one for one in permitted if not any(self._covers(passed, one) for passed in good)]
        if not missing:
            return Passage(passed=True, suite=good[-1] if good else None)
        current = self._current(spot, missing)
        current = self._advanced(current)
        self._publish(current, spot)
        if current.state is State.APPROVED:
            return Passage(passed=True, suite=current)
        if current.state in NEGATIVE:
            return Passage(result=_result(current), message=current.message, suite=current)
        return Passage(suite=current)

    def wait(self, spot: Spot) -> Passage:
        """A Permit is missing: time goes on for checks that were asked before that, and nobody waits for their locks."""
        for one in self._of(spot):
            if not one.open or (one.job_id, one.step_id) != (spot.job_id, spot.step_id):
                continue
            advanced = suite.advance(one, self._facts.now, takes_locks=lambda _: False)
            advanced = suite.without_turn(advanced)
            self._suites[one.id] = advanced
            self._publish(advanced, spot)
            if advanced.state in NEGATIVE:
                return Passage(result=_result(advanced), message=advanced.message, suite=advanced)
        return Passage()

    def close(self, stage: str, attempt: int, *, job_id: str = "") -> list[Suite]:
        """The stage is over: nothing is asked for it any more, and its locks are free. Answers what was closed.

        With `job_id` it is only that job which asks for nothing any more.
        """
        now = self._facts.now
        closed = []
        for one in self._of(Spot(stage=stage, attempt=attempt)):
            if job_id and (one.job_id != job_id or not one.open):
                continue
            ended = suite.cancel(one, now)
            if ended.state is State.APPROVED and ended.released_at is None and lock.places(ended):
                ended = replace(ended, released_at=now)
            if ended != one:
                self._suites[one.id] = ended
                closed.append(ended)
            self._waits.settle_checks(ended)
        return closed

    def holds_locks(self, spot: Spot) -> bool:
        """Whether a started stage has its locks. They went to others when its run died; then it queues up again."""
        holding = True
        for one in self._of(spot):
            if one.state is not State.APPROVED or not lock.places(one) or lock.holds(one):
                continue
            again = one if one.released_at is None else suite.lost_locks(one, self._facts.now)
            if self._takes_locks(again):
                again = suite.regained(again, self._facts.now)
            else:
                holding = False
            self._suites[one.id] = again
            self._publish(again, spot)
        return holding

    def _of(self, spot: Spot) -> list[Suite]:
        return [one for one in self._suites.values() if (one.stage, one.attempt) == (spot.stage, spot.attempt)]

    def _covers(self, passed: Suite, resource: Known) -> bool:
        covered = passed.covers(resource.kind, resource.id)
        return covered is not None and not self._facts.moved(covered, resource.version)

    def _current(self, spot: Spot, missing: Sequence[Known]) -> Suite:
        """The suite that decides about what is missing: the one that is there, unless it is about something else."""
        mine = [one for one in self._of(spot) if (one.job_id, one.step_id) == (spot.job_id, spot.step_id)]
        current = next((one for one in reversed(mine) if not one.replaced and one.state is not State.APPROVED), None)
        if current is not None:
            if all(self._covers(current, one) for one in missing):
                return current
            ended = replace(suite.cancel(current, self._facts.now, CHANGED), replaced=True)
            self._suites[current.id] = ended
            self._waits.settle_checks(ended)
        return self._begin(spot, missing)

    def _begin(self, spot: Spot, missing: Sequence[Known]) -> Suite:
        named = [one for one in self._of(spot) if not one.job_id]
        resources = tuple(
            Covered(
                kind=one.kind,
                id=one.id,
                name=one.name,
                version=one.version,
                named_at_run_time=bool(spot.job_id) and not any(stage.covers(one.kind, one.id) for stage in named),
                caution=one.caution,
            )
            for one in missing
        )
        return Suite(
            id=self._facts.new_id(),
            run_id=self._asker.run_id,
            project_id=self._asker.project_id,
            pipeline_id=self._asker.pipeline_id,
            stage=spot.stage,
            attempt=spot.attempt,
            job_id=spot.job_id,
            step_id=spot.step_id,
            requester=self._asker.requester,
            lock_behavior=spot.lock_behavior,
            created_at=self._facts.now,
            resources=resources,
            checks=tuple(check for one in resources for check in self._facts.checks_on(one)),
        )

    def _advanced(self, one: Suite) -> Suite:
        late: list[Suite] = []

        def takes(ready: Suite) -> bool:
            turn = self._turn(ready)
            if turn is Turn.SUPERSEDED:
                late.append(ready)
            return turn is Turn.TAKE

        advanced = suite.advance(one, self._facts.now, takes_locks=takes)
        if late:
            advanced = suite.cancel(advanced, self._facts.now, lock.SUPERSEDED)
        self._suites[one.id] = advanced
        return advanced

    def _takes_locks(self, one: Suite) -> bool:
        return self._turn(one) is Turn.TAKE

    def _turn(self, one: Suite) -> Turn:
        """Whether a suite gets its locks now; who has to make room for it is noted."""
        mine = next(iter(lock.claims(one, driven=self._facts.driven).values()))
        queues = []
        for place in lock.places(one):
            queues.append(queue := self._queue(place, one))
            self._held[place] = next((claim for claim in queue if claim.held and claim.driven), None)
        same = [other for other in self._suites.values() if (other.stage, other.attempt) == (one.stage, one.attempt)]
        holding = {place for other in same if lock.holds(other) for place in lock.places(other)}
        turn = lock.turn(mine, queues, frozenset(holding))
        if turn is not Turn.SUPERSEDED:
            self.superseded |= lock.superseded(mine, queues)
        if turn is Turn.TAKE:
            self.abandoned |= lock.abandoned(mine, queues)
        return turn

    def _queue(self, place: Place, mine: Suite) -> list[Claim]:
        """The claims on a lock: of other runs as they are stored, of this run's other stages as they are here.

        A lock is the stage's: its jobs that ask late do not wait for each other.
        """
        others = [one for one in self._facts.lock_claims(place) if one.run_id != self._asker.run_id]
        elsewhere = [one for one in self._suites.values() if (one.stage, one.attempt) != (mine.stage, mine.attempt)]
        own = (lock.claims(one, driven=self._facts.driven) for one in elsewhere)
        return [*others, *(claims[place] for claims in own if place in claims)]

    def _holder(self, check: Check) -> str:
        """Who has the lock that a check waits for, '' for nobody.

        Told to all who see the waiting run: another run is named only where it is of the same pipeline, which they see.
        """
        held = self._held.get(lock.place(check)) if suite.is_lock(check) else None
        if held is None:
            return ""
        if held.run_id == self._asker.run_id:
            return "another stage of this run"
        return f"run {held.run_id}" if held.pipeline_id == self._asker.pipeline_id else "a run of another pipeline"

    def _publish(self, one: Suite, spot: Spot) -> None:
        """What the checks wait for is what the run waits for."""
        self._waits.settle_checks(one)
        for check in one.checks:
            if lock.is_active(one, check) and check.state is State.RUNNING:
                told = detail(check, self._holder(check))
                self._waits.ask_check(one, check, name=asked_as(check), detail=told)


def named(check: Check) -> str:
    """A check as a person calls it: its kind, and what it is on."""
    resource = check.resource
    return f"{check.label} on {TYPE_LABELS.get(resource.kind, resource.kind).lower()} {resource.name}"


def asked_as(check: Check) -> str:
    """What a run is said to wait for, behind the word check or approval."""
    return named(check).removeprefix(f"{check.label} on ") if approval.is_approval(check) else named(check)


def detail(check: Check, holder: str = "") -> str:
    """What a running check waits for; `holder` has the lock that it waits for."""
    if approval.is_approval(check):
        given = sum(bool(step.actual) for step in check.steps)
        wanted = approval.required(check)
        text = " or ".join(approval.waits_for(check)) or f"{_deferred(check)}, which an approver named"
        if wanted > 1:
            text += f" ({given} of {wanted} approved)"
        if instructions := textwrap.shorten(check.settings.get("instructions", ""), _LONGEST, placeholder="..."):
            text += f"; instructions: {instructions}"
        if check.resource.caution:
            text += f"; mind: {check.resource.caution}"
    elif suite.is_lock(check):
        text = f"its turn to use the resource alone{f', {holder} has it now' if holder else ''}"
    else:
        text = check.message or BEING_EVALUATED
    return f"{text}; a variable named it at run time" if check.resource.named_at_run_time else text


def _deferred(check: Check) -> str:
    """The moment from which on the last approval counts."""
    last = max((step.deferred_to for step in check.steps if step.deferred_to is not None), default=0.0)
    return approval.day(last)


def _result(ended: Suite) -> Result:
    """What becomes of the stage: a time-out skips it where the kind says so."""
    if ended.state is State.CANCELED:
        return Result.CANCELED
    late = suite.timed_out(ended)
    if ended.state is State.TIMED_OUT and late is not None and late.on_timeout == "skipped":
        return Result.SKIPPED
    return Result.FAILED
