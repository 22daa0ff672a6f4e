"""What a server remembers of the database while nobody changes it: the quick way of requests that only look."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.storage.engine import Database

MAX_ENTRIES = 20_000
MAX_BYTES = 64 * 1024 * 1024
"""What is kept at most; where more would be, everything is forgotten."""


class Memory:
    """Values by key, all forgotten as soon as anybody has written to the database; used in one thread only.

    Where the database cannot tell whether somebody has (see `Changes`), nothing is remembered.
    """

    def __init__(self, database: Database) -> None:
        self._changes = database.changes()
        self._local = self._changes.told
        self._entries: dict[Hashable, tuple[float, Any]] = {}
        self._bytes = 0
        self._age = 0

    @property
    def local(self) -> bool:
        """Whether the database lies in this process: a small read is sooner done than handed to another thread."""
        return self._local

    @property
    def age(self) -> int:
        """Stands for the state of the database; what was read before it grew may be old."""
        if self._changes.happened():
            self._age += 1
            self._forget()
        return self._age

    def get(self, key: Hashable) -> Any:
        """What was remembered, or None."""
        self.age  # noqa: B018  # forgets what is old
        found = self._entries.get(key)
        if found is None or found[0] <= time.time():
            return None
        return found[1]

    def put(self, key: Hashable, value: Any, *, read_at: int, until: float = float("inf"), size: int = 0) -> None:
        """Remember what was read when the age was `read_at`, until a time at most; `size` is in bytes."""
        if self.age != read_at:
            return
        if len(self._entries) >= MAX_ENTRIES or self._bytes + size > MAX_BYTES:
            self._forget()
        self._entries[key] = (until, value)
        self._bytes += size

    def close(self) -> None:
        """Forget everything, and give the connection back."""
        self._forget()
        self._changes.close()

    def _forget(self) -> None:
        self._entries.clear()
        self._bytes = 0
