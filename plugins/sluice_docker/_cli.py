"""Runs `docker`: its output goes to the log as it comes, a cancellation reaches its whole process group."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluice.plugin import CanceledError, TaskFailedError, TaskRun

INSTALL = "install Docker's command line: https://docs.docker.com/engine/install/ (Debian: apt-get install docker.io)"
KILL_SECONDS = 7.5
"""So long a canceled command may take to end in order."""

_CHUNK = 64 * 1024
_LAST = 20
_STEP = re.compile(r"(?:Step (\d+)/(\d+) :|#\d+ \[(?:[\w.-]+ )?(\d+)/(\d+)\])")
_LAYER = re.compile(r"([0-9a-f]{12}): (\w.*)")
_ERRORS = ("error", "unauthorized", "denied", "cannot connect")
_LAYER_DONE = ("Pushed", "Layer already exists", "Mounted from", "Pull complete", "Already exists")


@dataclass
class Docker:
    """The `docker` of a step, with the environment that it runs in."""

    run: TaskRun
    environment: Mapping[str, str]
    folder: Path
    program: str = field(init=False)

    def __post_init__(self) -> None:
        found = shutil.which("docker", path=self.environment.get("PATH"))
        if found is None:
            raise TaskFailedError("Unable to locate executable file: 'docker'", where=self.run.task, do=INSTALL)
        self.program = found

    def execute(self, *arguments: str) -> str:
        """Run a command to its end and answer what it wrote; raises `TaskFailedError` when it fails."""
        return execute(self.run, (self.program, *arguments), environment=self.environment, folder=self.folder)

    def ask(self, *arguments: str) -> str | None:
        """What a command answers, which nobody sees; None when it fails."""
        done = subprocess.run(
            (self.program, *arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        return done.stdout if done.returncode == 0 else None


def execute(run: TaskRun, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> str:
    """Run a command to its end and answer what it wrote; raises `TaskFailedError` or `CanceledError`."""
    if run.canceled:
        raise CanceledError("canceled before the command was started")
    run.say(f"[command]{shlex.join(arguments)}")
    output = _Output(run)
    with subprocess.Popen(
        arguments,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    ) as process:
        over = threading.Event()
        run.on_cancel(lambda: _stop(process, over))
        try:
            assert process.stdout is not None  # noqa: S101  # it is a pipe: asked for above
            while chunk := os.read(process.stdout.fileno(), _CHUNK):
                output.take(chunk)
            status = process.wait()
        finally:
            over.set()
            output.close()
            if process.poll() is None:
                _signal(process, signal.SIGKILL)
    if run.canceled:
        raise CanceledError("the command was canceled")
    if status:
        name = Path(arguments[0]).name
        raise TaskFailedError(
            f"{name} {_subcommand(arguments)} failed with exit code {status}", why=output.reason(), where=run.task
        )
    return output.text()


def _subcommand(arguments: Sequence[str]) -> str:
    return next((one for one in arguments[1:] if not one.startswith("-")), "")


class _Output:
    """What a command writes: to the log as it comes, kept for the task's output file, read for its progress."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._write = run.stream()
        self._pieces: list[bytes] = []
        self._line = b""
        self._last: list[str] = []
        self._layers: dict[str, bool] = {}

    def take(self, chunk: bytes) -> None:
        self._write(chunk)
        self._pieces.append(chunk)
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            self._look_at(line.decode("utf-8", "replace").strip())
        self._line = self._line[-_CHUNK:]

    def close(self) -> None:
        self._write(b"")

    def text(self) -> str:
        return b"".join(self._pieces).decode("utf-8", "replace")

    def reason(self) -> str:
        """The last line that begins as errors do, else the last line: advice may follow what is wrong."""
        rest = self._line.decode("utf-8", "replace").strip()
        lines = [line for line in (rest, *reversed(self._last)) if line]
        return next((line for line in lines if line.casefold().startswith(_ERRORS)), lines[0] if lines else "")

    def _look_at(self, line: str) -> None:
        self._last = [*self._last[-_LAST:], line]
        if step := _STEP.match(line):
            done, total = (int(part) for part in step.groups() if part)
            self._run.progress(100 * (done - 1) // max(total, 1), f"step {done} of {total}")
        elif layer := _LAYER.match(line):
            self._layers[layer[1]] = layer[2].startswith(_LAYER_DONE) or self._layers.get(layer[1], False)
            done, total = sum(self._layers.values()), len(self._layers)
            self._run.progress(100 * done // total, f"{done} of {total} layers")


def _stop(process: subprocess.Popen[bytes], over: threading.Event) -> None:
    """As a terminal does it, and the hard way when that is not enough."""
    _signal(process, signal.SIGINT)

    def insist() -> None:
        if not over.wait(KILL_SECONDS):
            _signal(process, signal.SIGKILL)

    threading.Thread(target=insist, daemon=True).start()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is None:  # not reaped yet: the number is still its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
