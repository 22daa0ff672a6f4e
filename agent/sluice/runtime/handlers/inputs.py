"""The inputs of a built-in task, after macro expansion."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection
from sluice.runtime.place import HOST, Place
from sluice.runtime.secure_files import SecureFile
from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class StepInputs:
    """Inputs by lower-case name, the default root of paths, the environment for processes, and what was opened.

    Paths are those of the `place` where the step's processes run.
    """

    values: Mapping[str, str]
    root: Path
    environment: dict[str, str]
    opened: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    files: Mapping[str, SecureFile] = field(default_factory=dict)
    place: Place = HOST

    def text(self, name: str, default: str = "") -> str:
        """The value, or the default when it is missing or empty."""
        return self.values.get(name.lower()) or default

    def flag(self, name: str) -> bool:
        """True only for `true`, in any case."""
        return self.text(name).strip().casefold() == "true"

    def path(self, name: str) -> Path:
        """A `filePath` input: relative ones, and an empty one, start at the root."""
        return Path(os.path.normpath(self.root / self.text(name).strip()))

    def folder(self, name: str) -> Path:
        """As `path`, of a folder that has to be there."""
        path = self.path(name)
        seen = self.seen(path)
        if seen is not None and not seen.is_dir():
            raise TaskFailedError(f"Not found {name}: {path}")
        return path

    def is_file(self, path: Path) -> bool:
        """Whether there is such a file, as far as that can be seen from here."""
        seen = self.seen(path)
        return seen is None or seen.is_file()

    def seen(self, path: Path) -> Path | None:
        """A path as this host calls it; None when only the container has it."""
        outer = self.place.outer(os.fspath(path))
        return Path(outer) if outer is not None else None
