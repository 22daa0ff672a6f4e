"""What a run does next, decided from stored state alone. Nothing here acts: the orchestrator stores and acts.

`advance` goes over the stages until nothing changes any more. A stage goes pending -> waiting (at its checkpoint) ->
inProgress -> completed; a job pending -> inProgress -> completed, or back to waiting when a step needs a Permit that
nobody has given yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sluice.authorization import texts
from sluice.authorization.checks.model import Suite
from sluice.authorization.checks.suite import RECORD_TYPES
from sluice.authorization.resources import VARIABLE_GROUP, Known, Need
from sluice.errors import PermissionPendingError, SluiceError
from sluice.language.plan import Job, Plan, Stage
from sluice.runs.checkpoint_records import AUTHORIZATION, CHECKPOINT, end_checkpoint, show_checks, show_permission
from sluice.runs.checkpoints import Checkpoints, Due, Passage, Spot
from sluice.runs.identifiers import DEFAULT
from sluice.runs.outcomes import roll_up
from sluice.runs.phases import Phases, World
from sluice.runs.timeline import CANCELED, STARTED_AFTER, STARTED_BY, ReadSteps, Timeline
from sluice.runs.waits import GAVE_UP_ON, Asker, Waits, needs_of, waited_too_long
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.values import dataclass

CHECKPOINTS = (CHECKPOINT, AUTHORIZATION, *RECORD_TYPES)
"""The types of the records of a checkpoint."""

FOR_CONDITION = "forCondition"
"""Detail of a stage that waits so that its condition can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What to store and what to do: `ready` jobs may be started, running `stop` jobs are to be canceled.

    `suites` are the checks of checkpoints that changed, `completed` those that ended by that; of the suites of other
    runs, `superseded` ones wait no longer for a lock and `abandoned` ones have lost theirs. Checks in `evaluate` are to
    be evaluated now; at `due` time alone changes something. `unattended`: what is waited for needs no person, only
    time, an evaluation or (`queued`) somebody's lock. `mark` stands for the suites as they are stored after this.
    `calm`: the run has never waited for anything, and nobody has canceled it.
    """

    timeline: Timeline
    asked: tuple[RequestRow, ...] = ()
    closed: tuple[tuple[int, str], ...] = ()
    details: tuple[tuple[int, str], ...] = ()
    suites: tuple[Suite, ...] = ()
    completed: tuple[Suite, ...] = ()
    superseded: frozenset[str] = frozenset()
    abandoned: frozenset[str] = frozenset()
    evaluate: tuple[Due, ...] = ()
    due: float = float("inf")
    unattended: bool = False
    queued: bool = False
    mark: str = ""
    calm: bool = False
    ready: tuple[RecordRow, ...] = ()
    stop: tuple[str, ...] = ()
    result: Result | None = None
    settled_until: float | None = None
    """Until when the run merely waits if nobody does anything; None for one that has something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The stored state of a run that deciding starts from.

    `requests` and `suites` are those of the current attempts. Where `records` holds no steps, `steps` reads those of a job.
    """

    asker: Asker
    canceled: bool
    plan: Plan
    records: Sequence[RecordRow]
    requests: Sequence[RequestRow]
    suites: Sequence[Suite] = ()
    steps: ReadSteps | None = None


def advance(situation: Situation, world: World) -> Advanced:
    """Decide as far as stored state allows."""
    return _Advance(situation, world).run()


class _Advance:
    """One decision; its attributes are the working copy."""

    def __init__(self, situation: Situation, world: World) -> None:
        self.situation = situation
        self.world = world
        self.timeline = Timeline(situation.records, situation.steps)
        self.waits = Waits(situation.requests, situation.asker, now=world.now)
        self.checkpoints = Checkpoints(situation.suites, self.waits, situation.asker, world)
        self.phases = Phases(
            timeline=self.timeline,
            waits=self.waits,
            checkpoints=self.checkpoints,
            world=world,
            canceled=situation.canceled,
            lock_behavior=situation.plan.lock_behavior,
        )

    def run(self) -> Advanced:
        stages = self.situation.plan.stages
        moved = [True]
        while any(moved):
            moved = [self._stage(stage) for stage in stages]
        records = [self.timeline.stage(stage) for stage in stages]
        over = all(record.completed for record in records)
        running = [stage for stage in stages if self.timeline.stage(stage).state == "inProgress"]
        open_jobs = {stage.name: self._open(stage) for stage in running}
        locked = [stage for stage in running if self.checkpoints.holds_locks(self._spot(stage))]
        stopping = [stage for stage in running if self.phases.stops(stage)]
        checks = self.checkpoints
        for one in checks.changed:  # also those that were asked anew, and those that a stage's end has closed
            show_checks(self.timeline, self.timeline.stage(self.situation.plan.stage(one.stage)), one, self.world.now)
        advanced = Advanced(
            timeline=self.timeline,
            asked=tuple(self.waits.asked),
            closed=tuple(self.waits.closed),
            details=tuple(self.waits.details),
            suites=tuple(checks.changed),
            completed=tuple(checks.completed),
            superseded=frozenset(checks.superseded),
            abandoned=frozenset(checks.abandoned),
            evaluate=tuple(checks.due),
            due=checks.next_due,
            queued=checks.queued,
            unattended=checks.unattended and not self.waits.for_people,
            ready=tuple(
                one for stage in locked for job in open_jobs[stage.name] for one in self.phases.ready(stage, job)
            ),
            stop=tuple(
                one for stage in stopping for job in open_jobs[stage.name] for one in self.phases.to_stop(stage, job)
            ),
            result=self._result(records) if over else None,
        )
        merely_waits = not (running or over or advanced.evaluate or advanced.queued or advanced.unattended)
        if not merely_waits or self.situation.canceled or not any(one.state == "waiting" for one in records):
            return advanced
        return replace(advanced, settled_until=min(advanced.due, self.waits.expires_at))

    def _stage(self, stage: Stage) -> bool:
        record = self.timeline.stage(stage)
        step: Callable[[Stage, RecordRow], bool] | None = {
            "pending": self._pending,
            "waiting": self._waiting,
            "inProgress": self._running,
        }.get(record.state)
        return step(stage, record) if step else False

    def _pending(self, stage: Stage, record: RecordRow) -> bool:
        plan = self.situation.plan
        if not all(self.timeline.stage(plan.stage(name)).completed for name in stage.depends_on):
            return False
        return self._enter(stage, record)

    def _enter(self, stage: Stage, record: RecordRow) -> bool:
        """Ask the stage's condition; when it holds, the stage comes to its checkpoint."""
        try:
            runs = self.world.stage_runs(stage, self.timeline)
        except PermissionPendingError as error:
            needs = [need for need in needs_of(record) if need.kind == VARIABLE_GROUP and not need.job]
            return self._checkpoint(stage, record, needs, unasked=str(error))
        except SluiceError as error:
            self._end(stage, record, Result.FAILED, str(error))
            return True
        if not runs:
            self.waits.close(self.waits.of_stage(stage.name), "approved")
            self._end(stage, record, Result.SKIPPED)
            return True
        return self._admit(stage, record)

    def _admit(self, stage: Stage, record: RecordRow) -> bool:
        """A stage whose condition holds comes to its checkpoint, or waits for a person to start it."""
        if stage.manual and not record.details.get(STARTED_BY):
            if not (person := self.waits.started_by(stage.name)):
                self.waits.ask_start(stage, record.attempt)
                shown = stage.display_name if stage.name != DEFAULT else ""
                self.timeline.put(record, state="waiting", operation=texts.start_banner(shown))
                return record.state != "waiting"
            record = self.timeline.put(record, details={**record.details, STARTED_BY: person})
        return self._checkpoint(stage, record, needs_of(record))

    def _waiting(self, stage: Stage, record: RecordRow) -> bool:
        requests = self.waits.of_stage(stage.name)
        if refusal := self.waits.refusal(stage.name, requests, canceled=self.situation.canceled):
            self.waits.close(requests, refusal[2])
            self._end(stage, record, refusal[0], refusal[1])
            return True
        if record.details.get(FOR_CONDITION):
            return self._enter(stage, record)
        return self._admit(stage, record)

    def _checkpoint(self, stage: Stage, record: RecordRow, needs: Sequence[Need], *, unasked: str = "") -> bool:
        """Compare what the stage needs with what is permitted now; whether the stage's state changed.

        `unasked` says why the stage's condition cannot be asked before these needs are permitted.
        """
        before = record.state
        assessment = self.world.assess(needs)
        if assessment.refusals:
            self._end(stage, record, Result.FAILED, " ".join(map(str, assessment.refusals)))
            return True
        if assessment.pending and self.situation.canceled:
            self._end(stage, record, Result.CANCELED, texts.ABORTED)
            return True
        if assessment.pending:
            if (passage := self.checkpoints.wait(self._spot(stage))).result is not None:
                self._not_passed(stage, record, passage)
                return True
            self._wait(stage, record, len(assessment.pending), for_condition=bool(unasked))
            self.waits.ask(assessment.pending, stage.name, record.attempt)
            return before != "waiting"
        if unasked:  # nothing that a Permit could mend: a stage never starts past its condition
            self._end(stage, record, Result.FAILED, unasked)
            return True
        self.waits.close(self.waits.of_stage(stage.name), "approved")
        passage = self._checks(stage, record, assessment.permitted)
        record = self.timeline.stage(stage)
        if not passage.passed:
            if passage.result is None and not self.situation.canceled:
                return record.state != before
            self._not_passed(stage, record, passage)
            return True
        end_checkpoint(self.timeline, record, Result.SUCCEEDED, self.world.now)
        details = {**record.details, STARTED_AFTER: CANCELED} if self.situation.canceled else record.details
        self.timeline.put(record, state="inProgress", operation="", started_at=self.world.now, details=details)
        return True

    def _not_passed(self, stage: Stage, record: RecordRow, passage: Passage) -> None:
        late = {**record.details, GAVE_UP_ON: True} if passage.result is Result.SKIPPED else record.details
        record = self.timeline.put(record, details=late)
        self._end(stage, record, passage.result or Result.CANCELED, passage.message or texts.ABORTED)

    def _checks(self, stage: Stage, record: RecordRow, permitted: Sequence[Known]) -> Passage:
        """Ask the checks of what is permitted; while they are open the stage waits for them."""
        passage = self.checkpoints.enter(self._spot(stage), permitted)
        show_checks(self.timeline, record, passage.suite, self.world.now)
        if not passage.passed and passage.result is None:
            shown = stage.display_name if stage.name != DEFAULT else ""
            banner = texts.review_banner(max(1, self.waits.checks(stage.name)), shown)
            details = {key: value for key, value in record.details.items() if key != FOR_CONDITION}
            self.timeline.put(record, state="waiting", operation=banner, details=details)
        return passage

    def _spot(self, stage: Stage) -> Spot:
        behavior = stage.lock_behavior or self.situation.plan.lock_behavior
        return Spot(stage=stage.name, attempt=self.timeline.stage(stage).attempt, lock_behavior=behavior)

    def _wait(self, stage: Stage, record: RecordRow, count: int, *, for_condition: bool) -> None:
        show_permission(self.timeline, record, self.world.now)
        shown = stage.display_name if stage.name != DEFAULT else ""
        details = {key: value for key, value in record.details.items() if key != FOR_CONDITION}
        details |= {FOR_CONDITION: True} if for_condition else {}
        self.timeline.put(record, state="waiting", operation=texts.banner(count, shown), details=details)

    def _running(self, stage: Stage, record: RecordRow) -> bool:
        jobs = self._open(stage)
        stops = self.phases.stops(stage)
        moved = [self.phases.advance(stage, job) for job in jobs if stops or not self._is_quiet(stage, job)]
        if any(moved):
            return True
        if jobs:  # none of them is over now
            return False
        phases = [self.timeline.phase(stage, job) for job in stage.jobs]
        if not all(phase.completed for phase in phases):
            return False
        self.timeline.complete(record, roll_up(phase.result for phase in phases), self.world.now)
        self.checkpoints.close(stage.name, record.attempt)
        return True

    def _is_quiet(self, stage: Stage, job: Job) -> bool:
        """Whether nothing is to be decided of a job, unless its stage is stopped."""
        return job.deployment is None and self.timeline.is_quiet(self.timeline.phase(stage, job))

    def _open(self, stage: Stage) -> list[Job]:
        """The stage's jobs that are not over: of many jobs most have nothing to decide any more."""
        return [job for job in stage.jobs if not self.timeline.phase(stage, job).completed]

    def _end(self, stage: Stage, record: RecordRow, result: Result, message: str = "") -> None:
        for job in stage.jobs:
            phase = self.timeline.phase(stage, job)
            if not phase.completed:
                self.phases.skip(phase)
        self.waits.close(self.waits.of_stage(stage.name), "canceled")  # what it asked for, and cannot have
        for suite in self.checkpoints.close(stage.name, record.attempt):
            show_checks(self.timeline, record, suite, self.world.now)
        end_checkpoint(self.timeline, record, result, self.world.now)
        self.timeline.complete(record, result, self.world.now, message)

    def _result(self, stages: Iterable[RecordRow]) -> Result:
        stages = tuple(stages)
        result = roll_up(record.result for record in stages)
        gave_up = any(waited_too_long(record) for record in stages)
        if self.situation.canceled or (gave_up and result is not Result.FAILED):
            return Result.CANCELED
        return result
