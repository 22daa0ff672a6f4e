"""Where the processes of a step run: on this host, or in a container of the job."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.process import Exit, Graces, Sink, run_process


class Place(Protocol):
    """Starts processes, and knows what folders of the job are called where they run."""

    @property
    def contained(self) -> bool:
        """Whether it is a container."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """The Nodes that the place may have for task packages: names and paths, the first that is there counts."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Sink,
        errors: Sink | None = None,
        cancellation: Cancellation,
        graces: Graces | None = None,
    ) -> Exit:
        """As `run_process`; paths are those of this place."""

    def find(self, program: str, environment: Mapping[str, str]) -> str | None:
        """Where a program is, by the `PATH` of a process with that environment."""

    def attached(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], private: Path
    ) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """How a program here gets a person's terminal: the command on the host, and its environment.

        `private` is a folder for files that go with the job. Raises `SluiceError` when it cannot be had.
        """

    def inner(self, text: str) -> str:
        """A path of the host as it is called here; any other text stays as it is."""

    def outer(self, text: str) -> str | None:
        """A path of this place as the host calls it; None when the host does not have it."""


class HostPlace:
    """This machine."""

    contained = False
    nodes = ("node",)

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Sink,
        errors: Sink | None = None,
        cancellation: Cancellation,
        graces: Graces | None = None,
    ) -> Exit:
        return run_process(
            arguments, cwd=cwd, env=env, output=output, errors=errors, cancellation=cancellation, graces=graces
        )

    def find(self, program: str, environment: Mapping[str, str]) -> str | None:
        return shutil.which(program, path=environment.get("PATH"))

    def attached(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], private: Path
    ) -> tuple[tuple[str, ...], Mapping[str, str]]:
        return tuple(arguments), env

    def inner(self, text: str) -> str:
        return text

    def outer(self, text: str) -> str | None:
        return text


HOST = HostPlace()
