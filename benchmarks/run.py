"""All benchmarks: `python benchmarks/run.py`, with Sluice installed in the Python that runs it.

Measured against floors in the same run: a bare Python process for start-up, a bare `bash` for output and for steps.
Ends with status 1 when a goal at "must" is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jobs
import logs
import node_task
import store
import waiting
from measure import Goal, Measure, compare

SLUICE = [sys.executable, "-m", "sluice"]
STEPS = 100


def main() -> int:
    """Run everything in a state folder of its own."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        work = Path(folder)
        os.environ["SLUICE_HOME"] = str(work / "home")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.chdir(work)
        met = [*_start_up(), _first_output(work), _step_overhead(work), node_task.measure(work)]
        met += [*jobs.measure(work), *logs.measure(work), *store.measure(work), *waiting.measure(work)]
    return 0 if all(met) else 1


def _start_up() -> list[bool]:
    bare = _process([sys.executable, "-c", "pass"])
    return [
        compare(
            Goal(name="G2", what=f"sluice {' '.join(arguments)}", must=100, moonshot=60),
            _process([*SLUICE, *arguments]),
            bare,
            "python -c pass",
        )
        for arguments in (["--version"], ["--help"], ["connection", "list"])
    ]


def _first_output(work: Path) -> bool:
    (work / "one.yml").write_text("steps:\n- checkout: none\n- script: echo first-output\n")
    return compare(
        Goal(name="G1", what="first output of a one-step run", must=400, moonshot=150),
        _first_line([*SLUICE, "run", "one.yml"], b"first-output"),
        _first_line(["bash", "-c", "echo first-output"], b"first-output"),
        "bash -c echo",
    )


def _step_overhead(work: Path) -> bool:
    """The slope between 1 and 100 steps, against starting the same 100 `bash`."""
    many = "".join("- script: echo x\n" for _ in range(STEPS))
    (work / "many.yml").write_text(f"steps:\n- checkout: none\n{many}")
    (work / "few.yml").write_text("steps:\n- checkout: none\n- script: echo x\n")
    run_many, run_few = _process([*SLUICE, "run", "many.yml"]), _process([*SLUICE, "run", "few.yml"])

    def slope() -> float:
        return (run_many() - run_few()) / (STEPS - 1)

    def spawn() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            subprocess.run(["bash", "-c", "echo x"], stdout=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - start) / STEPS

    goal = Goal(name="G3", what="a script step (slope from 1 to 100)", must=10, moonshot=4.5)
    return compare(goal, slope, spawn, "bash -c", pairs=7)


def _process(command: list[str]) -> Measure:
    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    return measure


def _first_line(command: list[str], marker: bytes) -> Measure:
    def measure() -> float:
        start = time.perf_counter()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.rstrip().endswith(marker) and b"echo" not in line:
                    took = time.perf_counter() - start
                    break
            else:
                raise RuntimeError(f"{command} never printed {marker!r}")
            process.stdout.read()
        return took

    return measure


if __name__ == "__main__":
    sys.exit(main())
