"""Whether this process was started by a step of a run: then it decides nothing about what runs may use.

This keeps mistakes and simple tricks out, no more: a step runs as the same user, who may read and write everything
that Sluice has (docs/architecture.md). Where processes cannot be seen (only Linux shows them), nothing is refused.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import NotPermittedError
from sluice.storage.home import Home

_MOST = 256


class RefusedToStepError(NotPermittedError):
    """A step of a run tried what only a person decides; `driver` is the process that runs the run."""

    def __init__(self, driver: int, what: str) -> None:
        super().__init__(
            "a step of a run may not decide what runs may use, or change that",
            why=f"this command was started by a run that process {driver} runs",
            do="run it yourself, in a terminal of your own",
        )
        self.driver = driver
        self.attempt = what


def driver_above(home: Home) -> int | None:
    """The process among those that started this one that drives a run of this installation (it holds a run's lock)."""
    if sys.platform != "linux":
        return None
    locks = home.locks.resolve()
    return next((pid for pid in _ancestors() if _holds_a_lock(pid, locks)), None)


def _ancestors() -> Iterator[int]:
    pid = os.getppid()
    for _ in range(_MOST):
        if pid <= 1:
            return
        yield pid
        try:
            status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
            pid = int(status.rpartition(")")[2].split()[1])  # the name before it may hold anything
        except (OSError, ValueError, IndexError):
            return


def _holds_a_lock(pid: int, locks: Path) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                target = descriptor.readlink()
                if target.parent == locks and target.suffix == ".lock":
                    return True
    return False
