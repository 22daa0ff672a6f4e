"""Runs a program whose output is not for the log."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.plugin import CanceledError, TaskFailedError, TaskRun


def run_quietly(run: TaskRun, command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> str:
    """Run a program to its end and answer its standard output; what it says on standard error is in the log.

    Raises `TaskFailedError` when it fails, and `CanceledError` once its process group is gone.
    """
    if run.canceled:
        raise CanceledError("canceled before the program was started")
    run.say(f"[command]{shlex.join(command)}")
    with subprocess.Popen(
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        run.on_cancel(lambda: _kill(process))
        output, errors = process.communicate()
    if errors.strip():
        run.say(errors.rstrip("\n"))
    if run.canceled:
        raise CanceledError("the program was canceled")
    if process.returncode:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        name = Path(command[0]).name
        raise TaskFailedError(
            f"{name} {command[1]} failed with exit code {process.returncode}",
            where=run.task,
            why=(lines or [""])[-1][:500],
        )
    return output


def _kill(process: subprocess.Popen[str]) -> None:
    if process.returncode is None:  # not reaped yet: the number is still its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
