"""Runs one task package alone, as a job would run it: the same environment, commands and masking; nothing is stored."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from sluice.errors import NotFoundError, UsageError
from sluice.hooks.connection import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import Event, IssueRaised, LogWritten, StepFinished
from sluice.runtime.job import run_job
from sluice.runtime.logging_commands import Command
from sluice.runtime.packages.execution import Package
from sluice.runtime.packages.installed import definition_of
from sluice.runtime.packages.manifest import read_manifest
from sluice.runtime.request import (
    ConnectionInput,
    Execution,
    JobProgress,
    JobRequest,
    JobVariable,
    Result,
    StepRequest,
)
from sluice.secret import Secret
from sluice.testing.task_runner import Issue
from sluice.values import dataclass

Connections = Mapping[str, Connection | Sequence[Connection]]
_ORDER = (Execution.PRE, Execution.MAIN, Execution.POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOutcome:
    """What a package did. Secrets in texts are masked; `commands` are all logging commands in order, as parsed.

    `results` tells the result of each execution that the package has.
    """

    result: Result
    message: str = ""
    log: str = ""
    issues: tuple[Issue, ...] = ()
    commands: tuple[Command, ...] = ()
    results: Mapping[Execution, Result] = field(default_factory=dict)
    variables: Mapping[str, str | Secret] = field(default_factory=dict)
    outputs: Mapping[str, str | Secret] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The log, line by line."""
        return self.log.splitlines()

    def named(self, command: str) -> list[Command]:
        """The commands of that name (`task.setvariable`)."""
        return [one for one in self.commands if one.name == command]


def run_package(
    folder: Path,
    *,
    inputs: Mapping[str, str] | None = None,
    connections: Connections | None = None,
    variables: Mapping[str, str | Secret] | None = None,
    env: Mapping[str, str] | None = None,
    sources: Path | None = None,
    node: str = "",
    inspect: bool = False,
    restricted: bool = False,
    settable: tuple[str, ...] | None = None,
    environ: Mapping[str, str] | None = None,
    cancellation: Cancellation | None = None,
    tell: Callable[[bytes], None] | None = None,
) -> PackageOutcome:
    """Run the package in a folder: what it does before a job, in it and after it.

    Inputs go by name or alias; `connections` by the names of inputs. `sources` is where it starts (an empty folder if
    None). With `inspect` Node waits for a debugger. `tell` is called with the log as it is written. Raises
    `SluiceError` when the package cannot be read or an input is not declared.
    """
    package = Package(folder=folder.resolve(), manifest=read_manifest(folder.resolve()))
    opened = {name: _several(given) for name, given in (connections or {}).items()}
    values, asked = _inputs(package, inputs or {}, opened)
    recording = _Recording(package, node, ("--inspect-brk",) if inspect else (), tell)
    step = StepRequest(
        id="",
        name=package.manifest.name.replace("-", "_"),
        display_name=package.manifest.name,
        task=package.manifest.reference,
        package=f"{package.manifest.id}@{package.manifest.version_text}",
        inputs=values,
        connection_inputs=asked,
        env=env or {},
        restricted=restricted,
        settable=settable,
    )
    with tempfile.TemporaryDirectory(prefix="sluice-task-") as work:
        request = _request(package, step, Path(work), sources, variables or {})
        recording.executions = {one.id: one.execution for one in request.steps}
        run_job(
            request,
            emit=recording.take,
            connections=_Given(opened),
            find_task=lambda _: None,
            packages=recording,
            cancellation=cancellation or Cancellation(),
            environ=os.environ if environ is None else environ,
        )
    return recording.outcome()


class _Given:
    """The connections of this run, by their ids."""

    def __init__(self, opened: Mapping[str, Sequence[Connection]]) -> None:
        self._by_id = {one.id: one for several in opened.values() for one in several}

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        """The one of that id."""
        if name not in self._by_id:
            raise NotFoundError(f"there is no connection '{name}' for this run of the task")
        return self._by_id[name]


class _Recording:
    """The place that the job runs in, and what it told."""

    def __init__(
        self,
        package: Package,
        node: str,
        node_options: Sequence[str],
        tell: Callable[[bytes], None] | None,
    ) -> None:
        self.node = node
        self.node_options = node_options
        self._package = package
        self._tell = tell
        self._log: list[bytes] = []
        self._issues: list[Issue] = []
        self._commands: list[Command] = []
        self._finished: list[StepFinished] = []
        self.executions: dict[str, Execution] = {}
        """What each step of the job is, by its id."""

    def open(self, package: str) -> Package:
        """The one there is."""
        del package
        return self._package

    def observe(self, command: Command) -> None:
        """Note a logging command."""
        self._commands.append(command)

    def take(self, event: Event) -> None:
        """Note what the job tells."""
        if isinstance(event, LogWritten):
            self._log.append(event.text)
            if self._tell is not None:
                self._tell(event.text)
        elif isinstance(event, IssueRaised):
            self._issues.append(Issue(event.type, event.message))
        elif isinstance(event, StepFinished):
            self._finished.append(event)

    def outcome(self) -> PackageOutcome:
        """All of it."""
        last = self._finished[-1].progress if self._finished else JobProgress()
        return PackageOutcome(
            result=_worst(event.result for event in self._finished),
            message=next((event.message for event in self._finished if event.message), ""),
            log=b"".join(self._log).decode("utf-8", "replace"),
            issues=tuple(self._issues),
            commands=tuple(self._commands),
            results={self.executions[event.step]: event.result for event in self._finished},
            variables={one.name: one.value for one in last.variables},
            outputs={name: value for event in self._finished for name, value in event.outputs.items()},
        )


def _inputs(
    package: Package, given: Mapping[str, str], opened: Mapping[str, Sequence[Connection]]
) -> tuple[dict[str, str], tuple[ConnectionInput, ...]]:
    definition = definition_of(package.manifest)
    values: dict[str, str] = {}
    asked: list[ConnectionInput] = []
    for written, value in (*given.items(), *((name, ",".join(one.id for one in of)) for name, of in opened.items())):
        known = definition.input(written)
        if known is None:
            names = ", ".join(one.name for one in definition.inputs) or "none"
            raise UsageError(f"the task {definition.reference} has no input '{written}'", do=f"it has: {names}")
        values[known.name] = value
        wanted = definition.connections.get(known.name)
        if wanted is not None and written in opened:
            asked.append(ConnectionInput(name=known.name, written=written, type=wanted.type, schemes=wanted.schemes))
    return values, tuple(asked)


def _request(
    package: Package, step: StepRequest, work: Path, sources: Path | None, variables: Mapping[str, str | Secret]
) -> JobRequest:
    steps = tuple(
        replace(step, id=str(uuid.uuid4()), execution=one, condition="always()" if one is Execution.POST else "")
        for one in _ORDER
        if package.manifest.executions.get(one)
    )
    known = [JobVariable(name=name, value=value) for name, value in variables.items()]
    progress = None
    if sources is not None:  # as after a checkout to that place
        places = ("Build.SourcesDirectory", "Build.Repository.LocalPath", "System.DefaultWorkingDirectory")
        known += [JobVariable(name=name, value=os.fspath(sources.resolve())) for name in places]
        progress = JobProgress(variables=tuple(known))
    return JobRequest(
        run_id=1,
        id="task",
        identifier="Task",
        display_name=package.manifest.name,
        work=work / "work",
        workspace=work / "work" / "1",
        variables=tuple(known),
        steps=steps,
        timeout_seconds=0,
        progress=progress,
    )


def _several(given: Connection | Sequence[Connection]) -> Sequence[Connection]:
    return (given,) if isinstance(given, Connection) else tuple(given)


def _worst(results: Iterable[Result]) -> Result:
    order = (Result.CANCELED, Result.FAILED, Result.SUCCEEDED_WITH_ISSUES)
    found = set(results)
    return next((one for one in order if one in found), Result.SUCCEEDED if found else Result.FAILED)
