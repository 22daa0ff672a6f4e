"""A process that drives runs, as an object that can be killed: the real stores, and jobs that only ask for connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.agent.runs.conftest import DEPOT

from sluice.authorization.checks.kinds import Kinds
from sluice.connections.catalogue import Catalogue
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.errors import PermissionPendingError, SluiceError
from sluice.runs.jobs import Starter
from sluice.runs.lock import is_driven, run_lock
from sluice.runs.logs import RunLogs
from sluice.runs.orchestrator import Orchestrator
from sluice.runs.recovery import recover
from sluice.runtime.events import Emit, JobFinished, JobStarted, JobSuspended, StepFinished, StepStarted
from sluice.runtime.request import ConnectionSource, JobProgress, JobRequest, Result
from sluice.storage.engine import Database

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.dispatch.port import Ended
    from sluice.hooks.checks import CheckType
    from sluice.hooks.connection import Connection
    from sluice.language.tasks import TaskCatalogue
    from sluice.runtime.keeping import Keeper
    from sluice.runtime.secure_files import SecureFileSource
    from sluice.storage.engine import Transaction
    from sluice.storage.home import Home


class Killed(BaseException):
    """The process is killed; `stored` says whether its last transaction was."""

    def __init__(self, *, stored: bool) -> None:
        super().__init__("killed")
        self.stored = stored


class KillableDatabase(Database):
    """Calls `at` around every writing transaction: at its begin, before and after it is stored, and when it is over."""

    at: Callable[[str], None] = staticmethod(lambda point: None)

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Transaction]:
        self.at("begin")
        with super().write(synced=synced) as transaction:
            transaction.after_commit("a kill", lambda: self.at("stored"))
            yield transaction
            self.at("commit")
        self.at("over")


@dataclass(kw_only=True)
class Active:
    """A job that runs: how far it is, and what it was told."""

    request: JobRequest
    emit: Emit
    connections: ConnectionSource
    canceled: bool
    next: int = 0
    started: bool = False
    result: Result = Result.SUCCEEDED

    def progress(self) -> JobProgress:
        before = self.request.progress
        return JobProgress(next_step=self.next, variables=before.variables if before else self.request.variables)


class Jobs:
    """A dispatcher whose jobs go on when they are told to: each step opens the connections that it names."""

    place = "here"

    def __init__(self, started: Callable[[Active], None], opened: Callable[[JobRequest, Connection], None]) -> None:
        self.running: dict[str, Active] = {}
        self._started = started
        self._opened = opened

    def room(self) -> int:
        return 8

    def start(
        self,
        request: JobRequest,
        *,
        emit: Emit,
        connections: ConnectionSource,
        secure_files: SecureFileSource | None = None,
        ended: Callable[[Ended], None],
        canceled: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        at = request.progress.next_step if request.progress else 0
        job = Active(request=request, emit=emit, connections=connections, canceled=canceled, next=at)
        job.result = request.progress.result if request.progress else Result.SUCCEEDED
        self.running[request.id] = job
        emit(JobStarted(job=request.id))
        self._started(job)

    def active(self) -> frozenset[str]:
        return frozenset(self.running)

    def cancel(self, job: str, reason: str = "") -> None:
        if job in self.running:
            self.running[job].canceled = True

    def kill(self, job: str, reason: str = "") -> None:
        self.cancel(job)

    def go_on(self, job_id: str, late: str) -> None:
        """Let a job do what comes next: ask for its step's connections, do its step, or end. `late` is what $(late) is."""
        job = self.running[job_id]
        request = job.request
        if job.canceled or job.result is Result.FAILED or job.next == len(request.steps):
            job.emit(JobFinished(job=job_id, result=Result.CANCELED if job.canceled else job.result))
            del self.running[job_id]
            return
        step = request.steps[job.next]
        if not job.started:
            try:
                for asked in step.connection_inputs:
                    name = step.inputs[asked.name].replace("$(late)", late)
                    self._opened(request, job.connections.open(request, step, asked, name))
            except PermissionPendingError:
                job.emit(JobSuspended(job=job_id, step=step.id, progress=job.progress()))
                del self.running[job_id]
                return
            except SluiceError:
                job.result = Result.FAILED
            job.emit(StepStarted(job=job_id, step=step.id))
            job.started = True
            return
        job.next, job.started = job.next + 1, False
        job.emit(StepFinished(job=job_id, step=step.id, result=job.result, progress=job.progress()))


class Node:
    """A process with its own view of the database."""

    def __init__(
        self,
        home: Home,
        catalogue: TaskCatalogue,
        clock: Callable[[], float],
        gate: CheckType,
        jobs: Callable[[], Jobs],
    ) -> None:
        self.home = home
        self._catalogue = catalogue
        self._clock = clock
        self._gate = gate
        self._jobs = jobs
        self._start()

    def _start(self) -> None:
        database = KillableDatabase.open(self.home)
        assert isinstance(database, KillableDatabase)
        self.database = database
        sealer = Sealer(lambda: FileKeys(self.home.keys / "master.json"))
        self.store = ConnectionStore(
            self.database, sealer, catalogue=lambda: Catalogue({"depot": DEPOT}), clock=self._clock, sources={}
        )
        self.orchestrator = Orchestrator(
            self.database,
            self.home,
            self.store,
            lambda: self._catalogue,
            clock=self._clock,
            kinds=lambda: Kinds({"gate": self._gate}),
        )
        self.jobs: dict[int, Jobs] = {}
        self.driving: dict[int, ExitStack] = {}

    def die(self) -> None:
        """End as by kill -9, and be another process from now on: what is stored is all that is left."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """Give everything back that the operating system takes back from a dead process."""
        for lock in self.driving.values():
            lock.close()
        self.database.at = lambda point: None
        self.database.close()

    @property
    def locks(self) -> Path:
        return self.home.root / "locks"

    def drive(self, run_id: int) -> bool:
        """Take over a run as `sluice resume` does; False when somebody else drives it."""
        if run_id in self.driving or is_driven(self.locks, run_id):
            return False
        self.driving[run_id] = ExitStack()
        self.driving[run_id].enter_context(run_lock(self.locks, run_id))
        self.jobs[run_id] = self._jobs()
        recover(self.orchestrator, run_id)
        return True

    def leave(self, run_id: int) -> None:
        """Stop driving a run that only waits."""
        self.driving.pop(run_id).close()
        del self.jobs[run_id]

    def starter(self, run_id: int) -> Starter:
        return Starter(
            orchestrator=self.orchestrator,
            dispatcher=self.jobs[run_id],
            logs=RunLogs(self.home.logs, run_id),
            changed=lambda record: None,
            logged=lambda record, text: None,
            ended=lambda ended: None,
        )
