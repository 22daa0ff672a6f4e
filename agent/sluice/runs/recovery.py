"""A run whose process died: what of it is lost, and how it goes on (and how a failed one is tried again).

A job between two steps goes on with the next one. A job whose step was running is reported as lost and not repeated,
unless the step says `retryCountOnTaskFailure`: nobody knows how far it came.
"""

from __future__ import annotations

from dataclasses import replace

from sluice.errors import ConflictError, UsageError
from sluice.runs.identifiers import attempted, record_id, shown
from sluice.runs.jobs import locate, newest_progress, place_of
from sluice.runs.orchestrator import Loaded, Orchestrator
from sluice.runs.timeline import Timeline
from sluice.runtime.orphans import kill_orphans, lookup_id
from sluice.runtime.request import JobRequest, Result
from sluice.storage import records, runs, usage
from sluice.storage.engine import Transaction
from sluice.storage.records import RecordRow

LOST = "The process that ran this job ended before the job did."
_GOOD = frozenset({Result.SUCCEEDED, Result.SUCCEEDED_WITH_ISSUES})


def recover(orchestrator: Orchestrator, run_id: int) -> list[RecordRow]:
    """Take in that nobody runs the jobs that are stored as running; answers those that are lost.

    To be called by the process that holds the run's lock.
    """
    with orchestrator.database.write() as transaction:
        loaded = orchestrator.load(transaction, run_id)
        timeline = Timeline(loaded.situation.records)
        running = [record for record in timeline if record.type == "Job" and record.state == "inProgress"]
        lost = [job for job in running if not _goes_on(orchestrator, transaction, loaded, timeline, job)]
        for job in lost:
            _lose(orchestrator, transaction, run_id, timeline, job)
        records.save(transaction, run_id, timeline.changed())
    return lost


def _goes_on(
    orchestrator: Orchestrator, transaction: Transaction, loaded: Loaded, timeline: Timeline, job: RecordRow
) -> bool:
    """Whether the job can go on; then it is ready again. What its last process left running is ended first."""
    position = locate(loaded, timeline, job)
    place = place_of(orchestrator, loaded, job)
    kill_orphans(
        lookup_id(
            JobRequest(
                run_id=loaded.run.id,
                id=job.id,
                identifier=job.identifier,
                display_name=job.name,
                work=place.work,
                workspace=place.workspace,
                attempt=job.attempt,
            )
        )
    )
    retries = {step.name: step.retry_count for step in position.plan_steps}
    interrupted = [step for step in position.steps if step.state == "inProgress"]
    if any(not retries.get(step.ref_name, 0) for step in interrupted):
        return False
    progress = newest_progress(orchestrator, transaction, loaded.run.id, job.id)
    done = progress.next_step if progress else 0
    for step in position.steps[done:]:
        if step.state != "pending":
            timeline.put(step, state="pending", result="", started_at=None, finished_at=None)
    timeline.put(job, state="pending")
    return True


def _lose(
    orchestrator: Orchestrator, transaction: Transaction, run_id: int, timeline: Timeline, job: RecordRow
) -> None:
    now = orchestrator.clock()
    for step in timeline.steps(job):
        if step.state == "inProgress":
            issue = {"type": "error", "message": LOST, "data": {}}
            timeline.put(step, issues=(*step.issues, issue), error_count=step.error_count + 1)
            timeline.complete(timeline.by_id(step.id) or step, Result.ABANDONED, now, LOST)
            usage.step_finished(transaction, run_id, step.id, str(Result.ABANDONED), at=now)
        elif not step.completed:
            timeline.complete(step, Result.SKIPPED, now)
    timeline.complete(job, Result.FAILED, now, LOST)


def retry(orchestrator: Orchestrator, run_id: int, *, from_step: str = "") -> None:
    """Make a finished run's failed, canceled and skipped parts ready to run again; what succeeded stays.

    `from_step` is `STAGE.JOB.STEP` (or the step's shorter path in a pipeline without stages): that job then goes on
    from this step, with the variables it had there. Raises `ConflictError` when there is nothing to run again.
    """
    with orchestrator.database.write() as transaction:
        loaded = orchestrator.load(transaction, run_id)
        if loaded.run.state != "completed":
            raise ConflictError(f"run {run_id} is not over", do=f"go on with it: sluice resume {run_id}")
        timeline = Timeline(loaded.situation.records)
        again = _Retry(orchestrator, transaction, loaded, timeline)
        if not again.run(from_step):
            raise ConflictError(f"every part of run {run_id} succeeded: there is nothing to run again")
        runs.change(transaction, run_id, state="inProgress", result="", finished_at=None, cancel_requested_by="")


class _Retry:
    """One retry; its attributes are what it works on."""

    def __init__(
        self, orchestrator: Orchestrator, transaction: Transaction, loaded: Loaded, timeline: Timeline
    ) -> None:
        self.orchestrator = orchestrator
        self.transaction = transaction
        self.loaded = loaded
        self.timeline = timeline
        self.old: list[RecordRow] = []
        self.new: list[RecordRow] = []

    def run(self, from_step: str) -> bool:
        resumed = self._step(from_step) if from_step else None
        for stage in self.loaded.plan.stages:
            record = self.timeline.stage(stage)
            if record.result in _GOOD and not (resumed and self._inside(resumed, record)):
                continue
            self._again(record, "pending")
            for job in stage.jobs:
                self._phase(self.timeline.phase(stage, job), resumed)
        records.save(self.transaction, self.loaded.run.id, self.old)
        records.add(self.transaction, self.loaded.run.id, self.new)
        return bool(self.new)

    def _phase(self, phase: RecordRow, resumed: RecordRow | None) -> None:
        instances = self.timeline.jobs(phase)
        chosen = [job for job in instances if job.result not in _GOOD or self._is_job_of(job, resumed)]
        if phase.result in _GOOD and not chosen:
            return
        self._again(phase, "inProgress" if instances else "pending")
        for job in chosen:
            self._job(job, resumed if self._is_job_of(job, resumed) else None)

    def _job(self, job: RecordRow, resumed: RecordRow | None) -> None:
        steps = self.timeline.steps(job)
        done = steps.index(resumed) if resumed else 0
        details = {key: job.details[key] for key in ("leg", "position", "total", "hook") if key in job.details}
        new = self._again(job, "pending", details=details)
        for index, step in enumerate(steps):
            kept = index < done
            self._again(step, step.state if kept else "pending", result=step.result if kept else "", parent=new)
        if done:
            self._copy_progress(job, new, done)

    def _copy_progress(self, job: RecordRow, new: RecordRow, done: int) -> None:
        from sluice.connections.sealing import Sealed
        from sluice.runs.orchestrator import sealed_identity
        from sluice.storage.runs import SealedRow

        run_id = self.loaded.run.id
        row = runs.sealed(self.transaction, run_id, job.id, done)
        if row is None:
            raise ConflictError("the state of that job before that step is not kept", do="retry without --from")
        sealer = self.orchestrator.store.sealer
        raw = sealer.open_blob(sealed_identity(run_id, job.id), done, Sealed(row.key_id, row.wrapped_key, row.sealed))
        sealed = sealer.seal_blob(sealed_identity(run_id, new.id), done, raw)
        runs.save_sealed(
            self.transaction,
            SealedRow(
                run_id=run_id,
                job_id=new.id,
                step=done,
                key_id=sealed.key_id,
                wrapped_key=sealed.wrapped_key,
                sealed=sealed.sealed,
            ),
        )

    def _again(
        self, record: RecordRow, state: str, *, result: str = "", parent: RecordRow | None = None, **changes: object
    ) -> RecordRow:
        """A new attempt of an element; the old one stays in the timeline as superseded."""
        attempt = record.attempt + 1
        self.old.append(replace(record, superseded=True))
        blank = RecordRow(
            id=record_id(attempted(record.identifier, attempt)),
            type=record.type,
            identifier=record.identifier,
            name=record.name,
            ref_name=record.ref_name,
            parent_id=parent.id if parent else record.parent_id,
            order=record.order,
            attempt=attempt,
            state=state,
            result=result,
            details=record.details,
            outputs=record.outputs if result else {},
            started_at=record.started_at if result else None,
            finished_at=record.finished_at if result else None,
        )
        new = replace(blank, **changes)  # type: ignore[arg-type]  # the fields of RecordRow
        self.new.append(new)
        return new

    def _step(self, path: str) -> RecordRow:
        wanted = path.casefold()
        steps = [record for record in self.timeline if record.type == "Task"]
        for step in steps:
            if wanted in {step.identifier.casefold(), shown(step.identifier).casefold()}:
                return step
        known = ", ".join(shown(step.identifier) for step in steps[:10])
        raise UsageError(f"there is no step '{path}' in run {self.loaded.run.id}", do=f"known: {known}")

    def _inside(self, step: RecordRow, stage: RecordRow) -> bool:
        return stage.identifier == "__default" or step.identifier.split(".", 1)[0] == stage.identifier

    @staticmethod
    def _is_job_of(job: RecordRow, step: RecordRow | None) -> bool:
        return step is not None and step.identifier.rpartition(".")[0] == job.identifier
