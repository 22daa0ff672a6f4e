"""Homes of jobs that no step has touched serve the next job: to make and to remove one takes hundreds of system calls.

A home counts as touched as soon as anything in it was made, removed, replaced or written, be it undone since: such a home
goes with its job. A spare one lies in a folder of this process, under a lease, so that it goes with the process.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Hashable, Iterable
from pathlib import Path

from sluice.runtime.workspace import Lease, WorkspaceError
from sluice.values import dataclass

_STAMP_SECONDS = 3600
"""How long ago everything in a new home was made, as its times tell: so the first change shows, however soon it comes."""


@dataclass(frozen=True, slots=True)
class _Home:
    """A home of a `kind`, with the marks of its `parts`."""

    kind: Hashable
    parts: tuple[str, ...]
    marks: tuple[tuple[int, ...], ...]


class SpareHomes:
    """The homes of the jobs that one dispatcher carries out in a work folder. For use from any thread."""

    def __init__(self, work: Path) -> None:
        self._folder = work / "_temp" / f"homes-{os.getpid()}-{id(self):x}"
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._spare: dict[Hashable, list[tuple[str, _Home]]] = {}
        self._lent: dict[str, _Home] = {}
        self._count = 0

    def take(self, place: str, kind: Hashable) -> bool:
        """Put a spare home of that kind in a place where there is none; False when there is no such home."""
        with self._lock:
            if not (spare := self._spare.get(kind)):
                return False
            path, home = spare.pop()
        try:
            os.rename(path, place)  # noqa: PTH104  # texts and plain calls, as in private_home
            marks = (_mark(place), *home.marks[1:])  # that of the home itself changes as it is moved
        except OSError:  # somebody has removed it
            return False
        self._lent[place] = _Home(home.kind, home.parts, marks)
        return True

    def lend(self, place: str, kind: Hashable, parts: Iterable[str]) -> None:
        """A home was made in a place: with these folders and files, each of which would show a change."""
        whole = ("", *parts)
        stamp = time.time_ns() - _STAMP_SECONDS * 10**9
        for part in reversed(whole):
            os.utime(_in(place, part), ns=(stamp, stamp))
        self._lent[place] = _Home(kind, whole, tuple(_mark(_in(place, part)) for part in whole))

    def give_back(self, place: str) -> None:
        """Keep the home of a job that is over and has left no process, when nothing has touched it."""
        home = self._lent.pop(place, None)
        if home is None:
            return
        with contextlib.suppress(OSError, WorkspaceError):  # something is missing: what is there goes with its job
            if any(_mark(_in(place, part)) != mark for part, mark in zip(home.parts, home.marks, strict=True)):
                return
            with self._lock:
                path = f"{self._kept()}/{self._count}"
                self._count += 1
                os.rename(place, path)  # noqa: PTH104
                self._spare.setdefault(home.kind, []).append((path, home))

    def _kept(self) -> Path:
        """The folder of the spare homes; it goes with this object, or is swept away when this process is killed."""
        if self._lease is None:
            lease = Lease.take(self._folder, "")
            self._folder.mkdir(mode=0o700)
            self._lease = lease
            weakref.finalize(self, lease.give_back)
        return self._folder


def _in(place: str, part: str) -> str:
    return f"{place}/{part}" if part else place


def _mark(path: str) -> tuple[int, ...]:
    """What is another one after any change of a folder's entries, of a file, or of who may do what with them."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns, found.st_ctime_ns
