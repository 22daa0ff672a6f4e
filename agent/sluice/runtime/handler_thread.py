"""Runs a Python task handler so that one which does not stop cannot hold its job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sluice.runtime.cancellation import Cancellation

STOP_SECONDS = 10.0
"""So long a canceled handler may take to end in order: as long as a process gets before it is killed."""

KILL_SECONDS = 1.0
"""So long it may take when everything is to end at once."""


class HandlerStuckError(Exception):
    """The handler went on although it was canceled long ago."""


def run_in_time(work: Callable[[], None], cancellation: Cancellation) -> None:
    """Run `work` in a thread and raise what it raises.

    Raises `HandlerStuckError` when it does not end in time after a cancellation: the thread is left behind then, and
    ends with the process at the latest.
    """
    raised: list[BaseException] = []
    done = threading.Event()
    wake = threading.Event()

    def target() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # raised again in the job's own thread
            raised.append(error)
        finally:
            done.set()
            wake.set()

    take_back = cancellation.on_cancel(wake.set)
    take_back_kill = cancellation.on_kill(wake.set)
    try:
        threading.Thread(target=target, name="task handler", daemon=True).start()
        _wait(done, wake, cancellation)
    finally:
        take_back()
        take_back_kill()
    if raised:
        raise raised[0]


def _wait(done: threading.Event, wake: threading.Event, cancellation: Cancellation) -> None:
    ends = float("inf")
    while not done.is_set():
        now = time.monotonic()
        if cancellation.killed:
            ends = min(ends, now + KILL_SECONDS)
        elif cancellation.canceled:
            ends = min(ends, now + STOP_SECONDS)
        if now >= ends:
            raise HandlerStuckError
        wake.clear()
        # What happened between looking and clearing is seen here.
        if done.is_set() or (cancellation.canceled and ends == float("inf")):
            continue
        wake.wait(None if ends == float("inf") else ends - now)
