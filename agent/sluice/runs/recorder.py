"""Stores what a job tells while it runs. An event is stored before the job goes on: nothing acknowledged is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from sluice.authorization.resources import Need
from sluice.authorization.texts import banner, step_banner
from sluice.connections.sealing import Sealer
from sluice.runs import vouched_waits
from sluice.runs.logs import RunLogs
from sluice.runs.orchestrator import sealed_identity
from sluice.runs.progress import ProgressEncoder, encode_secrets
from sluice.runs.step_waits import with_wait
from sluice.runtime.events import (
    DetailChanged,
    Event,
    IssueRaised,
    JobFinished,
    JobStarted,
    JobSuspended,
    LogWritten,
    StepFinished,
    StepProgressed,
    StepStarted,
    TagAdded,
)
from sluice.runtime.request import JobProgress, Result
from sluice.secret import Secret
from sluice.storage import record_details, records, run_tags, runs, usage
from sluice.storage.engine import Database, Transaction
from sluice.storage.record_details import DetailRow
from sluice.storage.records import MAX_ISSUES, RecordRow
from sluice.storage.runs import RunRow, SealedRow

_SKIPPED = {"state": "completed", "result": str(Result.SKIPPED), "percent": 100, "operation": ""}

LINE = "logFileLineNumber"
"""Where an issue says which line of the step's log it is; the last one when it is raised."""

DETAIL_SECONDS = 1.0
"""How often nested records and tags of a step that runs are stored."""

Changed = Callable[[RecordRow], None]
Logged = Callable[[RecordRow, bytes], None]


class JobRecorder:
    """Records one attempt of one job. Its methods are called from the job's threads."""

    def __init__(
        self,
        run: RunRow,
        job: RecordRow,
        steps: Iterable[RecordRow],
        *,
        database: Database,
        sealer: Sealer,
        logs: RunLogs,
        pending: Mapping[str, Need],
        progress: JobProgress | None,
        limit: float = 0,
        clock: Callable[[], float],
        changed: Changed,
        logged: Logged,
    ) -> None:
        self._run = run
        self._job = job
        self._records = {step.id: step for step in steps}
        self._database = database
        self._sealer = sealer
        self._logs = logs
        self._pending = pending
        self._clock = clock
        self._changed = changed
        self._logged = logged
        self._lock = threading.Lock()
        self._progress = progress
        self._encoder = ProgressEncoder()
        self._limit = limit
        self._details: dict[tuple[str, str], DetailChanged] = {}
        self._tags: list[str] = []
        self._details_stored = 0.0

    def record(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, LogWritten):
            self._logs.write(event.step, event.text)
            self._logged(self._records[event.step], event.text)
            return
        with self._lock:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case JobStarted():
                pass  # stored when the job was claimed
            case StepStarted():
                self._step_started(event)
            case IssueRaised():
                self._issue_raised(event)
            case StepProgressed():
                self._changed(self._put(event.step, percent=event.percent, operation=event.operation))
            case DetailChanged():
                self._details[event.step, event.id] = event
                self._detail_changed()
            case TagAdded():
                self._tags.append(event.tag)
                self._detail_changed()
            case StepFinished():
                self._step_finished(event)
            case JobSuspended():
                self._suspended(event)
            case JobFinished():
                self._finished(event)

    def _step_started(self, event: StepStarted) -> None:
        step = self._put(event.step, state="inProgress", started_at=self._clock(), worker=self._job.worker)
        with self._database.write(synced=False) as transaction:
            records.save(transaction, self._run.id, [step])
        self._changed(step)

    def _issue_raised(self, event: IssueRaised) -> None:
        """Issues are stored with the end of their step, or with the next change: a flood of them costs no writes."""
        step = self._records[event.step]
        count = f"{event.type}_count"
        number = getattr(step, count) + 1
        issues = step.issues
        if number <= MAX_ISSUES:
            data = {**event.data, LINE: str(self._logs.count(event.step))}
            issues = (*issues, {"type": event.type, "message": event.message, "data": data})
        self._changed(self._put(event.step, **{count: number, "issues": issues}))

    def _detail_changed(self) -> None:
        """Nested records and tags are stored with the end of their step, or once a second: a flood costs few writes."""
        now = self._clock()
        if not 0 <= now - self._details_stored < DETAIL_SECONDS:
            self._details_stored = now
            with self._database.write(synced=False) as transaction:
                self._save_details(transaction)

    def _save_details(self, transaction: Transaction) -> None:
        for detail in self._details.values():
            record_details.put(transaction, self._run.id, _detail_row(detail))
        for tag in self._tags:
            run_tags.add(transaction, self._run.id, tag)
        self._details.clear()
        self._tags.clear()

    def _step_finished(self, event: StepFinished) -> None:
        now = self._clock()
        step = self._put(
            event.step,
            state="completed",
            result=str(event.result),
            message=event.message,
            finished_at=now,
            percent=100,
            operation="",
            outputs={name: value for name, value in event.outputs.items() if isinstance(value, str)},
        )
        self._progress = event.progress
        self._logs.close(event.step)
        with self._database.write(synced=False) as transaction:
            records.save(transaction, self._run.id, [step])
            self._save_details(transaction)
            self._save_progress(transaction, event.progress)
            usage.step_finished(transaction, self._run.id, step.id, step.result, at=now)
        self._changed(step)

    def _suspended(self, event: JobSuspended) -> None:
        """The job waits; the next decision asks for what its step needs."""
        if event.wait is not None:
            self._logs.close(event.step)
            job_until = (self._job.started_at or self._clock()) + self._limit if self._limit else None
            now = self._clock()
            details = with_wait(self._job.details, event.step, event.wait, now=now, job_until=job_until)
            operation = step_banner(event.wait.kind, self._records[event.step].name)
        else:
            need = self._pending[event.step]
            details = {**self._job.details, "suspendedAt": event.step, "needs": [asdict(need)]}
            operation = banner(1)
        job = replace(self._job, state="waiting", operation=operation, details=details)
        with self._database.write() as transaction:
            self._save_progress(transaction, event.progress)
            records.save(transaction, self._run.id, vouched_waits.vouched(transaction, self._run.id, [job]))
        self._job = job
        self._changed(job)

    def _finished(self, event: JobFinished) -> None:
        now = self._clock()
        job = records.ended(self._job, str(event.result), now, event.message)
        left = [step for step in self._records.values() if not step.completed]
        left = [self._put(step.id, **_SKIPPED, finished_at=now) for step in left]
        outputs = self._progress.outputs if self._progress else {}
        secrets = {name: value for name, value in outputs.items() if isinstance(value, Secret)}
        if secrets:
            job = replace(job, details={**job.details, "secretOutputs": sorted(secrets)})
        with self._database.write(synced=False) as transaction:
            if secrets:
                self._seal(transaction, runs.OUTPUTS, encode_secrets(secrets))
            if event.result in {Result.SUCCEEDED, Result.SUCCEEDED_WITH_ISSUES}:
                runs.drop_progress(transaction, self._run.id, job.id)
            records.save(transaction, self._run.id, vouched_waits.vouched(transaction, self._run.id, [*left, job]))
            usage.step_finished(transaction, self._run.id, job.id, job.result, at=now)
        self._job = job
        for record in (*left, job):
            self._changed(record)

    def _put(self, step_id: str, **changes: Any) -> RecordRow:
        """The step as it is now. Who watches is told by the caller, once it is stored."""
        step = self._records[step_id] = replace(self._records[step_id], **changes)
        return step

    def _save_progress(self, transaction: Transaction, progress: JobProgress) -> None:
        self._seal(transaction, progress.next_step, self._encoder.encode(progress))

    def _seal(self, transaction: Transaction, step: int, raw: bytes) -> None:
        sealed = self._sealer.seal_blob(sealed_identity(self._run.id, self._job.id), step, raw)
        row = SealedRow(
            run_id=self._run.id,
            job_id=self._job.id,
            step=step,
            key_id=sealed.key_id,
            wrapped_key=sealed.wrapped_key,
            sealed=sealed.sealed,
        )
        runs.save_sealed(transaction, row)


def _detail_row(detail: DetailChanged) -> DetailRow:
    return DetailRow(
        record_id=detail.step,
        id=detail.id,
        parent_id=detail.parent,
        type=detail.type,
        name=detail.name,
        order=detail.order,
        started_at=detail.started,
        finished_at=detail.finished,
        percent=detail.percent,
        state=detail.state,
        result=detail.result,
        operation=detail.operation,
    )
