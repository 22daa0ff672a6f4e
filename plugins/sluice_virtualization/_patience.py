"""Waiting that a cancellation ends."""

from __future__ import annotations

import threading
import time

from sluice.plugin import CanceledError, TaskRun

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 3.0


class Patience:
    """Waits on behalf of a run, longer from one time to the next, for no more than `seconds` in all (0: any time)."""

    def __init__(self, run: TaskRun, seconds: float = 0) -> None:
        self._canceled = threading.Event()
        run.on_cancel(self._canceled.set)
        self._ends = time.monotonic() + seconds if seconds else float("inf")
        self._pause = _FIRST_WAIT

    def wait(self) -> bool:
        """Wait a little; False when the time is up. Raises `CanceledError` as soon as the run is canceled."""
        if self._canceled.wait(min(self._pause, max(0.0, self._ends - time.monotonic()))):
            raise CanceledError("canceled while waiting")
        self._pause = min(self._pause * 2, _LONGEST_WAIT)
        return time.monotonic() < self._ends
