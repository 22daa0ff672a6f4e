"""What a step is about to run: its handler, its inputs with macros expanded, and its opened connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError, TaskFailedError
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import Task
from sluice.language import macros
from sluice.language.tasks import CONTAINERS
from sluice.runtime.environment import step_environment
from sluice.runtime.handler_thread import HandlerStuckError, run_in_time
from sluice.runtime.handlers import find_native
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.native import NativeTask
from sluice.runtime.job_state import JobState
from sluice.runtime.place import HOST, Place
from sluice.runtime.request import ConnectionSource, StepRequest
from sluice.runtime.secure_files import SecureFile, SecureFileSource
from sluice.runtime.step_scope import ScopeOutput, StepScope
from sluice.runtime.task_context import HandlerRun
from sluice.secret import Secret
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runtime.breakpoints import Breakpoints
    from sluice.runtime.packages.execution import PackageRun, Packages

FindTask = Callable[[str], Task | None]
"""The plugin's task of a reference (`Name@Major`), or None."""

InputDefaults = Callable[[str], Mapping[str, str]]
"""The default values of a task's inputs, by their own spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a job asks of the place that it runs in."""

    connections: ConnectionSource
    find_task: FindTask
    input_defaults: InputDefaults | None = None
    packages: Packages | None = None
    breakpoints: Breakpoints | None = None
    secure_files: SecureFileSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """Everything decided before a handler starts; the same for each of its attempts."""

    inputs: Mapping[str, str]
    environment: dict[str, str]
    native: NativeTask | None = None
    task: Task | None = None
    package: PackageRun | None = None
    opened: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    files: Mapping[str, SecureFile] = field(default_factory=dict)
    place: Place = HOST
    registries: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    """What the containers of a job that goes on are started again with."""


def plan_step(job: JobState, step: StepRequest, host: Host) -> StepPlan:
    """Decide what runs.

    Raises `PermissionPendingError` when a connection waits for its Permit, and another `SluiceError` when the step
    cannot run: an unknown task, or a connection that is refused.
    """
    native = find_native(step.task) if not step.package else None
    trim = not job.variables.flag("DISABLE_INPUT_TRIMMING")
    place = _place(job, step, native)
    inputs = {name.strip(): _expand(job, text.strip() if trim else text, place) for name, text in step.inputs.items()}
    environment = {name.strip(): _expand(job, text.strip(), place) for name, text in step.env.items()}
    registries = _registries(job, step, host) if place.contained else {}
    if native is not None:
        opened = _open(job, step, host, inputs) if native.opens_connections else {}
        files = _open_files(job, step, host, inputs)
        return StepPlan(
            inputs=inputs,
            environment=step_environment(job, environment, place),
            native=native,
            opened=opened,
            files=files,
            place=place,
            registries=registries,
        )
    if step.package:
        package = _plan_package(job, step, host, inputs, place)
        return StepPlan(
            inputs=package.inputs,
            environment=step_environment(job, environment, place),
            package=package,
            place=place,
            registries=registries,
        )
    task = host.find_task(step.task)
    if task is None:
        raise _missing(step)
    known = {name.lower() for name in inputs}
    for name, text in _defaults(task, step, host).items():
        if name.lower() not in known:
            inputs[name] = _expand(job, text.strip())
    opened = _open(job, step, host, inputs)
    return StepPlan(inputs=inputs, environment=step_environment(job, environment), task=task, opened=opened)


def _place(job: JobState, step: StepRequest, native: NativeTask | None) -> Place:
    """Where the step's processes run. What Sluice or a plugin does itself, it does on the host."""
    contained = native.contained if native is not None else bool(step.package)
    if not step.target or not contained:
        return HOST
    if job.containers is None:
        raise TaskFailedError(f"this job has no container '{step.target}'", where=step.where)
    return job.containers.place(step.target)


def _registries(job: JobState, step: StepRequest, host: Host) -> Mapping[str, Sequence[Connection]]:
    """The connections of a job's containers, when they have to be started again: it goes on in another process."""
    if job.containers is None or job.containers.started or job.containers.failed:
        return {}
    first = next((one for one in job.request.steps if one.task == CONTAINERS), None)
    if first is None:
        return {}
    inputs = {name: _expand(job, text.strip()) for name, text in first.inputs.items()}
    return _open(job, replace(step, connection_inputs=first.connection_inputs), host, inputs)


def _plan_package(job: JobState, step: StepRequest, host: Host, inputs: dict[str, str], place: Place) -> PackageRun:
    from sluice.runtime.packages.execution import plan_execution

    if host.packages is None:
        raise _missing(step)
    return plan_execution(
        job,
        step,
        host.packages,
        inputs,
        expand=lambda text: _expand(job, text, place),
        open_connections=lambda named: _open(job, step, host, named),
        open_files=lambda named: _open_files(job, step, host, named),
        place=place,
    )


def run_plan(plan: StepPlan, scope: StepScope) -> None:
    """Run the handler once. It returns, or raises what a handler may raise."""
    job = scope.job
    root = job.variables.text("System.DefaultWorkingDirectory")
    sources = Path(root) if root else job.workspace.sources
    scope.place = plan.place
    if plan.place.contained:
        sources = Path(plan.place.inner(str(sources)))
        if job.containers is not None and not job.containers.started:
            job.containers.start(scope, plan.registries)
    if plan.native is not None:
        inputs = {name.lower(): text for name, text in plan.inputs.items()}
        plan.native.run(scope, StepInputs(inputs, sources, dict(plan.environment), plan.opened, plan.files, plan.place))
    elif plan.package is not None:
        from sluice.runtime.packages.running import run_package

        run_package(plan.package, scope, plan.environment, sources)
    elif plan.task is not None:
        _run_handler(plan.task, plan, scope, sources)


def _run_handler(task: Task, plan: StepPlan, scope: StepScope, sources: Path) -> None:
    output = ScopeOutput(scope)
    run = HandlerRun(
        task=scope.step.task,
        sources=sources,
        temp=scope.job.workspace.temp,
        output=output,
        inputs=plan.inputs,
        environment=plan.environment,
        variables=scope.job.variables.public(),
        opened=plan.opened,
        cancellation=scope.cancellation,
    )
    try:
        run_in_time(lambda: task.run(run), scope.cancellation)
    except HandlerStuckError:
        scope.issue("warning", f"{scope.step.task} did not stop when it was told to, and is left behind.")
    finally:
        output.close()


def banner(plan: StepPlan, step: StepRequest) -> str:
    """The six lines that head a task's log."""
    name, _, version = step.task.partition("@")
    label, description, help_text, author = name, "", "", ""
    if plan.native is not None:
        label, description, help_text = plan.native.label, plan.native.description, plan.native.help
        version = plan.native.version
        author = "Sluice"
    elif plan.package is not None:
        label, description, version, author, help_text = plan.package.banner
    elif plan.task is not None:
        label, description = plan.task.label or name, plan.task.summary
        # A bound built-in method or a partial has no module.
        author = (getattr(plan.task.run, "__module__", "") or "").partition(".")[0]
    line = "=" * 78
    return "\n".join(
        (
            line,
            f"Task         : {label}",
            f"Description  : {description}",
            f"Version      : {version}",
            f"Author       : {author}",
            f"Help         : {help_text}",
            line,
        )
    )


def _expand(job: JobState, text: str, place: Place = HOST) -> str:
    """Macros from the job's variables, then from the host's environment, each in one pass; paths as `place` has them."""
    if macros.PREFIX not in text:
        return place.inner(text)
    value = job.variables.expand(text, place.inner if place.contained else None)
    value = value.reveal() if isinstance(value, Secret) else value
    if macros.PREFIX in value:
        expanded = macros.expand(value, job.environ.get)
        value = expanded.reveal() if isinstance(expanded, Secret) else expanded
    return place.inner(value)


def _defaults(task: Task, step: StepRequest, host: Host) -> Mapping[str, str]:
    if host.input_defaults is not None:
        return host.input_defaults(step.task)
    if task.inputs is not None:
        return {one.name: one.default for one in task.inputs}
    from sluice.language.tasks import TaskCatalogue

    known = TaskCatalogue().find(step.task)
    return {one.name: one.default for one in known.inputs} if known is not None else {}


def _open(job: JobState, step: StepRequest, host: Host, inputs: dict[str, str]) -> Mapping[str, Sequence[Connection]]:
    """Open what the connection inputs name; their secrets are masked before anything else happens."""
    opened: dict[str, Sequence[Connection]] = {}
    for asked in step.connection_inputs:
        spelled = next((name for name in inputs if name.lower() == asked.name.lower()), None)
        names = [part.strip() for part in inputs[spelled].split(",") if part.strip()] if spelled is not None else []
        if spelled is None or not names:
            continue
        connections = tuple(host.connections.open(job.request, step, asked, name) for name in names)
        for connection in connections:
            job.variables.warnings.extend(connection.notes)
            for secret in connection.secrets():
                _lend(job, secret, f"of the service connection {connection.name}")
        opened[asked.name] = connections
        inputs[spelled] = ",".join(connection.id for connection in connections)
    return opened


def _lend(job: JobState, secret: Secret, name: str) -> None:
    value = secret.reveal()
    if value not in job.masker.known:
        job.lent.add(value)
    job.masker.add(value, name)


def _open_files(job: JobState, step: StepRequest, host: Host, inputs: dict[str, str]) -> Mapping[str, SecureFile]:
    """Open the secure files that inputs name, and put their ids in the place of the names."""
    opened: dict[str, SecureFile] = {}
    for asked in step.file_inputs:
        spelled = next((name for name in inputs if name.lower() == asked.name.lower()), None)
        if spelled is None or not inputs[spelled].strip():
            continue
        if host.secure_files is None:
            raise TaskFailedError("there are no secure files here", where=step.where or step.display_name)
        file = host.secure_files.open_file(job.request, step, asked, inputs[spelled].strip())
        opened[asked.name] = file
        inputs[spelled] = file.id
    return opened


def _missing(step: StepRequest) -> SluiceError:
    return TaskFailedError(
        f"A task is missing. The pipeline references a task called '{step.task.partition('@')[0]}'",
        where=step.where or step.display_name,
        why=f"neither Sluice nor an installed plugin or task package has {step.task}",
        do=f"install it with 'sluice task install PATH' or a plugin that offers {step.task}",
    )
