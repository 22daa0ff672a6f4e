"""Runs `docker`, and reads from its output how far it is and why it failed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun

INSTALL = "install Docker's command line: https://docs.docker.com/engine/install/ (Debian: apt-get install docker.io)"
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
        self.program = self.run.program("docker", install=INSTALL, path=self.environment.get("PATH", os.defpath))

    def execute(self, *arguments: str) -> str:
        """Run a command to its end and answer what it wrote; raises `TaskFailedError` when it fails."""
        return execute(self.run, (self.program, *arguments), environment=self.environment, folder=self.folder)

    def ask(self, *arguments: str) -> str | None:
        """What a command answers, which nobody sees; None when it fails."""
        import subprocess

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
    output = _Output(run)
    status = run.execute(arguments, environment=environment, folder=folder, take=output.take)
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
        self._pieces: list[bytes] = []
        self._line = b""
        self._last: list[str] = []
        self._layers: dict[str, bool] = {}

    def take(self, chunk: bytes) -> None:
        self._pieces.append(chunk)
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            self._look_at(line.decode("utf-8", "replace").strip())
        self._line = self._line[-_CHUNK:]

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
