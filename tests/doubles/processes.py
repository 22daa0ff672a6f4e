"""What anybody on this machine may read of the processes that run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def command_lines() -> bytes:
    """The arguments of every process of this machine."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  # processes come and go while we look
        with suppress(OSError):
            if name.isdecimal():
                found.append(Path(f"/proc/{name}/cmdline").read_bytes())
    return b"\n".join(found)
