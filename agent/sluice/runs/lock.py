"""One process at a time drives a run; the operating system frees the lock whatever becomes of that process."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import ConflictError

PATIENCE_SECONDS = 0.3
"""How long a lock is tried for: whoever only looks whether a run is driven holds it for a moment."""


@contextlib.contextmanager
def run_lock(folder: Path, run_id: int) -> Iterator[None]:
    """Hold the lock of a run; raises `ConflictError` naming the process that holds it already."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{run_id}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _patiently(descriptor):
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise ConflictError(
                f"run {run_id} is being run by process {holder}",
                do="wait for it, permit what it waits for, or cancel it from here",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def is_driven(folder: Path, run_id: int) -> bool:
    """Whether some process drives the run right now."""
    try:
        descriptor = os.open(folder / f"{run_id}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _patiently(descriptor: int) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while not _try_lock(descriptor):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _try_lock(descriptor: int) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
