"""What the script tasks have in common: the script in a private file, the process, its exit status and its stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.bytes_text import encode
from sluice.runtime.commands import CommandProcessor
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.process import LINGER_SECONDS, Exit, Graces, Sink
from sluice.runtime.request import Result
from sluice.runtime.step_log import RunCommand, StepLog
from sluice.runtime.step_scope import StepScope

BANNER = "========================== Starting Command Output ==========================="

_MAX_PIECES = 10
_MAX_PIECE = 1000


def say_generated(scope: StepScope, script: str, *more: str) -> None:
    """Tell that a script is made, and show one of one line, as the tasks do; then what more is to be said."""
    shown = "\n" not in script and "##VSO[" not in script.upper()
    scope.say("\n".join(["Generating script.", *(["Script contents:", script] if shown else []), *more]))


@contextlib.contextmanager
def script_file(scope: StepScope, text: str, suffix: str) -> Iterator[Path]:
    """The script as a file that only we may read, for as long as it runs; its text is never on a command line.

    It may hold secrets in the place of macros, which are no business of the steps that follow.
    """
    path = scope.job.workspace.temp / f"{uuid.uuid4()}{suffix}"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(encode(text))
        yield path
    finally:
        path.unlink(missing_ok=True)


def find_program(name: str, inputs: StepInputs, install: str) -> str:
    """Where a program is; raises `TaskFailedError` that says how to get it."""
    found = inputs.place.find(name, inputs.environment)
    if found is None:
        why = "it is not on the PATH of the container" if inputs.place.contained else "it is not on the PATH"
        raise TaskFailedError(f"Unable to locate executable file: '{name}'", why=why, do=install)
    return found


def run_script(
    scope: StepScope, inputs: StepInputs, arguments: Sequence[str], *, cwd: Path, program: str, fail_on_stderr: bool
) -> None:
    """Run it and turn its end into the step's result; `program` is its name in messages."""
    arguments = [inputs.place.inner(one) for one in arguments]
    scope.say(f"[command]{' '.join(arguments)}")
    commands = CommandProcessor(scope)
    output = scope.log.stream(commands.run)
    collected = _Collected(scope.log, commands.run) if fail_on_stderr else None
    try:
        end = inputs.place.run(
            arguments,
            cwd=cwd,
            env=inputs.environment,
            output=Sink(feed=output.feed, idle=output.idle, waiting=output.waiting),
            errors=collected.sink() if collected else None,
            cancellation=scope.stop,
            graces=graces_of(scope),
        )
    finally:
        output.close()
        if collected:
            collected.stream.close()
    _judge(scope, end, program, collected.pieces if collected and collected.wrote else None)


def _judge(scope: StepScope, end: Exit, program: str, errors: Sequence[str] | None) -> None:
    if end.left_open and not scope.stop.canceled:
        scope.say(
            f"The STDIO streams did not close within {LINGER_SECONDS:g} seconds of the exit event from process "
            f"'{program}'. This may indicate a child process inherited the STDIO streams and has not yet exited."
        )
    if scope.cancellation.canceled or (scope.done and scope.stop.canceled):
        return
    if end.code:
        if end.code < 0:
            scope.say(f"{program} was ended by {_signal_name(-end.code)}.")
        # A shell's number for an end by a signal.
        scope.fail(f"{program} exited with code '{end.code if end.code > 0 else 128 - end.code}'.")
    if errors is not None:
        scope.fail(f"{program} wrote one or more lines to the standard error stream.")
        for text in errors:
            scope.issue("error", text)
    scope.complete(Result.SUCCEEDED)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have no name
        return f"signal {number}"


def graces_of(scope: StepScope) -> Graces:
    """How long a process gets to end in order, where the job or the host says otherwise."""
    defaults = Graces()

    def seconds(name: str, default: float) -> float:
        text = scope.job.variables.text(name) or scope.job.environ.get(name, "")
        return int(text) / 1000 if text.isdecimal() else default

    return Graces(
        interrupt=seconds("PROCESS_SIGINT_TIMEOUT", defaults.interrupt),
        terminate=seconds("PROCESS_SIGTERM_TIMEOUT", defaults.terminate),
    )


class _Collected:
    """The standard error stream: logged like the other, and its first pieces kept for the issues, as they were logged.

    What a process writes is cut anywhere, also within a secret; what the log shows of it is whole and masked.
    """

    def __init__(self, log: StepLog, run_command: RunCommand) -> None:
        self.stream = log.stream(run_command, self._told)
        self.pieces: list[str] = []
        self.wrote = False

    def sink(self) -> Sink:
        return Sink(feed=self._feed, idle=self.stream.idle, waiting=self.stream.waiting)

    def _feed(self, chunk: bytes) -> None:
        self.wrote = True
        self.stream.feed(chunk)

    def _told(self, masked: bytes) -> None:
        if len(self.pieces) < _MAX_PIECES:
            text = masked[:_MAX_PIECE].decode("utf-8", "replace")
            self.pieces.append(f"{text}<truncated>" if len(masked) > _MAX_PIECE else text)
        elif len(self.pieces) == _MAX_PIECES:
            self.pieces.append("Additional writes to stderr truncated")
