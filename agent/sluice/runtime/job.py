"""Runs one job: its folders, its steps in order, its cancellation, its result."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.runtime.adopted import HOUSEHOLD, descendants
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.environment import base_environment
from sluice.runtime.events import Emit, Event, JobFinished, JobStarted, JobSuspended
from sluice.runtime.job_state import JobState
from sluice.runtime.keeping import Keeper
from sluice.runtime.masking import Masker
from sluice.runtime.orphans import LOOKUP_VARIABLE, kill_orphans, lookup_id
from sluice.runtime.predefined import machine_variables, tools_folder
from sluice.runtime.private_home import home_in, job_home
from sluice.runtime.request import ConnectionSource, JobProgress, JobRequest, Result, WaitFor
from sluice.runtime.secure_files import SecureFileSource
from sluice.runtime.step import Pending, StepRunner
from sluice.runtime.step_plan import FindTask, Host, InputDefaults
from sluice.runtime.workspace import Workspace, WorkspaceError, open_workspace
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runtime.breakpoints import Breakpoints
    from sluice.runtime.containers.job_containers import JobContainers
    from sluice.runtime.packages.execution import Packages
    from sluice.runtime.spare_homes import SpareHomes

_SET_BY_CHECKOUT = frozenset({"Build.Repository.LocalPath", "Build.SourcesDirectory", "System.DefaultWorkingDirectory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """The job waits for a Permit, or for what `wait` says.

    It holds nothing, and goes on with a request that has this progress.
    """

    step: str
    progress: JobProgress
    wait: WaitFor | None = None


def run_job(
    request: JobRequest,
    *,
    emit: Emit,
    connections: ConnectionSource,
    find_task: FindTask,
    cancellation: Cancellation,
    input_defaults: InputDefaults | None = None,
    packages: Packages | None = None,
    breakpoints: Breakpoints | None = None,
    secure_files: SecureFileSource | None = None,
    environ: Mapping[str, str] | None = None,
    keeper: Keeper | None = None,
    homes: SpareHomes | None = None,
) -> Result | Suspended:
    """Run a job, or go on with it where `request.progress` says, to its end or to a step that waits for a Permit.

    Returns its result after `JobFinished`, or `Suspended` after `JobSuspended`. `emit` is called in one thread at a
    time, though not always the same; what it raises ends the job. A cancellation that has been asked for already
    lets those steps run whose condition holds for a canceled job. With `breakpoints` it may be held at its steps, for
    as long as a person takes. `environ` is what processes inherit (this process's own environment if None), `keeper`
    keeps what the job leaves behind, `homes` are where its home comes from and may go. When it returns no process of
    the job is left that can be told to be its own; once no other job runs in this process, none at all.
    """
    tell = _Teller(emit)
    host = Host(
        connections=connections,
        find_task=find_task,
        input_defaults=input_defaults,
        packages=packages,
        breakpoints=breakpoints,
        secure_files=secure_files,
    )
    tell(JobStarted(job=request.id))
    try:
        with open_workspace(request) as (workspace, lease):
            job = _state(request, tell, workspace, os.environ if environ is None else environ, homes)
            job.keeper = keeper
            if request.containers:
                job.containers = _containers(job, packages)
            HOUSEHOLD.job_begins()
            try:
                ended = _run_steps(job, host, cancellation)
            finally:
                if job.containers is not None:
                    job.containers.end()
                keeps = job.variables.text("process.clean").casefold() == "false"
                if not keeps:
                    # what an earlier process left of the job is not below this one
                    kill_orphans(lookup_id(request), None if request.progress else descendants)
                HOUSEHOLD.job_ends(keeps=keeps)
            if isinstance(ended, Suspended):
                lease.keep()
            elif homes is not None and not keeps:
                homes.give_back(home_in(workspace.temp))
    except WorkspaceError as error:
        ended = Result.FAILED
        tell(JobFinished(job=request.id, result=ended, message=str(error)))
        return ended
    _tell_end(tell, job, ended)
    return ended


def run_server_job(
    request: JobRequest,
    *,
    emit: Emit,
    connections: ConnectionSource,
    find_task: FindTask,
    cancellation: Cancellation,
) -> Result | Suspended:
    """Run an agentless job as `run_job` runs others, but without folders, without an environment and without packages.

    A step that has to wait suspends it: nothing is held until it goes on with a request that has the answer.
    """
    tell = _Teller(emit)
    host = Host(connections=connections, find_task=find_task)
    tell(JobStarted(job=request.id))
    nowhere = Workspace(work=request.work, root=request.workspace, temp=request.workspace)
    job = JobState(request, tell, tell.check, nowhere, Masker(), {})
    job.update_status()
    ended = _run_steps(job, host, cancellation)
    _tell_end(tell, job, ended)
    return ended


def _tell_end(tell: _Teller, job: JobState, ended: Result | Suspended) -> None:
    request = job.request
    if isinstance(ended, Suspended):
        tell(JobSuspended(job=request.id, step=ended.step, progress=ended.progress, wait=ended.wait))
    else:
        tell(JobFinished(job=request.id, result=ended, message=job.reason))


def _containers(job: JobState, packages: Packages | None) -> JobContainers:
    """The containers of the job, which are started by its first step; the packages of its steps are mounted in them."""
    from sluice.runtime.containers.job_containers import JobContainers

    folders: list[Path] = []
    for package in {step.package: None for step in job.request.steps if step.package and step.target}:
        with contextlib.suppress(SluiceError):  # the step itself tells what is wrong with its package
            if packages is not None:
                folders.append(packages.open(package).folder)
    node = shutil.which(packages.node) if packages is not None and packages.node and folders else None
    return JobContainers(job, folders, os.path.realpath(node) if node else "")


class _Teller:
    """Calls `emit` in one thread at a time. When it raises, the job is over: every later call raises the same."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._lock = threading.RLock()
        self._broken: Exception | None = None

    def __call__(self, event: Event) -> None:
        with self._lock:
            self.check()
            try:
                self._emit(event)
            except Exception as error:
                self._broken = error
                raise

    def check(self) -> None:
        """Raise what `emit` raised, whoever may have caught it since."""
        if self._broken is not None:
            raise self._broken


def _state(
    request: JobRequest, emit: _Teller, workspace: Workspace, environ: Mapping[str, str], homes: SpareHomes | None
) -> JobState:
    inherited = base_environment(environ) | job_home(environ, workspace.temp, workspace.work, homes)
    job = JobState(request, emit, emit.check, workspace, Masker(), inherited)
    machine = dict(machine_variables())
    machine |= workspace.variables()
    # As on the agent: tools that several agents of a machine share lie where the machine says.
    machine["Agent.ToolsDirectory"] = tools_folder(environ) or machine["Agent.ToolsDirectory"]
    machine["Agent.JobName"] = job.variables.text("System.JobName") or request.identifier.rpartition(".")[2]
    machine[LOOKUP_VARIABLE] = lookup_id(request)
    if request.progress is not None:
        for name in _SET_BY_CHECKOUT:
            if job.variables.text(name):
                machine.pop(name)
    job.define(machine)
    job.update_status()
    return job


def _run_steps(job: JobState, host: Host, cancellation: Cancellation) -> Result | Suspended:
    request = job.request
    with cancellation.scope() as scope, _kill_in_time(scope, request.cancel_timeout_seconds):
        runner = StepRunner(job, host, scope)
        minutes = f"{request.timeout_seconds / 60:g} minute{'' if request.timeout_seconds == 60 else 's'}"
        late = f"The job running on agent sluice ran longer than the maximum time of {minutes}."
        take_back = scope.on_cancel(runner.job_canceled)
        try:
            with scope.deadline(request.timeout_seconds, late, used=job.clock.used) as job.clock:
                first = request.progress.next_step if request.progress else 0
                for index in range(first, len(request.steps)):
                    if scope.killed:
                        runner.end_at_once(index)
                    elif isinstance(pending := runner.run(index), Pending):
                        return Suspended(
                            step=request.steps[index].id,
                            progress=job.progress(index, suspended=True),
                            wait=pending.wait,
                        )
        finally:
            take_back()
    return job.status


@contextlib.contextmanager
def _kill_in_time(cancellation: Cancellation, seconds: float) -> Iterator[None]:
    """A canceled job gets so many seconds to end in order."""
    timers: list[threading.Timer] = []

    def start() -> None:
        timer = threading.Timer(seconds, cancellation.kill)
        timer.daemon = True
        timers.append(timer)
        timer.start()

    take_back = cancellation.on_cancel(start)
    try:
        yield
    finally:
        take_back()
        for timer in timers:
            timer.cancel()
