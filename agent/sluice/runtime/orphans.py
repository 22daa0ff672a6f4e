"""Finds and ends processes that a job left behind, by the look-up id in their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sluice.runtime.request import JobRequest
from sluice.values import dataclass

LOOKUP_VARIABLE = "VSTS_PROCESS_LOOKUP_ID"
"""The job variable that every process of a job inherits."""

_NAMESPACE = uuid.UUID("6f1f7a3a-3c02-4d0e-9d3f-1c6f0c2a9b10")
_ROUNDS = 20
_ROUND_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Orphan:
    """A process that outlived its job."""

    pid: int
    name: str


def lookup_id(request: JobRequest) -> str:
    """The id of this attempt of this job; the same when the job goes on in another process."""
    return f"vsts_{uuid.uuid5(_NAMESPACE, f'{request.work}|{request.run_id}|{request.id}|{request.attempt}')}"


Candidates = Callable[[], Iterable[int]]
"""The numbers of processes that may be a job's."""


def find_orphans(lookup: str, candidates: Candidates | None = None) -> list[Orphan]:
    """The living processes, all or these, that carry the id; none where processes' environments cannot be read."""
    if sys.platform != "linux":
        return []
    wanted = f"{LOOKUP_VARIABLE}={lookup}".encode()
    pids = (candidates or _pids)()
    return [Orphan(pid, _name(pid)) for pid in pids if pid != os.getpid() and wanted in _environment(pid)]


def kill_orphans(lookup: str, candidates: Candidates | None = None) -> list[Orphan]:
    """End every process that carries the id, also those they start meanwhile; answers what was ended."""
    ended: dict[int, Orphan] = {}
    for _ in range(_ROUNDS):
        found = find_orphans(lookup, candidates)
        if not found:
            break
        for orphan in found:
            ended[orphan.pid] = orphan
            _kill(orphan.pid, lookup)
        time.sleep(_ROUND_SECONDS)
    return list(ended.values())


def _kill(pid: int, lookup: str) -> None:
    # Through a descriptor, so that the number cannot come to mean another process between looking and killing.
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            if f"{LOOKUP_VARIABLE}={lookup}".encode() in _environment(pid):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def _pids() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def _environment(pid: int) -> list[bytes]:
    # A process of somebody else, or one that has ended, shows none.
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as environment:  # noqa: PTH123  # half the system calls
            return environment.readall().split(b"\0")
    except OSError:
        return []


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    return ""
