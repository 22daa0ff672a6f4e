"""Hands a ready job to a dispatcher: claims it, makes its request, and connects it with what records it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from sluice.authorization.resources import Pending
from sluice.authorization.texts import banner
from sluice.connections.sealing import Sealed
from sluice.dispatch.port import Dispatcher, Ended
from sluice.errors import NotPermittedError, SluiceError
from sluice.language.plan import Job, Stage
from sluice.runs import vouched_waits
from sluice.runs.access import RunAccess
from sluice.runs.checkouts import listed
from sluice.runs.decide import Advanced
from sluice.runs.file_access import FileAccess
from sluice.runs.identifiers import join
from sluice.runs.job_access import ACCESS_TOKEN, addresses
from sluice.runs.job_request import Place, Position, build_request
from sluice.runs.keeping import RunKeeper
from sluice.runs.leases import job_ended
from sluice.runs.logs import RunLogs
from sluice.runs.opening import Fetched, GroupsPendingError, Opener
from sluice.runs.orchestrator import Loaded, Orchestrator, sealed_identity
from sluice.runs.pinning import OPTION as REPOSITORIES
from sluice.runs.pinning import pin
from sluice.runs.predefined import origin_of
from sluice.runs.progress import decode_progress
from sluice.runs.recorder import Changed, JobRecorder, Logged
from sluice.runs.secrets import open_secrets
from sluice.runs.step_waits import DECIDED
from sluice.runs.timeline import Timeline, parent
from sluice.runs.variables import Groups, no_groups, scope_of
from sluice.runs.workspaces import workspace_of
from sluice.runtime.request import JobProgress, JobRequest, JobVariable, Result
from sluice.storage import projects, records, runs
from sluice.storage.blobs import Blobs
from sluice.storage.engine import Transaction
from sluice.storage.records import RecordRow
from sluice.storage.runs import RunRow
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Jobs that are recorded as started in a transaction, to be dispatched when that is stored.

    `changed` are the records that it changes; `complete` says that each of the jobs could be made ready.
    """

    loaded: Loaded
    changed: Sequence[RecordRow]
    jobs: Sequence[tuple[Position, JobRequest]]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Starts jobs of one run on a dispatcher."""

    orchestrator: Orchestrator
    dispatcher: Dispatcher
    logs: RunLogs
    changed: Changed
    logged: Logged
    ended: Callable[[Ended], None]

    def start(self, run_id: int, job_ids: Sequence[str]) -> bool:
        """Start jobs that are ready; False when one of them could not be made ready: it has failed, or it waits."""
        if not job_ids:
            return True
        pin(self.orchestrator, run_id, job_ids)
        fetched = self._fetched(run_id, job_ids)
        with self.orchestrator.database.write() as transaction:
            loaded = self.orchestrator.load(transaction, run_id, steps=False)
            timeline = Timeline(loaded.situation.records, loaded.situation.steps)
            claims = self._claims(transaction, loaded, timeline, job_ids, fetched)
        return self.carry_out(claims)

    def claim_at_once(
        self, transaction: Transaction, loaded: Loaded, advanced: Advanced, job_ids: Sequence[str]
    ) -> Claims | None:
        """Claim jobs in the transaction that made them ready, where nothing has to be fetched for them first.

        `loaded` is the run as it was before that. What it answers is to be carried out once the transaction is stored;
        None leaves the jobs to `start`. Claimed at once, a run is read and stored half as often.
        """
        decided = advanced.timeline.added() or advanced.asked or advanced.closed or advanced.details or advanced.suites
        run_id = loaded.run.id
        if decided or loaded.plan.repositories or self.orchestrator.uses_groups(transaction, run_id):
            return None
        return self._claims(transaction, loaded, advanced.timeline.once_stored(), job_ids, {})

    def carry_out(self, claims: Claims) -> bool:
        """Dispatch jobs whose claim is stored; False when one of them could not be made ready."""
        for record in claims.changed:
            self.changed(record)
        for position, request in claims.jobs:
            self._dispatch(claims.loaded, position, request)
        return claims.complete

    def _claims(
        self, transaction: Transaction, loaded: Loaded, timeline: Timeline, job_ids: Sequence[str], fetched: Fetched
    ) -> Claims:
        claimed: list[tuple[Position, JobRequest]] = []
        pending = [record for record in map(timeline.by_id, job_ids) if record and record.state == "pending"]
        for record in pending:
            try:
                request = self._request(transaction, loaded, timeline, locate(loaded, timeline, record), fetched)
            except GroupsPendingError as error:
                self._wait(timeline, record, error.pending)
            except SluiceError as error:
                self._end(timeline, record, Result.FAILED, str(error))
            else:
                self._claim(timeline, record, request)
                claimed.append((locate(loaded, timeline, record), request))
        changed = vouched_waits.vouched(transaction, loaded.run.id, timeline.changed())
        records.save(transaction, loaded.run.id, changed)
        return Claims(loaded=loaded, changed=changed, jobs=claimed, complete=len(claimed) == len(pending))

    def give_up(self, run_id: int, job_ids: Sequence[str]) -> bool:
        """End jobs that are ready as canceled, without running anything; whether there were any."""
        if not job_ids:
            return False
        with self.orchestrator.database.write() as transaction:
            timeline = Timeline(records.of_run(transaction, run_id))
            for record in map(timeline.by_id, job_ids):
                if record and record.state == "pending":
                    self._end(timeline, record, Result.CANCELED)
            changed = vouched_waits.vouched(transaction, run_id, timeline.changed())
            records.save(transaction, run_id, changed)
        for record in changed:
            self.changed(record)
        return bool(changed)

    def _fetched(self, run_id: int, job_ids: Sequence[str]) -> Fetched:
        """What the references of the jobs' variable groups name; read before anything is locked for the start."""
        with self.orchestrator.database.read() as transaction:
            if not self.orchestrator.uses_groups(transaction, run_id):
                return {}
            loaded = self.orchestrator.load(transaction, run_id, steps=False)
            timeline = Timeline(loaded.situation.records, loaded.situation.steps)
            found = [record for record in map(timeline.by_id, job_ids) if record]
            positions = [locate(loaded, timeline, record) for record in found]
            groups = Opener(self.orchestrator).to_fetch(transaction, loaded, positions)
        return Opener(self.orchestrator).fetch(groups)

    def _wait(self, timeline: Timeline, record: RecordRow, pending: Sequence[Pending]) -> None:
        """The job waits before it starts; the next decision asks for the variable groups that it needs."""
        needs = [asdict(need) for one in pending for need in one.needs]
        details = {**record.details, "needs": needs, "suspendedAt": ""}
        timeline.put(record, state="waiting", operation=banner(len(pending)), details=details)

    def _claim(self, timeline: Timeline, record: RecordRow, request: JobRequest) -> None:
        for step, asked in zip(timeline.steps(record), request.steps, strict=True):
            timeline.put(step, name=asked.display_name)
        timeline.put(
            record,
            name=request.display_name,
            state="inProgress",
            worker=self.dispatcher.place,
            started_at=record.started_at or self.orchestrator.clock(),
        )

    def _dispatch(self, loaded: Loaded, position: Position, request: JobRequest) -> None:
        job = position.record
        run = loaded.run
        access = access_of(self.orchestrator, loaded, position)
        recorder = JobRecorder(
            run,
            job,
            position.steps,
            database=self.orchestrator.database,
            sealer=self.orchestrator.store.sealer,
            logs=self.logs,
            pending=access.pending,
            progress=request.progress,
            limit=request.timeout_seconds,
            clock=self.orchestrator.clock,
            changed=self.changed,
            logged=self.logged,
        )
        self.dispatcher.start(
            request,
            emit=recorder.record,
            connections=access,
            secure_files=FileAccess(access=access, files=self.orchestrator.secure_files),
            ended=self._gives_back(run.id, position),
            canceled=bool(job.details.get("canceled")),
            keeper=self._keeper(run),
        )

    def _gives_back(self, run_id: int, position: Position) -> Callable[[Ended], None]:
        def ended(one: Ended) -> None:
            try:
                job_ended(self.orchestrator, run_id, position.stage.name, position.record)
            finally:
                self.ended(one)

        return ended

    def _keeper(self, run: RunRow) -> RunKeeper:
        return RunKeeper(
            database=self.orchestrator.database,
            blobs=Blobs(self.orchestrator.home.content),
            clock=self.orchestrator.clock,
            run_id=run.id,
            project_id=run.project_id,
            pipeline_id=run.pipeline_id,
            branch=str(run.options.get("branch", "")),
        )

    def _request(
        self, transaction: Transaction, loaded: Loaded, timeline: Timeline, position: Position, fetched: Fetched
    ) -> JobRequest:
        progress = newest_progress(self.orchestrator, transaction, loaded.run.id, position.record.id)
        groups = self._groups(transaction, loaded, position, fetched, progress)
        root = loaded.evaluation.root
        if progress is None:
            orchestrator = self.orchestrator
            sealer = orchestrator.store.sealer
            now = orchestrator.clock()
            root = root | scope_of(open_secrets(transaction, sealer, orchestrator.settings, loaded.run, at=now))
        return build_request(
            position,
            server=self._server(transaction, loaded.run, position.record.id),
            evaluation=replace(loaded.evaluation, groups=groups, root=root),
            timeline=timeline,
            catalogue=self.orchestrator.tasks(),
            place=place_of(self.orchestrator, loaded, position.record),
            progress=progress,
            decided=loaded.run.options.get(DECIDED, {}),
        )

    def _server(self, transaction: Transaction, run: RunRow, job_id: str) -> list[JobVariable]:
        """The variables by which the job's steps reach the server that runs it, where one does."""
        access = self.orchestrator.job_access
        if access is None:
            return []
        project = projects.get(transaction, run.project_id)
        urls = addresses(access, project_id=project.guid, run_id=run.id, job_id=job_id)
        where = [JobVariable(name=name, value=url, readonly=True) for name, url in urls.items()]
        token = access.issue(transaction, run.id, job_id)
        return [*where, JobVariable(name=ACCESS_TOKEN, value=token, readonly=True)]

    def _groups(
        self,
        transaction: Transaction,
        loaded: Loaded,
        position: Position,
        fetched: Fetched,
        progress: JobProgress | None,
    ) -> Groups:
        opener = Opener(self.orchestrator)
        try:
            return opener.open(transaction, loaded, position, fetched, has_progress=progress is not None)
        except NotPermittedError:
            if position.record.details.get("canceled"):  # its `always()` steps still run, without these values
                return no_groups
            raise

    def _end(self, timeline: Timeline, record: RecordRow, result: Result, message: str = "") -> None:
        now = self.orchestrator.clock()
        for step in timeline.steps(record):
            if not step.completed:
                timeline.complete(step, Result.SKIPPED, now)
        timeline.complete(record, result, now, message)


def access_of(orchestrator: Orchestrator, loaded: Loaded, position: Position) -> RunAccess:
    """What opens connections for the steps of a job."""
    run = loaded.run
    return RunAccess(
        store=orchestrator.store,
        clock=orchestrator.clock,
        run_id=run.id,
        project_id=run.project_id,
        pipeline_id=run.pipeline_id,
        pipeline=run.pipeline,
        stage=position.stage.name,
        actor=run.requested_by,
        attempt=position.stage_record.attempt,
        origin=origin_of(run.options, run.pipeline),
    )


def locate(loaded: Loaded, timeline: Timeline, instance: RecordRow) -> Position:
    """Where a job instance stands in its plan, as the timeline has it now."""
    record = timeline.by_id(instance.id) or instance
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
    given = loaded.run.options.get(REPOSITORIES, {})
    home = orchestrator.home
    return Place(
        work=home.work,
        workspace=workspace_of(home.work, loaded.run.id, record.id),
        repository=Path(repository) if repository else None,
        private=(home.root,),
        repositories=listed(loaded.plan, given),
        given=given,
        containers=loaded.plan.containers,
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
