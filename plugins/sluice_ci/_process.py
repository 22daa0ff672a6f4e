"""Runs a program: its output goes to the log as it comes, a cancellation reaches its whole process group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.plugin import CanceledError, TaskRun

KILL_SECONDS = 7.5
"""So long a canceled program may take to end in order."""
_CHUNK = 64 * 1024


def execute(run: TaskRun, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> int:
    """Run to the end and answer the exit status; raises `CanceledError` when the run is canceled meanwhile."""
    if run.canceled:
        raise CanceledError("canceled before the program was started")
    write = run.stream()
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
                write(chunk)
            status = process.wait()
        finally:
            over.set()
            write(b"")
            _signal(process, signal.SIGKILL)
    if run.canceled:
        raise CanceledError("the program was canceled")
    return status


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
