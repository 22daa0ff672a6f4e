"""Keeps this process's memory and environment from the steps that it runs, which belong to the same user.

On Linux the process is made undumpable: other processes of the user can neither attach to it nor read its
`/proc/<pid>/mem` and `environ` (where the master key may be), and it leaves no core, whatever the limit for that is.
What it starts is dumpable again, with the limits of its user: programs of a pipeline may be debugged and dump their
cores. Elsewhere only its own core is switched off, by the soft limit.

It is no wall against root, nor against a process with `CAP_SYS_PTRACE`, nor in the milliseconds before it is called.
"""

from __future__ import annotations

import sys

PR_SET_DUMPABLE = 4


def shield() -> None:
    """To be called first of all, once: it costs half a millisecond. That it cannot be done is no error."""
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 0)
    elif sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def prctl(option: int, value: int) -> bool:
    """The system call; whether it was done. Not through `ctypes`, whose import costs three times as much as all of this."""
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None is this program
        return bool(_ctypes.call_function(address, (option, value, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError):
        try:
            import ctypes

            return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
        except (ImportError, AttributeError, OSError):  # a Python without it
            return False
