"""Runs from end to end in this process: a state folder of their own, a made-up connection type and task, real jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import ConnectionRecord, Draft
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.dispatch.local import LocalDispatcher
from sluice.dispatch.port import Ended
from sluice.hooks.declaration import ConnectionType, Field, Input, Scheme, Task, Url
from sluice.hooks.task_run import TaskRun
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan
from sluice.language.tasks import TaskCatalogue
from sluice.library.group import GroupDraft, VariableGroup
from sluice.library.store import resource_of
from sluice.runs.creation import NewRun, create
from sluice.runs.decisions import Decisions
from sluice.runs.driver import Driver, Waiting
from sluice.runs.identifiers import shown
from sluice.runs.orchestrator import Orchestrator
from sluice.runs.predefined import Source
from sluice.runtime.events import Emit, Event, LogWritten, StepFinished
from sluice.runtime.keeping import Keeper
from sluice.runtime.request import ConnectionSource, JobRequest
from sluice.runtime.secure_files import SecureFileSource
from sluice.secret import Secret
from sluice.storage import permissions, pipelines, projects, records, requests
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow

DEPOT = ConnectionType(
    "Depot",
    "Acme depot",
    url=Url(schemes=("https",)),
    schemes=(
        Scheme("Token", "Token", (Field("apitoken", "API token", secret=True, required=True),)),
        Scheme("None", "Nothing"),
        Scheme("WorkloadIdentityFederation", "Federation"),
    ),
    data=(Field("Via", "Via", kind="connection", connection_type="Depot"),),
)
TOKEN = "token-0123456789"


def deliver(run: TaskRun) -> None:
    depot = run.connection("depot")
    token = depot.parameters.get("apitoken")
    run.say(f"delivered {run.input('what')} to {depot.name}{' with its token' if isinstance(token, Secret) else ''}")


DELIVER = Task(
    "Deliver@1",
    deliver,
    label="Deliver",
    inputs=(Input("depot", type="connectedService:Depot", aliases=("to",), required=True), Input("what")),
)


def find_task(reference: str) -> Task | None:
    return {DELIVER.reference: DELIVER}.get(reference)


class Recorder:
    """An observer that keeps what it is told, and does something when a step starts."""

    def __init__(self) -> None:
        self.changes: list[RecordRow] = []
        self.logged: list[tuple[str, bytes]] = []
        self.waits: list[tuple[str, ...]] = []
        self.finished: list[RunRow] = []
        self.on_start: dict[str, Callable[[], object]] = {}
        self.on_log: Callable[[bytes], object] | None = None
        self.threads: list[threading.Thread] = []

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        self.changes.extend(records)

    def record_changed(self, record: RecordRow) -> None:
        self.changes.append(record)
        if record.type == "Task" and record.state == "inProgress":
            for path in (shown(record.identifier), shown(record.identifier).rpartition(".")[0]):
                if action := self.on_start.pop(path, None):
                    thread = threading.Thread(target=action)
                    thread.start()
                    self.threads.append(thread)

    def log_written(self, step: RecordRow, text: bytes) -> None:
        self.logged.append((step.id, text))
        if self.on_log:
            self.on_log(text)

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        self.waits.append(tuple(request.resource_name for request in requests))

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        self.finished.append(run)


class WatchedDispatcher:
    """This machine, with its requests and events kept."""

    def __init__(self, jobs: int) -> None:
        self._local = LocalDispatcher(find_task, jobs=jobs)
        self.requests: list[JobRequest] = []
        self.events: dict[str, list[Event]] = {}
        self.most = 0

    @property
    def place(self) -> str:
        return "here"

    def room(self) -> int:
        return self._local.room()

    def start(
        self,
        request: JobRequest,
        *,
        emit: Emit,
        connections: ConnectionSource,
        ended: Callable[[Ended], None],
        canceled: bool = False,
        keeper: Keeper | None = None,
        secure_files: SecureFileSource | None = None,
    ) -> None:
        self.requests.append(request)
        events = self.events.setdefault(request.id, [])

        def keep(event: Event) -> None:
            events.append(event)
            emit(event)

        self._local.start(
            request,
            emit=keep,
            connections=connections,
            ended=ended,
            canceled=canceled,
            keeper=keeper,
            secure_files=secure_files,
        )
        self.most = max(self.most, len(self._local.active()))

    def active(self) -> frozenset[str]:
        return self._local.active()

    def cancel(self, job: str, reason: str = "") -> None:
        self._local.cancel(job, reason)

    def kill(self, job: str, reason: str = "") -> None:
        self._local.kill(job, reason)


@dataclass(kw_only=True)
class Outcome:
    """A run after somebody drove it."""

    run: RunRow
    records: list[RecordRow]
    observer: Recorder
    dispatcher: WatchedDispatcher

    def results(self) -> dict[str, str]:
        """Result (or, while there is none, state) by stage, stage.job, stage.job.step."""
        found: dict[str, str] = {}
        for kind in ("Phase", "Job", "Task", "Stage"):
            for record in self.records:
                path = shown(record.identifier)
                # what counts for others is the job's result; while it runs, the only instance tells more
                if record.type == kind and found.get(path, "inProgress") == "inProgress":
                    found[path] = record.result or record.state
        return {path: result for path, result in found.items() if path != "__default"}

    def jobs(self, name: str) -> list[RecordRow]:
        """The instances of a job, by its name or path."""
        return [one for one in self.records if one.type == "Job" and _is_job(one.identifier, name)]

    def output(self, job_id: str) -> list[str]:
        """What the scripts of a job printed."""
        text = b"".join(event.text for event in self.dispatcher.events[job_id] if isinstance(event, LogWritten))
        return printed(text.decode())

    def variables_after(self, job_id: str) -> dict[str, str | Secret]:
        ends = [event for event in self.dispatcher.events[job_id] if isinstance(event, StepFinished)]
        return {variable.name: variable.value for variable in ends[-1].progress.variables}


def _is_job(identifier: str, name: str) -> bool:
    job = identifier.rpartition(".")[0]
    return job == name or job.endswith(f".{name}")


def printed(log: str) -> list[str]:
    """The lines that scripts printed, without what the tasks print around them."""
    lines: list[str] = []
    inside = False
    for line in log.splitlines():
        if line.startswith("[command]"):
            inside = True
        elif line.startswith("##[section]Finishing"):
            inside = False
        elif inside and not line.startswith("##["):
            lines.append(line)
    return lines


@dataclass(kw_only=True)
class Clock:
    """The time of day, or `now` instead; `late` is added, in seconds."""

    now: float | None = None
    late: float = 0.0

    def __call__(self) -> float:
        return (time.time() if self.now is None else self.now) + self.late


@dataclass(kw_only=True)
class Bench:
    """A state folder with everything that drives runs in it."""

    folder: Path
    home: Home
    database: Database
    store: ConnectionStore
    orchestrator: Orchestrator
    catalogue: TaskCatalogue
    clock: Clock

    @property
    def decisions(self) -> Decisions:
        return Decisions(database=self.database, clock=self.clock, by="tester")

    def connection(self, name: str, *, scheme: str = "None", via: str = "", permit: str = "") -> ConnectionRecord:
        """A new depot; `permit` names a pipeline that may use it."""
        draft = Draft(
            name=name,
            type="Depot",
            scheme=scheme,
            url="https://depot.invalid",
            values={"Via": via} if via else {},
            secrets={"apitoken": Secret(TOKEN)} if scheme == "Token" else {},
        )
        record = self.store.create("default", draft, by="tester").record
        if permit:
            self.permit(record, permit)
        return record

    def group(
        self,
        name: str,
        variables: Mapping[str, str] | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        references: Mapping[str, str] | None = None,
        permit: str = "",
        project: str = "default",
    ) -> VariableGroup:
        """A new variable group; `permit` names a pipeline that may use it."""
        draft = GroupDraft(
            name=name,
            variables=variables or {},
            secrets={key: Secret(value) for key, value in (secrets or {}).items()},
            references=references or {},
        )
        group = self.orchestrator.groups.create(project, draft, by="tester").group
        if permit:
            self.permit(group, permit, project)
        return group

    def permit(
        self, resource: ConnectionRecord | VariableGroup, pipeline: str = "demo", project: str = "default"
    ) -> None:
        _, known = self.pipeline(pipeline, project)
        with self.database.write() as transaction:
            permissions.grant(transaction, _protected(resource), known.id, by="tester", at=self.clock())

    def revoke(self, resource: ConnectionRecord | VariableGroup, pipeline: str = "demo") -> None:
        _, known = self.pipeline(pipeline)
        with self.database.write() as transaction:
            permissions.revoke(transaction, _protected(resource), known.id, by="tester", at=self.clock())

    def pipeline(self, name: str, project: str = "default") -> tuple[Project, Pipeline]:
        with self.database.write() as transaction:
            owner = projects.ensure(transaction, project)
            source = str(self.folder / name / "azure-pipelines.yml")
            return owner, pipelines.ensure(transaction, owner, name=name, source=source, by="tester", at=self.clock())

    def create(
        self,
        pipeline: str | Plan,
        *,
        name: str = "demo",
        project: str = "default",
        variables: Mapping[str, str] | None = None,
        source: Mapping[str, str] | None = None,
        parameters: Mapping[str, object] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> RunRow:
        """A new run of YAML text (or of a plan)."""
        plan = pipeline
        if isinstance(plan, str):
            plan = compile_pipeline("azure-pipelines.yml", plan, catalogue=self.catalogue, parameters=parameters)
        owner, known = self.pipeline(name, project)
        repository = self.folder / "repository"
        repository.mkdir(exist_ok=True)
        new = NewRun(
            plan=plan,
            project=owner,
            pipeline=known,
            source=Source(root=str(repository), **{"name": "repository", **(source or {})}),
            requested_by="tester",
            variables=variables or {},
            secrets={name: Secret(value) for name, value in (secrets or {}).items()},
        )
        return create(self.orchestrator, new)

    def drive(
        self,
        run_id: int,
        *,
        waits: Callable[[Sequence[RequestRow]], Waiting] = lambda _: Waiting.LEAVE,
        cancel_at: str = "",
        jobs: int = 4,
        on_start: Mapping[str, Callable[[], object]] | None = None,
        started: Callable[[Driver], object] | None = None,
        on_log: Callable[[bytes], object] | None = None,
    ) -> Outcome:
        """Drive a run; it is canceled when the step (or the job) at `cancel_at` starts."""
        observer = Recorder()
        observer.on_start.update(on_start or {})
        observer.on_log = on_log
        dispatcher = WatchedDispatcher(jobs)
        if cancel_at:
            observer.on_start[cancel_at] = lambda: self.decisions.cancel(run_id)
        driver = Driver(self.orchestrator, dispatcher, observer, waits, cancel=self.decisions.cancel)
        if started:
            started(driver)
        run = driver.drive(run_id)
        for thread in observer.threads:
            thread.join()
        return Outcome(run=run, records=self.records(run_id), observer=observer, dispatcher=dispatcher)

    def run_pipeline(self, pipeline: str | Plan, *, drive: Mapping[str, Any] | None = None, **how: Any) -> Outcome:
        """Create a run and drive it."""
        return self.drive(self.create(pipeline, **how).id, **(drive or {}))

    def records(self, run_id: int) -> list[RecordRow]:
        with self.database.read() as transaction:
            return records.of_run(transaction, run_id)

    def requests(self, run_id: int, state: str = "") -> list[RequestRow]:
        with self.database.read() as transaction:
            return requests.of_run(transaction, run_id, state=state)

    def results(self, run_id: int) -> dict[str, str]:
        outcome = Outcome(
            run=self.run(run_id),
            records=self.records(run_id),
            observer=Recorder(),
            dispatcher=WatchedDispatcher(1),
        )
        return outcome.results()

    def run(self, run_id: int) -> RunRow:
        with self.database.read() as transaction:
            return self.orchestrator.load(transaction, run_id).run

    def log(self, run_id: int) -> str:
        """All that the steps of a run logged, stamps left out."""
        files = sorted((self.home.logs / str(run_id)).glob("*.log"), key=lambda path: path.stat().st_mtime)
        return "\n".join(line.partition("Z ")[2] for file in files for line in file.read_text().splitlines())


def _protected(resource: ConnectionRecord | VariableGroup) -> permissions.Resource:
    if isinstance(resource, VariableGroup):
        return resource_of(resource)
    return permissions.Resource(resource.project_id, resource.id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    home = Home(tmp_path / "home")
    database = Database.open(home)
    catalogue = TaskCatalogue([DELIVER])
    sealer = Sealer(lambda: FileKeys(home.keys / "master.json"))
    store = ConnectionStore(database, sealer, catalogue=lambda: Catalogue({"depot": DEPOT}), sources={})
    clock = Clock()
    orchestrator = Orchestrator(database, home, store, lambda: catalogue, clock=clock)
    yield Bench(
        folder=tmp_path,
        home=home,
        database=database,
        store=store,
        orchestrator=orchestrator,
        catalogue=catalogue,
        clock=clock,
    )
    database.close()
