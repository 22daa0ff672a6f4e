"""Ends what a job left running under no name of the job: a daemon with an empty environment in a session of its own.

While jobs run this process adopts, on Linux, what its steps leave without a parent, instead of `init`. Which of several
jobs an adopted process came from cannot be known: they are ended when the last job that runs in this process is over.
What this process has started itself is never touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

from sluice.runtime.shielding import prctl

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 40
_ROUND_SECONDS = 0.005


class Household:
    """The processes of this process: its own, and those that it adopts while jobs run. For use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs = 0
        self._keeps = False
        self._own: set[int] = set()
        self._before: frozenset[int] = frozenset()

    @contextlib.contextmanager
    def started(self, start: Callable[[], Popen[bytes]]) -> Iterator[Popen[bytes]]:
        """A child that this process waits for itself, from its first moment on."""
        with self._lock:
            process = start()
            self._own.add(process.pid)
        try:
            yield process
        finally:
            with self._lock:
                self._own.discard(process.pid)

    def job_begins(self) -> None:
        """From now on orphans come to us."""
        with self._lock:
            if not self._jobs and sys.platform == "linux":
                self._before = frozenset(_children())
                prctl(_PR_SET_CHILD_SUBREAPER, 1)
            self._jobs += 1

    def job_ends(self, *, keeps: bool) -> None:
        """With the last job all adopted processes end, unless one of the jobs `keeps` what it left."""
        with self._lock:
            self._jobs -= 1
            self._keeps = self._keeps or keeps
            if self._jobs or sys.platform != "linux":
                return
            if not self._keeps:
                self._end_adopted()
            self._keeps = False
            prctl(_PR_SET_CHILD_SUBREAPER, 0)

    def _end_adopted(self) -> None:
        for _ in range(_ROUNDS):
            adopted = [pid for pid in _children() if self._is_adopted(pid)]
            if not adopted:
                return
            for pid in adopted:  # what they leave comes to us, and is found in the next round
                self._end(pid)
            time.sleep(_ROUND_SECONDS)

    def _is_adopted(self, pid: int) -> bool:
        """Steps have sessions of their own; what this process starts otherwise stays in its session."""
        if pid in self._own or pid in self._before:
            return False
        found = _stat(pid)
        return found is not None and found[0] == os.getpid() and found[1] != os.getsid(0)

    def _end(self, pid: int) -> None:
        # Through a descriptor, so that the number cannot come to mean another process between looking and killing.
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(pid)
            try:
                if self._is_adopted(pid):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    os.waitpid(pid, os.WNOHANG)
            finally:
                os.close(pidfd)


HOUSEHOLD = Household()


def descendants() -> list[int]:
    """All processes below this one, on Linux; while a job runs, whatever its steps left is among them."""
    found: list[int] = []
    queue = _children()
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += _children(str(pid))
    return found


def _children(of: str = "self") -> list[int]:
    """The children of a process, whichever thread has them."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{of}/task"):  # noqa: PTH208  # a few threads, at each job's end
            with (
                contextlib.suppress(FileNotFoundError, ProcessLookupError),
                open(  # noqa: PTH123  # as above; unbuffered: half the system calls
                    f"/proc/{of}/task/{task}/children", "rb", buffering=0
                ) as children,
            ):
                found += map(int, children.readall().split())
    except OSError:
        return []
    return found


def _stat(pid: int) -> tuple[int, int] | None:
    """Parent and session of a process."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[1]), int(fields[3])
    return None
