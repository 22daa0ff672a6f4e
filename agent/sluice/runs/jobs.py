"""Hands a ready job to a dispatcher: claims it, makes its request, and connects it with what records it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.connections.sealing import Sealed
from sluice.dispatch.port import Dispatcher, Ended
from sluice.errors import SluiceError
from sluice.language.plan import Job, Stage
from sluice.runs.access import RunAccess
from sluice.runs.identifiers import join
from sluice.runs.job_request import Place, Position, build_request
from sluice.runs.logs import RunLogs
from sluice.runs.orchestrator import Loaded, Orchestrator, sealed_identity
from sluice.runs.progress import decode_progress
from sluice.runs.recorder import Changed, JobRecorder, Logged
from sluice.runs.timeline import Timeline, parent
from sluice.runtime.request import JobProgress, JobRequest, Result
from sluice.storage import records, runs
from sluice.storage.engine import Transaction
from sluice.storage.records import RecordRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Starts jobs of one run on a dispatcher."""

    orchestrator: Orchestrator
    dispatcher: Dispatcher
    logs: RunLogs
    changed: Changed
    logged: Logged
    ended: Callable[[Ended], None]

    def start(self, run_id: int, job_id: str) -> None:
        """Start a job that is ready; one that was claimed meanwhile, or cannot be made ready, is left or failed."""
        with self.orchestrator.database.write() as transaction:
            loaded = self.orchestrator.load(transaction, run_id)
            timeline = Timeline(loaded.situation.records)
            record = timeline.by_id(job_id)
            if record is None or record.state != "pending":
                return
            position = locate(loaded, timeline, record)
            try:
                request = self._request(transaction, loaded, timeline, position)
            except SluiceError as error:
                self._fail(transaction, run_id, timeline, record, str(error))
                return
            claimed = replace(
                record,
                state="inProgress",
                worker=self.dispatcher.place,
                started_at=record.started_at or self.orchestrator.clock(),
            )
            records.save(transaction, run_id, [claimed])
        self.changed(claimed)
        self._dispatch(loaded, position, claimed, request)

    def _dispatch(self, loaded: Loaded, position: Position, job: RecordRow, request: JobRequest) -> None:
        run = loaded.run
        access = RunAccess(
            store=self.orchestrator.store,
            clock=self.orchestrator.clock,
            run_id=run.id,
            project_id=run.project_id,
            pipeline_id=run.pipeline_id,
            pipeline=run.pipeline,
            stage=position.stage.name,
            actor=run.requested_by,
        )
        recorder = JobRecorder(
            run,
            job,
            position.steps,
            database=self.orchestrator.database,
            sealer=self.orchestrator.store.sealer,
            logs=self.logs,
            pending=access.pending,
            progress=request.progress,
            wait_seconds=loaded.situation.wait_seconds,
            clock=self.orchestrator.clock,
            changed=self.changed,
            logged=self.logged,
        )
        self.dispatcher.start(
            request,
            emit=recorder.record,
            connections=access,
            ended=self.ended,
            canceled=bool(job.details.get("canceled")),
        )

    def _request(self, transaction: Transaction, loaded: Loaded, timeline: Timeline, position: Position) -> JobRequest:
        return build_request(
            position,
            evaluation=loaded.evaluation,
            timeline=timeline,
            catalogue=self.orchestrator.tasks(),
            place=place_of(self.orchestrator, loaded, position.record),
            progress=newest_progress(self.orchestrator, transaction, loaded.run.id, position.record.id),
        )

    def _fail(self, transaction: Transaction, run_id: int, timeline: Timeline, record: RecordRow, message: str) -> None:
        now = self.orchestrator.clock()
        for step in timeline.steps(record):
            timeline.complete(step, Result.SKIPPED, now)
        job = timeline.complete(record, Result.FAILED, now, message)
        records.save(transaction, run_id, timeline.changed())
        self.changed(job)


def locate(loaded: Loaded, timeline: Timeline, record: RecordRow) -> Position:
    """Where a job instance stands in its plan."""
    phase_name = parent(record.identifier)
    stage, job = _find_job(loaded, phase_name)
    return Position(
        run_id=loaded.run.id,
        stage=stage,
        job=job,
        stage_record=timeline.stage(stage),
        phase=timeline.phase(stage, job),
        record=record,
        steps=tuple(timeline.steps(record)),
    )


def _find_job(loaded: Loaded, identifier: str) -> tuple[Stage, Job]:
    return next(
        (stage, job) for stage in loaded.plan.stages for job in stage.jobs if join(stage.name, job.name) == identifier
    )


def place_of(orchestrator: Orchestrator, loaded: Loaded, record: RecordRow) -> Place:
    """Where a job of a run works on this machine: a folder of its own, the same when it goes on."""
    repository = loaded.run.options.get("repository")
    work = orchestrator.home.work / str(loaded.run.id)
    return Place(
        work=work,
        workspace=work / record.id.partition("-")[0],
        repository=Path(repository) if repository else None,
    )


def newest_progress(
    orchestrator: Orchestrator, transaction: Transaction, run_id: int, job_id: str
) -> JobProgress | None:
    """How far a job has come, if a step of it has finished."""
    row = runs.newest_progress(transaction, run_id, job_id)
    if row is None:
        return None
    sealed = Sealed(row.key_id, row.wrapped_key, row.sealed)
    identity = sealed_identity(run_id, job_id)
    return decode_progress(orchestrator.store.sealer.open_blob(identity, row.step, sealed))
