"""The inputs of a built-in task, after macro expansion."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection
from sluice.runtime.secure_files import SecureFile


@dataclass(frozen=True, slots=True)
class StepInputs:
    """Inputs by lower-case name, the default root of paths, the environment for processes, and what was opened."""

    values: Mapping[str, str]
    root: Path
    environment: dict[str, str]
    opened: Mapping[str, Sequence[Connection]] = field(default_factory=dict)
    files: Mapping[str, SecureFile] = field(default_factory=dict)

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
        if not path.is_dir():
            raise TaskFailedError(f"Not found {name}: {path}")
        return path
