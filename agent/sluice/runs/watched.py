"""The files that a run of a pipeline is about, and whether they changed: what git knows of each repository, or would."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sluice.runs.source import list_files
from sluice.values import dataclass

MAX_FILES = 20_000
"""Files of a folder without git that are looked at."""

Look = Mapping[str, tuple[int, int, int]]
"""Time of the last change, size and number of each file, by its path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The pipeline's file and the folders around it; `private` holds Sluice's own state and is left out.

    In a repository these are the tracked files and new ones that git does not ignore, elsewhere all files.
    """

    file: Path
    roots: Sequence[Path]
    private: Path

    def look(self) -> Look:
        """The files as they are now. Takes as long as git does to list them."""
        found: dict[str, tuple[int, int, int]] = {}
        for path in self._paths():
            try:
                state = os.stat(path)  # noqa: PTH116  # thousands of files, twice a second
            except OSError:  # gone, or a link to nothing
                continue
            found[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
        return found

    def _paths(self) -> Iterator[str]:
        yield str(self.file)
        private = f"{self.private.resolve()}{os.sep}"
        for root in self.roots:
            below = str(root.resolve())
            names = list_files(root) if (root / ".git").exists() else _walk(below)
            for name in names:
                path = f"{below}{os.sep}{name}"
                if not path.startswith(private):
                    yield path


def changes(before: Look, after: Look) -> frozenset[str]:
    """The files that are new, gone or changed."""
    return frozenset(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _walk(root: str) -> Iterator[str]:
    count = 0
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            count += 1
            if count > MAX_FILES:
                return
            yield os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118
