"""Runs a package manager: its output goes to the log as it comes, a cancellation reaches its whole process group."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import CanceledError, TaskFailedError, TaskRun

KILL_SECONDS = 7.5
"""So long a canceled command may take to end in order."""

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was found on the `PATH` of the step."""

    run: TaskRun
    name: str
    path: str

    @classmethod
    def find(cls, run: TaskRun, name: str, install: str) -> Program:
        """Find it; raises `TaskFailedError` with the advice `install`."""
        found = shutil.which(name, path=run.environment.get("PATH"))
        if found is None:
            raise TaskFailedError(f"Unable to locate executable file: '{name}'", where=run.task, do=install)
        return cls(run, name, found)

    def execute(self, *arguments: str, folder: Path, added: Mapping[str, str]) -> None:
        """Run it to its end, with `added` in its environment; raises `TaskFailedError` or `CanceledError`."""
        run = self.run
        if run.canceled:
            raise CanceledError("canceled before the command was started")
        run.say(f"[command]{shlex.join((self.path, *arguments))}")
        names = {name.casefold() for name in added}  # npm reads its settings in any case
        kept = {name: value for name, value in run.environment.items() if name.casefold() not in names}
        write = run.stream()
        with subprocess.Popen(
            (self.path, *arguments),
            env={**kept, **added},
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
                    write(chunk)
                status = process.wait()
            finally:
                over.set()
                write(b"")
                if process.poll() is None:
                    _signal(process, signal.SIGKILL)
        if run.canceled:
            raise CanceledError("the command was canceled")
        if status:
            raise TaskFailedError(f"{self.name} failed with exit code {status}", where=run.task)


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
