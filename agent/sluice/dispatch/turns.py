"""Bounds how many jobs a process carries out at a time, whosever they are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Turns:
    """So many jobs at a time. Watchers are told whenever one is over, and another may begin."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self._condition = threading.Condition()
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def free(self) -> int:
        """How many jobs may begin at once."""
        with self._condition:
            return max(0, self._count - self._taken)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a turn; waits for one where more have begun at the same moment than there are."""
        with self._condition:
            while self._taken >= self._count:
                self._condition.wait()
            self._taken += 1
        try:
            yield
        finally:
            with self._condition:
                self._taken -= 1
                self._condition.notify()
                told = list(self._watchers.values())
            for tell in told:
                tell()

    @contextlib.contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Call `tell` whenever a turn becomes free, as long as the block lasts."""
        mark = object()
        with self._condition:
            self._watchers[mark] = tell
        try:
            yield
        finally:
            with self._condition:
                del self._watchers[mark]
