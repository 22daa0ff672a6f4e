"""Finds the files of a folder that is to be kept: in a fixed order, links as links, nothing that is no file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.manifest import Kind, leads_out
from sluice.values import dataclass

Skip = Callable[[str, bool], bool]
"""Whether to leave out the path (relative, with `/`), a folder if the second argument says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something to keep: where it is, and its path in the manifest."""

    source: str
    path: str
    kind: Kind
    target: str = ""


def walk(
    root: Path, *, skip: Skip | None = None, avoid: Collection[Path] = (), links_lead_out: bool = False
) -> list[Found]:
    """Everything below a folder, or the one file that `root` is, sorted by path.

    `avoid` are folders that are never looked into. Raises `TaskFailedError` for pipes, devices and sockets, and, unless
    `links_lead_out`, for links that lead out of the folder.
    """
    if not root.is_dir():
        return [Found(source=os.path.realpath(root), path=root.name, kind="file")]
    walker = _Walker(skip, {os.path.realpath(folder) for folder in avoid}, links_lead_out=links_lead_out)
    return sorted(walker.below(os.path.realpath(root)), key=lambda found: found.path)


class _Walker:
    def __init__(self, skip: Skip | None, avoid: Collection[str], *, links_lead_out: bool) -> None:
        self._skip = skip
        self._avoid = avoid
        self._links_lead_out = links_lead_out

    def below(self, root: str) -> Iterator[Found]:
        waiting = [("", root)]
        while waiting:
            prefix, folder = waiting.pop()
            empty = True
            with os.scandir(folder) as entries:
                for entry in entries:
                    empty = False
                    path = f"{prefix}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        if entry.path not in self._avoid and not self._skips(path, folder=True):
                            waiting.append((f"{path}/", entry.path))
                    elif not self._skips(path, folder=False):
                        yield self._found(entry, path)
            if empty and prefix:
                yield Found(source=folder, path=prefix[:-1], kind="folder")

    def _skips(self, path: str, *, folder: bool) -> bool:
        return self._skip is not None and self._skip(path, folder)

    def _found(self, entry: os.DirEntry[str], path: str) -> Found:
        if entry.is_symlink():
            target = os.readlink(entry.path)  # noqa: PTH115  # a text, whatever it looks like
            if not self._links_lead_out and leads_out(path, target):
                raise TaskFailedError(
                    f"the link '{path}' leads out of the folder that is published",
                    where=entry.path,
                    why=f"it points to '{target}'",
                    do="remove it, copy what it points to, or name it in .artifactignore",
                )
            return Found(source=entry.path, path=path, kind="link", target=target)
        if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            raise special(entry.path)
        return Found(source=entry.path, path=path, kind="file")


def special(path: str) -> TaskFailedError:
    """What is said of something that has no content to keep."""
    return TaskFailedError(f"'{path}' is a pipe, a device or a socket, not a file", do="leave it out")
