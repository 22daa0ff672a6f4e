"""What a run does next, decided from stored state alone. Nothing here acts: the orchestrator stores and acts.

`advance` goes over the stages until nothing changes any more. A stage goes pending -> waiting (at its checkpoint) ->
inProgress -> completed; a job pending -> inProgress -> completed, or back to waiting when a step needs a Permit that
nobody has given yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice.authorization import texts
from sluice.authorization.resources import Assessment, Need, Pending
from sluice.errors import SluiceError
from sluice.language.plan import Job, Plan, Stage
from sluice.runs.identifiers import attempted, join, record_id
from sluice.runs.outcomes import forgiven, roll_up
from sluice.runs.timeline import Timeline
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow

AUTHORIZATION = "Checkpoint.Authorization"
DENIED = "Permission was denied."
TIMED_OUT = "Nobody permitted it in time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of a job: a matrix leg, a slice, or the only one; its steps are (record name, display name)."""

    name: str
    display_name: str
    steps: tuple[tuple[str, str], ...]
    details: Mapping[str, Any] = field(default_factory=dict)


class World(Protocol):
    """What deciding asks for: facts, and the evaluation of what the pipeline says."""

    @property
    def now(self) -> float:
        """Seconds since the epoch."""

    def assess(self, needs: Sequence[Need]) -> Assessment:
        """What is permitted now."""

    def stage_runs(self, stage: Stage, timeline: Timeline) -> bool:
        """The stage's condition; raises `SluiceError` when it cannot be evaluated."""

    def job_runs(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        """The job's condition."""

    def start_stage(self, stage: Stage, timeline: Timeline) -> Mapping[str, Any]:
        """Evaluate the stage's variables: what to keep with its record."""

    def instances(self, stage: Stage, job: Job, timeline: Timeline) -> tuple[list[Instance], int]:
        """The instances of a job, and how many may run at once (0: all)."""

    def continues_on_error(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        """The job's `continueOnError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What to store and what to do: `ready` jobs may be started, running `stop` jobs are to be canceled."""

    timeline: Timeline
    asked: tuple[RequestRow, ...] = ()
    closed: tuple[tuple[int, str], ...] = ()
    ready: tuple[RecordRow, ...] = ()
    stop: tuple[str, ...] = ()
    result: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The stored state of a run that deciding starts from; `wait_seconds` is how long a pause may last."""

    run_id: int
    project_id: int
    pipeline_id: int
    canceled: bool
    wait_seconds: float
    plan: Plan
    records: Sequence[RecordRow]
    requests: Sequence[RequestRow]


def advance(situation: Situation, world: World) -> Advanced:
    """Decide as far as stored state allows."""
    return _Advance(situation, world).run()


class _Advance:
    """One decision; its attributes are the working copy."""

    def __init__(self, situation: Situation, world: World) -> None:
        self.situation = situation
        self.world = world
        self.timeline = Timeline(situation.records)
        self.requests = {request.id: request for request in situation.requests}
        self.asked: list[RequestRow] = []
        self.closed: list[tuple[int, str]] = []

    def run(self) -> Advanced:
        stages = self.situation.plan.stages
        while any([self._stage(stage) for stage in stages]):
            pass
        records = [self.timeline.stage(stage) for stage in stages]
        over = all(record.completed for record in records)
        return Advanced(
            timeline=self.timeline,
            asked=tuple(self.asked),
            closed=tuple(self.closed),
            ready=tuple(self._ready()),
            stop=tuple(self._stop()),
            result=self._result(records) if over else None,
        )

    def _stage(self, stage: Stage) -> bool:
        record = self.timeline.stage(stage)
        step: Callable[[Stage, RecordRow], bool] | None = {
            "pending": self._pending_stage,
            "waiting": self._waiting_stage,
            "inProgress": self._running_stage,
        }.get(record.state)
        return step(stage, record) if step else False

    def _pending_stage(self, stage: Stage, record: RecordRow) -> bool:
        plan = self.situation.plan
        if not all(self.timeline.stage(plan.stage(name)).completed for name in stage.depends_on):
            return False
        try:
            runs = self.world.stage_runs(stage, self.timeline)
        except SluiceError as error:
            self._end_stage(stage, record, Result.FAILED, str(error))
            return True
        if not runs:
            self._end_stage(stage, record, Result.SKIPPED)
            return True
        return self._checkpoint(stage, record)

    def _checkpoint(self, stage: Stage, record: RecordRow) -> bool:
        assessment = self.world.assess(needs_of(record))
        if assessment.refusals:
            message = " ".join(refusal.text for refusal in assessment.refusals)
            self._end_stage(stage, record, Result.FAILED, message)
            return True
        if assessment.pending:
            self._ask(stage, record, assessment.pending)
            return record.state != "waiting"
        self._pass(stage, record)
        return True

    def _ask(self, stage: Stage, record: RecordRow, pending: Iterable[Pending]) -> None:
        open_requests = {request.resource_id: request for request in self._open(stage=stage.name)}
        asked_now = {request.resource_id for request in self.asked if request.stage == stage.name}
        wanted = {one.connection.id: one for one in pending}
        for resource_id, request in open_requests.items():
            if resource_id not in wanted:
                self._close(request, "approved")
        for resource_id, one in wanted.items():
            if resource_id not in open_requests and resource_id not in asked_now:
                self.asked.append(self._request(stage, record, one))
        name = stage.display_name if stage.name != "__default" else ""
        operation = texts.banner(len(wanted), name)
        if record.state != "waiting":
            self._open_checkpoint(record)
        self.timeline.put(self.timeline.stage(stage), state="waiting", operation=operation)

    def _request(self, stage: Stage, record: RecordRow, pending: Pending) -> RequestRow:
        now, situation = self.world.now, self.situation
        return RequestRow(
            run_id=situation.run_id,
            project_id=situation.project_id,
            pipeline_id=situation.pipeline_id,
            stage=stage.name,
            stage_attempt=record.attempt,
            resource_id=pending.connection.id,
            resource_name=pending.connection.name,
            where=next((need.where for need in pending.needs if need.where), ""),
            created_at=now,
            expires_at=now + situation.wait_seconds,
        )

    def _open_checkpoint(self, stage: RecordRow) -> None:
        around = _checkpoint_record("Checkpoint", stage, stage.id)
        self.timeline.put(around, started_at=self.world.now)
        self.timeline.put(_checkpoint_record(AUTHORIZATION, stage, around.id), started_at=self.world.now)

    def _waiting_stage(self, stage: Stage, record: RecordRow) -> bool:
        outcome = self._refused(stage=stage.name)
        if self.situation.canceled:
            outcome = (Result.CANCELED, texts.ABORTED, "canceled")
        if outcome:
            result, message, state = outcome
            for request in self._open(stage=stage.name):
                self._close(request, state)
            self._end_stage(stage, record, result, message)
            return True
        return self._checkpoint(stage, record)

    def _refused(self, **where: str) -> tuple[Result, str, str] | None:
        """What a denial or the end of time makes of whoever waits."""
        requests = [request for request in self.requests.values() if _lies(request, where)]
        if any(request.state == "rejected" for request in requests):
            return Result.CANCELED, DENIED, "canceled"
        if any(request.state == "running" and request.expires_at <= self.world.now for request in requests):
            return Result.SKIPPED, TIMED_OUT, "timedOut"
        return None

    def _pass(self, stage: Stage, record: RecordRow) -> None:
        for request in self._open(stage=stage.name):
            self._close(request, "approved")
        self._end_checkpoint(record, Result.SUCCEEDED)
        try:
            details = self.world.start_stage(stage, self.timeline)
        except SluiceError as error:
            self._end_stage(stage, record, Result.FAILED, str(error))
            return
        self.timeline.put(
            record,
            state="inProgress",
            operation="",
            started_at=self.world.now,
            details={**record.details, **details},
        )

    def _running_stage(self, stage: Stage, record: RecordRow) -> bool:
        if any([self._phase(stage, job) for job in stage.jobs]):
            return True
        phases = [self.timeline.phase(stage, job) for job in stage.jobs]
        if not all(phase.completed for phase in phases):
            return False
        result = roll_up(phase.result for phase in phases)
        self.timeline.complete(record, result, self.world.now)
        return True

    def _phase(self, stage: Stage, job: Job) -> bool:
        record = self.timeline.phase(stage, job)
        if record.completed:
            return False
        if record.state == "inProgress":
            return self._running_phase(stage, job, record)
        by_name = {other.name.casefold(): other for other in stage.jobs}
        before = [self.timeline.phase(stage, by_name[name.casefold()]) for name in job.depends_on]
        if not all(phase.completed for phase in before):
            return False
        try:
            if not self.world.job_runs(stage, job, self.timeline):
                self.timeline.complete(record, Result.SKIPPED, self.world.now)
                return True
            instances, at_once = self.world.instances(stage, job, self.timeline)
        except SluiceError as error:
            self.timeline.complete(record, Result.FAILED, self.world.now, str(error))
            return True
        self._start_phase(stage, job, record, instances, at_once)
        return True

    def _start_phase(
        self, stage: Stage, job: Job, record: RecordRow, instances: Iterable[Instance], at_once: int
    ) -> None:
        details = {**record.details, "maxParallel": at_once}
        phase = self.timeline.put(record, state="inProgress", started_at=self.world.now, details=details)
        for position, instance in enumerate(instances, start=1):
            identifier = join(stage.name, job.name, instance.name)
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

    def _running_phase(self, stage: Stage, job: Job, record: RecordRow) -> bool:
        instances = self.timeline.jobs(record)
        changed = any([self._instance(stage, instance) for instance in instances])
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

    def _instance(self, stage: Stage, job: RecordRow) -> bool:
        """A job that waits for a Permit goes on, or is canceled; one that has not started is canceled with the run."""
        stopping = self.situation.canceled or self._denied(stage)
        if job.state == "pending" and stopping and "suspendedAt" not in job.details:
            self._end_job(job, Result.CANCELED, DENIED if self._denied(stage) else "")
            return True
        if job.state != "waiting":
            return False
        refused = self._refused(job_id=job.id)
        if stopping or refused:
            for request in self._open(job_id=job.id):
                self._close(request, refused[2] if refused else "canceled")
            # the job goes on canceled, so that its `always()` steps still run
            self.timeline.put(job, state="pending", operation="", details={**job.details, "canceled": True})
            return True
        if self._open(job_id=job.id) and self.world.assess(needs_of(job)).pending:
            return False
        for request in self._open(job_id=job.id):
            self._close(request, "approved")
        self.timeline.put(job, state="pending", operation="")
        return True

    def _denied(self, stage: Stage) -> bool:
        return any(r.state == "rejected" for r in self.requests.values() if _lies(r, {"stage": stage.name}))

    def _ready(self) -> Iterable[RecordRow]:
        for stage in self.situation.plan.stages:
            if self.timeline.stage(stage).state != "inProgress":
                continue
            for job in stage.jobs:
                phase = self.timeline.phase(stage, job)
                if phase.state == "inProgress":
                    yield from self._ready_instances(phase)

    def _ready_instances(self, phase: RecordRow) -> Iterable[RecordRow]:
        instances = self.timeline.jobs(phase)
        running = sum(instance.state == "inProgress" for instance in instances)
        room = int(phase.details.get("maxParallel", 0)) or len(instances)
        ready = [instance for instance in instances if instance.state == "pending"]
        return ready[: max(0, room - running)]

    def _stop(self) -> Iterable[str]:
        for stage in self.situation.plan.stages:
            if self.situation.canceled or self._denied(stage):
                for job in stage.jobs:
                    instances = self.timeline.jobs(self.timeline.phase(stage, job))
                    yield from (instance.id for instance in instances if instance.state == "inProgress")

    def _open(self, **where: str) -> list[RequestRow]:
        return [r for r in self.requests.values() if r.state == "running" and _lies(r, where)]

    def _close(self, request: RequestRow, state: str) -> None:
        self.closed.append((request.id, state))
        del self.requests[request.id]

    def _end_job(self, job: RecordRow, result: Result, message: str = "") -> None:
        for step in self.timeline.steps(job):
            if not step.completed:
                self.timeline.complete(step, Result.SKIPPED, self.world.now)
        self.timeline.complete(job, result, self.world.now, message)

    def _end_stage(self, stage: Stage, record: RecordRow, result: Result, message: str = "") -> None:
        for job in stage.jobs:
            phase = self.timeline.phase(stage, job)
            if not phase.completed:
                self.timeline.complete(phase, Result.SKIPPED, self.world.now)
        self._end_checkpoint(record, result)
        self.timeline.complete(record, result, self.world.now, message)

    def _end_checkpoint(self, stage: RecordRow, result: Result) -> None:
        for kind in (AUTHORIZATION, "Checkpoint"):
            record = self.timeline.find(kind, f"{stage.identifier}.{kind}")
            if record and not record.completed:
                self.timeline.complete(record, result, self.world.now)

    def _result(self, stages: Sequence[RecordRow]) -> Result:
        result = roll_up(record.result for record in stages)
        gave_up = any(record.message == TIMED_OUT for record in stages)
        if self.situation.canceled or (gave_up and result is not Result.FAILED):
            return Result.CANCELED
        return result


def needs_of(record: RecordRow) -> list[Need]:
    """The needs that are kept with a stage's or a waiting job's record."""
    return [Need(**{**need, "schemes": tuple(need["schemes"])}) for need in record.details.get("needs", ())]


def _lies(request: RequestRow, where: Mapping[str, str]) -> bool:
    at_stage = "job_id" in where or not request.job_id or request.state == "rejected"
    return at_stage and all(getattr(request, name) == value for name, value in where.items())


def _checkpoint_record(kind: str, stage: RecordRow, parent_id: str) -> RecordRow:
    identifier = f"{stage.identifier}.{kind}"
    return RecordRow(
        id=record_id(attempted(identifier, stage.attempt)),
        type=kind,
        identifier=identifier,
        name=kind,
        ref_name=kind,
        parent_id=parent_id,
        order=stage.order,
        attempt=stage.attempt,
        state="inProgress",
    )


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
