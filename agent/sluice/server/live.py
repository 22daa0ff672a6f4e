"""Tells who watches runs that something has changed: one look at the database for all of them, however many they are.

A watcher costs a task that sleeps. What is told is small, and it is never the truth itself: that something of a run
changed, and the newest lines of a log. Whoever missed some of it asks for the rest, as after a reconnection.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import field
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from sluice.runs.lock import is_driven
from sluice.storage.marks import marks
from sluice.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.server.log_index import LogIndexes
    from sluice.storage.engine import Changes, Database
    from sluice.storage.home import Home

LOOK_SECONDS = 0.2
"""How often it is looked whether anything has changed."""

ANYWAY_LOOKS = 10
"""After so many looks it is looked at even if the database did not change: who drives a run is no row of it."""

PING_SECONDS = 20.0
"""How often a watcher hears that it is still connected, at least: it finds out by that when it is not."""

MAX_NEW_LINES = 400
"""New lines of a log that are told at once; who needs those before them asks for them."""


@dataclass(eq=False, slots=True)
class _Watched:
    """A run, or the log of a step, that is watched: what was told last, and who waits for what comes next."""

    mark: str = ""
    payload: bytes = b""
    waiters: set[asyncio.Event] = field(default_factory=set)

    def tell(self, mark: str, payload: bytes) -> None:
        self.mark, self.payload = mark, payload
        for waiter in self.waiters:
            waiter.set()


class Live:
    """What is watched in one process. Used in the event loop only."""

    def __init__(self, database: Database, home: Home, indexes: LogIndexes) -> None:
        self._database = database
        self._home = home
        self._indexes = indexes
        self._runs: dict[int, _Watched] = {}
        self._logs: dict[Path, _Watched] = {}
        self._task: asyncio.Task[None] | None = None
        self._over = False

    async def watch(self, run_id: int, log: Path | None = None) -> AsyncGenerator[bytes, None]:
        """Events for somebody who watches a run, and the log of a step that runs: at once how it is, then each change."""
        news = asyncio.Event()
        run = self._runs.setdefault(run_id, _Watched())
        lines = None if log is None else self._logs.setdefault(log, _Watched())
        watched = [run] if lines is None else [run, lines]
        told = ["", ""]
        try:
            for one in watched:
                one.waiters.add(news)
            if not run.mark:
                await self._look_at([run_id])
            if log is not None and lines is not None and not lines.mark:
                await self._read_log(log, lines)
            self._begin()
            while not self._over:
                news.clear()
                for place, one in enumerate(watched):
                    if one.mark != told[place]:
                        told[place] = one.mark
                        yield one.payload
                try:
                    await asyncio.wait_for(news.wait(), PING_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            for one in watched:
                one.waiters.discard(news)
            if not run.waiters:
                self._runs.pop(run_id, None)
            if log is not None and lines is not None and not lines.waiters:
                self._logs.pop(log, None)

    @property
    def watchers(self) -> int:
        """How many watch a run now."""
        return sum(len(one.waiters) for one in self._runs.values())

    def end(self) -> None:
        """End every watch: the server stops. Browsers connect again on their own when it is back."""
        self._over = True
        for watched in (*self._runs.values(), *self._logs.values()):
            for waiter in watched.waiters:
                waiter.set()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        """Look again and again, as long as anybody watches."""
        changes = self._database.changes()
        looks, took = 0, 0.0
        try:
            while self._runs:
                await asyncio.sleep(max(LOOK_SECONDS, 4 * took))  # a fifth of one thread at most
                looks += 1
                begun = time.monotonic()
                await self._round(changes, anyway=looks % ANYWAY_LOOKS == 0)
                took = time.monotonic() - begun
        finally:
            changes.close()

    async def _round(self, changes: Changes, *, anyway: bool) -> None:
        if changes.happened() or anyway:
            await self._look_at(list(self._runs))
        for path, watched in list(self._logs.items()):
            await self._read_log(path, watched)

    async def _look_at(self, run_ids: list[int]) -> None:
        found = await run_in_threadpool(self._marks, run_ids)
        for run_id, mark in found.items():
            watched = self._runs.get(run_id)
            if watched is not None and watched.mark != mark:
                watched.tell(mark, _event("run", {"mark": mark}))

    def _marks(self, run_ids: list[int]) -> dict[int, str]:
        with self._database.read() as transaction:
            found = marks(transaction, run_ids)
        folder = self._home.locks
        told = {run_id: f"{mark}|{is_driven(folder, run_id)}" for run_id, mark in found.items()}
        return {run_id: hashlib.sha256(text.encode()).hexdigest()[:16] for run_id, text in told.items()}

    async def _read_log(self, path: Path, watched: _Watched) -> None:
        """Tell the lines that have come since the last look."""
        seen = int(watched.mark or -1)
        index = self._indexes.of(path)
        if seen >= 0 and not index.has_grown():
            return
        found = await run_in_threadpool(index.lines, 0, MAX_NEW_LINES)
        if found.total == seen:
            return
        first = max(found.first, seen + 1)
        texts = [text.decode("utf-8", "replace") for text in found.texts[first - found.first :]]
        watched.tell(str(found.total), _event("log", {"total": found.total, "first": first, "lines": texts}))


def _event(name: str, data: dict[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode("utf-8", "replace")
