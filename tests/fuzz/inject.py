"""Does the model-based test notice defects? `python -m tests.fuzz.inject` breaks a copy of the package, fault by fault.

Prints which faults the scenes notice, and which the random examples (`--examples`) do; ends with 1 when a fault is
noticed by neither. `--only TEXT` tries the faults whose names hold it. Not in the ordinary test run: it takes minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.faults import FAULTS

import sluice

if TYPE_CHECKING:
    from tests.fuzz.faults import Fault

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(sluice.__file__).parent
TESTS = "tests/agent/runs"
SCENES = tuple(sorted(str(one.relative_to(ROOT)) for one in (ROOT / TESTS / "scenes").glob("test_*.py")))
RANDOM = (f"{TESTS}/test_model.py",)
LONGEST_SECONDS = 1800


def notices(tests: tuple[str, ...], fault: Fault | None, *, examples: int, seed: int) -> str:
    """The first test that fails with a fault in the package, '' when none does."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "sluice"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if fault:
            fault.apply(copy)
        environment = {**os.environ, "PYTHONPATH": folder, "SLUICE_MODEL_EXAMPLES": str(examples or "")}
        options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}", "--timeout=0"]
        command = [sys.executable, "-m", "pytest", *options, "--tb=no", f"--basetemp={folder}/tests", *tests]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "it never ended"
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stdout + done.stderr)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition("::")[2].partition(" - ")[0] if failed else ""


def main() -> int:
    """Try the faults and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the faults whose names hold this text")
    parser.add_argument("--examples", type=int, default=0, help="random examples for each fault; none as a rule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="faults that are tried at once")
    given = parser.parse_args()
    chosen = [one for one in FAULTS if given.only in one.name]
    if broken := notices(SCENES, None, examples=0, seed=given.seed):
        print(f"without any fault: {broken}")
        return 1

    def tried(fault: Fault) -> tuple[str, str]:
        first = f"{TESTS}/scenes/test_{fault.area}.py"
        scene = notices((first, *(one for one in SCENES if one != first)), fault, examples=0, seed=given.seed)
        if not given.examples:
            return scene, ""
        return scene, notices(RANDOM, fault, examples=given.examples, seed=given.seed)

    missed = 0
    width = max(len(one.name) for one in chosen)
    with ThreadPoolExecutor(given.jobs) as pool:
        for fault, (scene, chance) in zip(chosen, pool.map(tried, chosen), strict=True):
            missed += not (scene or chance)
            by_chance = f" | random: {'caught' if chance else 'missed'}" if given.examples else ""
            print(
                f"{fault.name:{width}} {'caught' if scene or chance else 'MISSED'} | {scene or '-'}{by_chance}",
                flush=True,
            )
    print(f"{len(chosen) - missed} of {len(chosen)} faults are caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
