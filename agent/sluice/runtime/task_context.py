"""The `TaskRun` that a Python task handler receives, made from plain parts."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sluice.errors import CanceledError, SluiceError, TaskFailedError
from sluice.hooks.connection import Connection
from sluice.runtime.bytes_text import encode
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.globbing import find_files
from sluice.secret import Secret
from sluice.values import dataclass

T = TypeVar("T")

INTERRUPT_SECONDS = 6.5
TERMINATE_SECONDS = 2.0
"""A canceled program gets less time than its handler (`handler_thread.STOP_SECONDS`), which cleans up after it."""


class HandlerOutput(Protocol):
    """Where a handler's voice goes. Every method may be called from any thread; what is written is data, never commands."""

    def write(self, text: bytes) -> None:
        """Write to the step's log; an unfinished last line is finished."""

    def stream(self) -> Callable[[bytes], None]:
        """A writer for output in pieces, with its own unfinished line; `b""` ends it."""

    def commands(self) -> Callable[[bytes], None]:
        """As `stream`, of a script that the author of the pipeline wrote: logging commands in it are carried out."""

    def issue(self, type: str, message: str) -> None:  # noqa: A002  # the field's word
        """Add an issue of type `error` or `warning`."""

    def progress(self, percent: int, operation: str) -> None:
        """Tell the progress, 0 to 100."""

    def set_variable(self, name: str, value: str | Secret, *, output: bool) -> None:
        """Set a job variable, or an output variable of the step; raises `TaskFailedError` when it is read-only."""

    def mask(self, secret: Secret) -> None:
        """Mask a secret from now on."""

    def publish_results(self, runner: str, files: Sequence[Path], title: str) -> None:
        """Make results of tests part of the run."""

    def restore_at_end(self, path: Path) -> None:
        """Have a file put back as it is now when the job ends; raises `OSError`."""


@dataclass(frozen=True, kw_only=True)
class HandlerRun:
    """One run of one task, as `sluice.plugin.TaskRun` describes it.

    `inputs` have defaults applied and macros expanded; `opened` holds, by the task's own spelling of the input, the
    connections that the input names. Look-ups of inputs, connections and variables ignore case.
    """

    task: str
    sources: Path
    temp: Path
    output: HandlerOutput
    inputs: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    opened: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    cancellation: Cancellation = field(default_factory=Cancellation)

    def input(self, name: str) -> str:
        return _find(self.inputs, name) or ""

    def flag(self, name: str) -> bool:
        return self.input(name).strip().casefold() == "true"

    def number(self, name: str, *, minimum: int = 0) -> int:
        text = self.input(name).strip()
        try:
            number = int(text)
        except ValueError:
            raise TaskFailedError(f"input '{name}' is not a whole number: '{text}'", where=self.task) from None
        if number < minimum:
            raise TaskFailedError(f"input '{name}' is {number}, but must be at least {minimum}", where=self.task)
        return number

    def lines(self, name: str) -> Sequence[str]:
        return [line for raw in self.input(name).splitlines() if (line := raw.strip())]

    def required(self, name: str) -> str:
        value = self.input(name)
        if not value.strip():
            raise TaskFailedError(f"Input required: {name}", where=self.task)
        return value

    def path(self, name: str) -> Path:
        return Path(os.path.normpath(self.sources / self.input(name).strip()))

    def files(self, root: Path, patterns: Sequence[str]) -> Sequence[Path]:
        if not root.is_dir():
            raise TaskFailedError(f"Not found: {root}", where=self.task)
        return find_files(root, patterns)

    def connection(self, name: str) -> Connection:
        connections = self.connections(name)
        if not connections:
            raise TaskFailedError(f"Input required: {name}", where=self.task, why="it names no service connection")
        return connections[0]

    def connections(self, name: str) -> Sequence[Connection]:
        return _find(self.opened, name) or ()

    def variable(self, name: str) -> str:
        return _find(self.variables, name) or ""

    def say(self, text: str) -> None:
        self.output.write(encode(text))

    def stream(self) -> Callable[[bytes], None]:
        return self.output.stream()

    def warn(self, message: str) -> None:
        self.output.issue("warning", message)

    def error(self, message: str) -> None:
        self.output.issue("error", message)

    def progress(self, percent: int, operation: str = "") -> None:
        self.output.progress(max(0, min(100, percent)), operation)

    def set_variable(self, name: str, value: str | Secret, *, output: bool = False) -> None:
        self.output.set_variable(name, value, output=output)

    def mask(self, secret: Secret) -> None:
        self.output.mask(secret)

    def restore_at_end(self, path: Path) -> None:
        try:
            self.output.restore_at_end(path)
        except OSError as error:
            where, why = os.fspath(error.filename or path), error.strerror or str(error)
            raise TaskFailedError("the file cannot be kept as it is", where=where, why=why) from error

    def publish_results(self, runner: str, files: Sequence[Path], *, title: str = "") -> None:
        self.output.publish_results(runner, files, title)

    def program(self, name: str, *, install: str, path: str | None = None) -> str:
        found = shutil.which(name, path=self.environment.get("PATH", os.defpath) if path is None else path)
        if found is None:
            raise TaskFailedError(f"Unable to locate executable file: '{name}'", where=self.task, do=install)
        return found

    def execute(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        given: bytes = b"",
        take: Callable[[bytes], None] | None = None,
        errors: Callable[[bytes], None] | None = None,
        script: bool = False,
        quiet: bool = False,
    ) -> int:
        from sluice.runtime.process import Graces, Sink, run_process

        if self.canceled:
            raise CanceledError("canceled before the program was started")
        self.say(f"[command]{shlex.join(arguments)}")
        writers: list[Callable[[bytes], None]] = []

        def sink(shown: Callable[[bytes], None] | None) -> Sink:
            write = _nowhere if quiet else self.output.commands() if script else self.stream()
            writers.append(write)

            def feed(chunk: bytes) -> None:
                write(chunk)
                if shown is not None:
                    shown(chunk)

            return Sink(feed=feed, idle=_nothing, waiting=_never)

        try:
            ended = run_process(
                arguments,
                cwd=folder,
                env=self.environment if environment is None else environment,
                output=sink(take),
                errors=None if errors is None else sink(errors),
                cancellation=self.cancellation,
                graces=Graces(interrupt=INTERRUPT_SECONDS, terminate=TERMINATE_SECONDS),
                given=given,
            )
        finally:
            for write in writers:
                write(b"")
        if self.canceled:
            raise CanceledError("the program was canceled")
        return ended.code

    def fulfils(self, criteria: str, root: Any) -> bool:
        from sluice.language.success_criteria import holds

        try:
            return holds(criteria, root)
        except SluiceError as error:
            raise TaskFailedError(f"the success criteria cannot be evaluated: {error}", where=self.task) from error

    @property
    def canceled(self) -> bool:
        return self.cancellation.canceled

    def on_cancel(self, action: Callable[[], None]) -> None:
        self.cancellation.on_cancel(action)


def _find(values: Mapping[str, T], name: str) -> T | None:
    wanted = name.casefold()
    return next((value for key, value in values.items() if key.casefold() == wanted), None)


def _nothing() -> None:
    """The stream shows unfinished lines when it ends."""


def _nowhere(chunk: bytes) -> None:
    """What nobody reads."""


def _never() -> bool:
    return False
