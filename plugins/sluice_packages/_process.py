"""Runs a package manager: settings for it stand in its environment, its failure is the task's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was found on the `PATH` of the step."""

    run: TaskRun
    name: str
    path: str

    @classmethod
    def find(cls, run: TaskRun, name: str, install: str) -> Program:
        """Find it; raises `TaskFailedError` with the advice `install`."""
        return cls(run, name, run.program(name, install=install))

    def execute(self, *arguments: str, folder: Path, added: Mapping[str, str]) -> None:
        """Run it to its end, with `added` in its environment; raises `TaskFailedError` or `CanceledError`."""
        names = {name.casefold() for name in added}  # npm reads its settings in any case
        kept = {name: value for name, value in self.run.environment.items() if name.casefold() not in names}
        status = self.run.execute((self.path, *arguments), folder=folder, environment={**kept, **added})
        if status:
            raise TaskFailedError(f"{self.name} failed with exit code {status}", where=self.run.task)
