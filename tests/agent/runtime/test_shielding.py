"""Our own process: what a step of the same user can read of it. Carried out as a user without privileges."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sluice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's processes")

CODE = Path(sluice.__file__).parent.parent
STEAL = """for n in environ mem maps; do
if (exec 3< /proc/$1/$n) 2> /dev/null; then echo $n read; else echo $n refused; fi; done
if (exec 3< /proc/self/environ) 2> /dev/null; then echo own read; fi"""
VICTIM = """
import ctypes, os, subprocess, sys, time
sys.path.insert(0, {code!r})
from sluice.runtime.shielding import shield
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after any start of a program: giving up root has changed it
if {shielded}:
    before = time.perf_counter()
    shield()
    print("ms", (time.perf_counter() - before) * 1000)
print(subprocess.run(["/bin/sh", "-c", {steal!r}, "sh", str(os.getpid())], capture_output=True, text=True).stdout)
print("fds", len(os.listdir("/proc/self/fd")) > 2)
"""


def _steal(*, shielded: bool) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", VICTIM.format(code=os.fspath(CODE), shielded=shielded, steal=STEAL)],
        env={"PATH": os.environ["PATH"], "SLUICE_MASTER_KEY": "x" * 44},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: rest for name, _, rest in (line.partition(" ") for line in done.stdout.splitlines() if line)}


def test_another_process_of_the_user_reads_neither_memory_nor_environment() -> None:
    found = _steal(shielded=True)
    assert {name: found[name] for name in ("environ", "mem", "maps")} == dict.fromkeys(
        ("environ", "mem", "maps"), "refused"
    )
    assert (found["own"], found["fds"]) == ("read", "True")
    assert float(found["ms"]) < 50  # half of one, on a machine that does nothing else


def test_without_the_shield_the_environment_is_open() -> None:
    assert _steal(shielded=False)["environ"] == "read"


def test_the_command_line_shields_itself() -> None:
    program = (
        "import ctypes, sys\nfrom sluice.cli.main import main\ntry: main(['--version'])\nexcept SystemExit: pass\n"
    )
    get = "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    done = subprocess.run([sys.executable, "-c", program + get], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
