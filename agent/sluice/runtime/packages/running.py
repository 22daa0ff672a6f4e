"""Runs a package's handler as a process, and makes the step's result of its end."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.hooks.token_endpoint import REQUEST_VARIABLE, TokenEndpoint
from sluice.language import macros
from sluice.runtime.commands import CommandProcessor
from sluice.runtime.handlers.script import graces_of
from sluice.runtime.job_state import JobState
from sluice.runtime.logging_commands import Command, parse
from sluice.runtime.packages.choosing import NODE, PROCESS
from sluice.runtime.packages.contract import system_token, task_environment
from sluice.runtime.packages.execution import NODE_VARIABLE, PackageRun
from sluice.runtime.place import Place
from sluice.runtime.predefined import SERVER_ADDRESSES
from sluice.runtime.process import LINGER_SECONDS, Exit, Sink
from sluice.runtime.request import Execution, Result
from sluice.runtime.step_log import LogStream
from sluice.runtime.step_scope import StepScope
from sluice.runtime.variables import environment_name
from sluice.secret import Secret
from sluice.values import dataclass

_KEY_FILES = (".taskkey",)
_MAX_ERRORS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """How a process is started."""

    program: str
    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


def run_package(run: PackageRun, scope: StepScope, environment: Mapping[str, str], sources: Path) -> None:
    """Run the handler once. It ends the step's result, or raises `TaskFailedError` when it cannot be started."""
    manifest = run.package.manifest
    scope.step = replace(scope.step, restricted=scope.step.restricted or manifest.restricted)
    scope.settable_by_task = manifest.settable
    scope.declared_outputs = frozenset(name.lower() for name in manifest.outputs)
    if manifest.deprecated and scope.step.execution is Execution.MAIN:
        scope.issue("warning", _deprecation(run))
    if run.handler.kind.lower() == PROCESS:
        _run_process(run, scope, environment, sources)
        return
    with _served(run, scope, environment) as served:
        full, folder = handler_place(run, scope, served, sources)
        program = _found(run.program, scope.place, environment) if scope.place.contained else run.program
        start = _Start(program=program, arguments=run.arguments, folder=folder, environment=full)
        try:
            end = _follow(run, scope, start)
        finally:
            _forget_keys(scope.job)
    if _is_over(scope, end, run.program):
        return
    if end.code:
        written = " ".join(f'"{one}"' for one in run.arguments)
        scope.fail(f"Exit code {_code(end)} returned from process: file name '{run.program}', arguments '{written}'.")
    scope.complete(Result.SUCCEEDED)


@contextlib.contextmanager
def _served(run: PackageRun, scope: StepScope, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The environment in which a task finds who gives identity tokens for its connections, where no server does.

    Only on the host: what runs in a container does not reach its loopback addresses.
    """
    federated = [one for several in run.opened.values() for one in several if one.federation is not None]
    if not federated or scope.place.contained or environment.get(REQUEST_VARIABLE):
        yield environment
        return
    with TokenEndpoint(federated, key=system_token(scope.job)) as endpoint:
        addresses = {environment_name(name): endpoint.base for name in SERVER_ADDRESSES}
        yield {**environment, **addresses, REQUEST_VARIABLE: endpoint.url}


def handler_place(
    run: PackageRun, scope: StepScope, environment: Mapping[str, str], sources: Path
) -> tuple[Mapping[str, str], Path]:
    """The environment and the folder that the handler starts with; a plain process gets nothing of the task's own."""
    if run.handler.kind.lower() == PROCESS:
        return environment, _folder(run, scope, sources)
    full = task_environment(
        scope.job,
        environment,
        inputs=run.inputs,
        opened=run.opened,
        files=run.files,
        task_variables=scope.task_variables,
    )
    in_node = run.handler.kind.lower() in NODE
    return full, _folder(run, scope, sources) if in_node else (run.package.folder / run.handler.target).parent


def _found(program: str, place: Place, environment: Mapping[str, str]) -> str:
    """The Node or PowerShell of a container."""
    names = place.nodes if program == "node" else (program,)
    found = next((each for name in names if (each := place.find(name, environment))), None)
    if found is None:
        raise TaskFailedError(
            f"Unable to locate executable file: '{program}'",
            why="the image of the container does not have it",
            do="take an image with it, or write 'target: host' at the step"
            + (f"; {NODE_VARIABLE} names a Node that needs nothing else, to be mounted" if program == "node" else ""),
        )
    return found


def _run_process(run: PackageRun, scope: StepScope, environment: Mapping[str, str], sources: Path) -> None:
    """A plain process: public variables and the path, nothing of the task's own but its arguments."""
    properties = run.handler.properties
    folder = _folder(run, scope, sources)
    program = _program(run, scope, environment)
    # Split before the values come in: a value is one argument, whatever it holds.
    arguments = tuple(_expand(run, scope, one) for one in _split(properties.get("argumentformat", "")))
    if properties.get("modifyenvironment", "").strip().casefold() == "true":
        scope.issue("warning", "'modifyEnvironment' of a Process handler has no effect outside Windows.")
    strict = properties.get("failonstandarderror", "true").strip().casefold() != "false"
    errors: list[str] = []
    end = _follow(
        run,
        scope,
        _Start(program=program, arguments=arguments, folder=folder, environment=environment),
        errors if strict else None,
    )
    if _is_over(scope, end, program):
        return
    if errors:
        for line in errors[:_MAX_ERRORS]:
            scope.issue("error", line)
        scope.complete(Result.FAILED, errors[0])
    if end.code:
        scope.fail(f"Process completed with exit code {_code(end)}.")
    scope.complete(Result.SUCCEEDED)


def _follow(run: PackageRun, scope: StepScope, start: _Start, errors: list[str] | None = None) -> Exit:
    """Run it; both streams are read for commands, but for errors that are collected."""
    carry_out = _commands(scope, run.observe)
    output = scope.log.stream(carry_out)
    collected = _Collected(scope, errors) if errors is not None else None
    second = scope.log.stream(carry_out) if collected is None else collected.stream
    sink = Sink(feed=second.feed, idle=second.idle, waiting=second.waiting)
    try:
        return scope.place.run(
            (start.program, *start.arguments),
            cwd=start.folder,
            env=start.environment,
            output=Sink(feed=output.feed, idle=output.idle, waiting=output.waiting),
            errors=collected.sink() if collected is not None else sink,
            cancellation=scope.stop,
            graces=graces_of(scope),
        )
    finally:
        output.close()
        second.close()


def _commands(scope: StepScope, observe: Callable[[Command], None] | None) -> Callable[[str], bool]:
    """What carries out the command in a line, and tells it to whoever observes."""
    processor = CommandProcessor(scope)
    if observe is None:
        return processor.run

    def carry_out(line: str) -> bool:
        done = processor.run(line)
        command = parse(line)
        if command is not None:  # masked only now: the command itself may have told of a secret
            mask = scope.job.masker.mask_text
            properties = {name: mask(value) for name, value in command.properties.items()}
            observe(replace(command, properties=properties, data=mask(command.data)))
        return done

    return carry_out


class _Collected:
    """Error output that is data: logged, and its first lines kept as they were logged."""

    def __init__(self, scope: StepScope, lines: list[str]) -> None:
        self.stream: LogStream = scope.log.stream(told=self._told)
        self._lines = lines
        self._begun = False

    def sink(self) -> Sink:
        return Sink(feed=self.stream.feed, idle=self.stream.idle, waiting=self.stream.waiting)

    def _told(self, masked: bytes) -> None:
        """Masked, and so never a piece of a secret; an unfinished line goes on with the next text."""
        if len(self._lines) >= _MAX_ERRORS and not self._begun:
            return
        for line in masked[:10_000].decode("utf-8", "replace").splitlines(keepends=True):
            if self._begun:
                self._lines[-1] += line.rstrip("\n")
            elif line.strip():
                self._lines.append(line.rstrip("\n"))
            self._begun = bool(line.strip() or self._begun) and not line.endswith("\n")


def _is_over(scope: StepScope, end: Exit, program: str) -> bool:
    """Whether the result is decided already: canceled, or the task said that it was done."""
    if end.left_open and not scope.stop.canceled:
        scope.say(
            f"The STDIO streams did not close within {LINGER_SECONDS:g} seconds of the exit event from process "
            f"'{program}'. This may indicate a child process inherited the STDIO streams and has not yet exited."
        )
    return scope.cancellation.canceled or (scope.done and scope.stop.canceled)


def _code(end: Exit) -> int:
    return end.code if end.code > 0 else 128 - end.code  # a shell's number for an end by a signal


def _folder(run: PackageRun, scope: StepScope, default: Path) -> Path:
    written = _expand(run, scope, run.handler.properties.get("workingdirectory", "").strip())
    folder = Path(os.path.normpath(default / written)) if written else default
    outer = scope.place.outer(str(folder))
    if outer is not None and not Path(outer).is_dir():
        raise TaskFailedError(f"Not found working directory: {folder}")
    return folder


def _program(run: PackageRun, scope: StepScope, environment: Mapping[str, str]) -> str:
    """What the target means: a file of the package, else a program on the PATH."""
    target = _expand(run, scope, run.handler.target)
    within = Path(os.path.normpath(run.package.folder / target.replace("\\", "/")))
    if run.package.folder in within.parents and within.is_file():
        return str(within)
    if "/" in target or "\\" in target:
        raise TaskFailedError(
            f"the target '{target}' of the task's handler lies outside its package",
            where=run.package.manifest.reference,
        )
    found = shutil.which(target, path=environment.get("PATH"))
    if found is None:
        raise TaskFailedError(f"Unable to locate executable file: '{target}'", where=run.package.manifest.reference)
    return found


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise TaskFailedError("the arguments of the task's handler cannot be read", why=str(error)) from error


def _expand(run: PackageRun, scope: StepScope, text: str) -> str:
    """Macros of a handler's property: the package's folder, then inputs, then variables."""
    if scope.step.execution is Execution.MAIN:
        text = text.replace("$(currentDirectory)", str(run.package.folder))
    inputs = {name.lower(): value for name, value in run.inputs.items()}
    for look_up in (lambda name: inputs.get(name.lower()), scope.job.variables.get):
        value = macros.expand(text, look_up)
        text = value.reveal() if isinstance(value, Secret) else value
    return text


def _deprecation(run: PackageRun) -> str:
    manifest = run.package.manifest
    name = manifest.label or manifest.name
    text = f"Task '{name}' version {manifest.version[0]} ({manifest.reference}) is deprecated."
    return f"{text} {manifest.deprecation}".rstrip()


def _forget_keys(job: JobState) -> None:
    """What the task library left to decrypt its own memory with."""
    for name in _KEY_FILES:
        with contextlib.suppress(OSError):
            (job.workspace.temp / name).unlink()
