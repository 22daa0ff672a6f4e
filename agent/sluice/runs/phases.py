"""How the jobs of a running stage go on: conditions, instances, hooks, and jobs that wait for a Permit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from sluice.authorization import texts
from sluice.authorization.checks.lock import Claim, Place
from sluice.authorization.checks.model import Check, Covered
from sluice.authorization.resources import Assessment, Need
from sluice.errors import SluiceError
from sluice.language.plan import Job, Stage
from sluice.runs.checkpoint_records import show_checks
from sluice.runs.checkpoints import Checkpoints, Spot
from sluice.runs.identifiers import attempted, join, record_id
from sluice.runs.outcomes import forgiven, roll_up
from sluice.runs.step_waits import RAN_TOO_LONG, StepWait, wait_of, with_answer, without_wait
from sluice.runs.timeline import CANCELED, DENIED, STARTED_AFTER, Timeline
from sluice.runs.waits import REFUSED, Waits, needs_of
from sluice.runtime.request import Outcome, Result
from sluice.storage.records import RecordRow
from sluice.values import dataclass

_BAD = frozenset({Result.FAILED, Result.CANCELED, Result.ABANDONED})
ON_FAILURE = "on.failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of a job: a matrix leg, a slice, a deployment's hook, or the only one.

    `steps` are (reference name, display name); `details` are kept with its record.
    """

    name: str
    display_name: str
    steps: tuple[tuple[str, str], ...]
    details: Mapping[str, Any] = field(default_factory=dict)


class World(Protocol):
    """What deciding asks for: facts, and the evaluation of what the pipeline says.

    The evaluations raise `SluiceError` when the pipeline's text cannot be evaluated.
    """

    @property
    def now(self) -> float:
        """Seconds since the epoch."""

    @property
    def driven(self) -> bool:
        """Whether a process drives the run."""

    def assess(self, needs: Sequence[Need]) -> Assessment:
        """What is permitted now."""

    def new_id(self) -> str:
        """An id that nothing else has."""

    def checks_on(self, resource: Covered) -> list[Check]:
        """New checks, as they are configured on a resource now."""

    def moved(self, resource: Covered, version: int) -> bool:
        """Whether a resource that was looked at leads elsewhere in this version than it did then."""

    def lock_claims(self, place: Place) -> list[Claim]:
        """What runs have to do with the exclusive lock of a resource, as it is stored."""

    def stage_runs(self, stage: Stage, timeline: Timeline) -> bool:
        """Whether the stage's condition holds; `PermissionPendingError` when a permit is needed to ask it."""

    def job_runs(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        """Whether the job's condition holds."""

    def instances(self, stage: Stage, job: Job, timeline: Timeline) -> tuple[list[Instance], int]:
        """The instances of a job, and how many may run at once (0: all)."""

    def continues_on_error(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        """The job's `continueOnError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Advances phases and their instances in a timeline."""

    timeline: Timeline
    waits: Waits
    checkpoints: Checkpoints
    world: World
    canceled: bool
    lock_behavior: str = ""

    def advance(self, stage: Stage, job: Job) -> bool:
        """Take a job as far as it goes; whether anything changed."""
        phase = self.timeline.phase(stage, job)
        if phase.completed:
            return False
        if phase.state == "inProgress":
            return self._running(stage, job, phase)
        if job.depends_on:
            by_name = {other.name.casefold(): other for other in stage.jobs}
            if not all(self.timeline.phase(stage, by_name[name.casefold()]).completed for name in job.depends_on):
                return False
        try:
            if not self.world.job_runs(stage, job, self.timeline):
                self.timeline.complete(phase, Result.SKIPPED, self.world.now)
                return True
            instances, at_once = self.world.instances(stage, job, self.timeline)
        except SluiceError as error:
            self.timeline.complete(phase, Result.FAILED, self.world.now, str(error))
            return True
        self._start(stage, job, phase, instances, at_once)
        return True

    def ready(self, stage: Stage, job: Job) -> list[RecordRow]:
        """The instances that may be started now."""
        phase = self.timeline.phase(stage, job)
        if phase.state != "inProgress":
            return []
        instances = self.timeline.jobs(phase)
        running = sum(instance.state == "inProgress" for instance in instances)
        room = int(phase.details.get("maxParallel", 0)) or len(instances)
        pending = [instance for instance in instances if instance.state == "pending"]
        if job.deployment is not None:
            wave = next((_wave(instance) for instance in instances if not instance.completed), 0)
            pending = [instance for instance in pending if _wave(instance) == wave]
        return pending[: max(0, room - running)]

    def stops(self, stage: Stage) -> bool:
        """Whether anything of a stage may be to be stopped."""
        return bool(self._stop(stage))

    def to_stop(self, stage: Stage, job: Job) -> list[str]:
        """Ids of instances that run although the run is canceled, or the stage was denied something."""
        phase = self.timeline.phase(stage, job)
        if not self._stopped(stage, phase):
            return []
        instances = self.timeline.jobs(phase)
        return [instance.id for instance in instances if instance.state == "inProgress"]

    def skip(self, phase: RecordRow) -> None:
        """A job that is not to run: neither do the instances that a retry has made of it."""
        for instance in self.timeline.jobs(phase):
            if not instance.completed:
                self._end(instance, Result.SKIPPED)
        self.timeline.complete(phase, Result.SKIPPED, self.world.now)

    def _start(self, stage: Stage, job: Job, record: RecordRow, instances: Iterable[Instance], at_once: int) -> None:
        details = {"maxParallel": at_once, STARTED_AFTER: self._stop(stage)}
        phase = self.timeline.put(record, state="inProgress", started_at=self.world.now, details=details)
        for position, instance in enumerate(instances, start=1):
            identifier = join(stage.name, job.name, instance.name.replace(".", "_"))
            if self.timeline.find("Job", identifier):
                continue  # of an earlier attempt: it succeeded, or it runs again
            new = RecordRow(
                id=record_id(attempted(identifier, phase.attempt)),
                type="Job",
                identifier=identifier,
                name=instance.display_name,
                ref_name=instance.name,
                parent_id=phase.id,
                order=position,
                attempt=phase.attempt,
                details=instance.details,
            )
            self.timeline.put(new)
            for index, (name, display_name) in enumerate(instance.steps, start=1):
                self.timeline.put(_step_record(new, index, name, display_name))

    def _running(self, stage: Stage, job: Job, record: RecordRow) -> bool:
        stopped = self._stopped(stage, record)
        instances = self.timeline.jobs(record)
        moved = [self._instance(stage, one, stopped=stopped) for one in instances if not one.completed]
        changed = any(moved)
        if job.deployment is not None:
            changed |= self._skip_hook(self.timeline.jobs(record))
        if changed:
            instances = self.timeline.jobs(record)
        if not all(instance.completed for instance in instances):
            return changed
        result = roll_up(instance.result for instance in instances)
        try:
            if result is Result.FAILED and self.world.continues_on_error(stage, job, self.timeline):
                result = forgiven(result)
        except SluiceError as error:
            self.timeline.complete(record, Result.FAILED, self.world.now, str(error))
            return True
        self.timeline.complete(record, result, self.world.now)
        return True

    def _stop(self, stage: Stage) -> str:
        """What stops the jobs of a stage: the run is canceled, a Permit is denied, or nothing ('')."""
        if self.timeline.is_canceled(stage, run_canceled=self.canceled):
            return CANCELED
        return DENIED if self.waits.denied(stage.name) else ""

    def _stopped(self, stage: Stage, phase: RecordRow) -> bool:
        """Whether a started job is to stop. One whose condition held in spite of what stops the stage runs on."""
        stop = self._stop(stage)
        return stop not in {"", phase.details.get(STARTED_AFTER, "")}

    def _instance(self, stage: Stage, job: RecordRow, *, stopped: bool) -> bool:
        """A job that waits for a Permit goes on, or is canceled; one that has not started is canceled with the run."""
        if job.state == "pending" and stopped and not job.details.get("canceled"):
            if job.started_at is not None:
                self.timeline.put(job, details={**job.details, "canceled": True})
            else:
                self._end(job, Result.CANCELED, "" if self.canceled else REFUSED)
            return True
        if job.state != "waiting":
            return False
        wait = wait_of(job.details)
        return self._waiting(stage, job) if wait is None else self._waiting_at_step(stage, job, wait, stopped=stopped)

    def _waiting_at_step(self, stage: Stage, job: RecordRow, wait: StepWait, *, stopped: bool) -> bool:
        """An agentless job goes on when a person or time has answered; canceled, its `always()` steps still run."""
        requests = self.waits.of_job(job.id)
        answer = self.waits.decision(job.id, wait.step)
        too_long = answer is None and wait.job_until is not None and wait.job_until <= self.world.now
        if stopped or too_long:
            self.waits.close(requests, "canceled")
            details = {**without_wait(job.details), "canceled": True}
            message = RAN_TOO_LONG if too_long else texts.ABORTED
            self.timeline.put(job, state="pending", operation="", message=message, details=details)
            return True
        if answer is None and wait.until <= self.world.now:
            answer = wait.answer_of_time
        if answer is not None:
            self.waits.close(requests, "timedOut" if answer.outcome is Outcome.TIMED_OUT else "approved")
            details = with_answer(without_wait(job.details), wait.step, answer)
            self.timeline.put(job, state="pending", operation="", details=details)
            return True
        name = next((step.name for step in self.timeline.steps(job) if step.id == wait.step), "")
        self.waits.ask_step(stage.name, self.timeline.stage(stage).attempt, job.id, wait, name=name)
        self.timeline.put(job, operation=texts.step_banner(wait.kind, name))
        return False

    def _waiting(self, stage: Stage, job: RecordRow) -> bool:
        requests = self.waits.of_job(job.id)
        if refusal := self.waits.refusal(stage.name, requests, canceled=self.canceled):
            self._refused(stage, job, refusal[1], refusal[2])
            return True
        assessment = self.world.assess(needs_of(job))
        if assessment.pending and not assessment.refusals:
            passage = self.checkpoints.wait(self._spot(stage, job))
            if passage.result is not None:
                self._refused(stage, job, passage.message, "canceled")
                return True
            attempt = self.timeline.stage(stage).attempt
            self.waits.ask(assessment.pending, stage.name, attempt, job.id, str(job.details.get("suspendedAt", "")))
            self.timeline.put(job, operation=texts.banner(len(assessment.pending)))
            return False
        self.waits.close(requests, "canceled" if assessment.refusals else "approved")
        if not assessment.refusals and self._waits_for_checks(stage, job, assessment):
            return False
        # permitted and passed, or never to be: then the step fails and says why
        self.timeline.put(job, state="pending", operation="")
        return True

    def _refused(self, stage: Stage, job: RecordRow, message: str, state: str) -> None:
        """What a job waits for it does not get: it ends, or goes on canceled, so that its `always()` steps still run."""
        self.waits.close(self.waits.of_job(job.id), state)
        self.checkpoints.close(stage.name, self.timeline.stage(stage).attempt, job_id=job.id)
        if job.started_at is None:
            self._end(job, Result.CANCELED, message)
            return
        details = {**job.details, "canceled": True}
        self.timeline.put(job, state="pending", operation="", message=message, details=details)

    def _spot(self, stage: Stage, job: RecordRow) -> Spot:
        return Spot(
            stage=stage.name,
            attempt=self.timeline.stage(stage).attempt,
            job_id=job.id,
            step_id=str(job.details.get("suspendedAt", "")),
            lock_behavior=stage.lock_behavior or self.lock_behavior,
        )

    def _waits_for_checks(self, stage: Stage, job: RecordRow, assessment: Assessment) -> bool:
        """Whether a job that asks late waits for the checks of what it asks for."""
        record = self.timeline.stage(stage)
        passage = self.checkpoints.enter(self._spot(stage, job), assessment.permitted)
        show_checks(self.timeline, record, passage.suite, self.world.now)
        if passage.passed or passage.result is not None:
            return False
        self.timeline.put(job, operation=texts.review_banner(1))
        return True

    def _skip_hook(self, hooks: Sequence[RecordRow]) -> bool:
        """Hooks of a deployment run wave after wave; a failure leads to `on.failure` alone."""
        wave = next((_wave(hook) for hook in hooks if not hook.completed), 0)
        following = [hook for hook in hooks if _wave(hook) == wave and hook.state == "pending"]
        failed = any(hook.result in _BAD for hook in hooks)
        following = [hook for hook in following if failed != (hook.details.get("hook") == ON_FAILURE)]
        for hook in following:
            self._end(hook, Result.SKIPPED)
        return bool(following)

    def _end(self, job: RecordRow, result: Result, message: str = "") -> None:
        for step in self.timeline.steps(job):
            if not step.completed:
                self.timeline.complete(step, Result.SKIPPED, self.world.now)
        self.timeline.complete(job, result, self.world.now, message)


def _wave(instance: RecordRow) -> int:
    """Instances of a wave run side by side, one wave after another."""
    return int(instance.details.get("wave", instance.order))


def _step_record(job: RecordRow, index: int, name: str, display_name: str) -> RecordRow:
    identifier = f"{job.identifier}.{name}"
    return RecordRow(
        id=record_id(attempted(identifier, job.attempt)),
        type="Task",
        identifier=identifier,
        name=display_name,
        ref_name=name,
        parent_id=job.id,
        order=index,
        attempt=job.attempt,
    )
