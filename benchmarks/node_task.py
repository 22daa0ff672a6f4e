"""A step that runs a Node task package, against the same `node` with the task library by hand.

`python benchmarks/node_task.py`. The library comes from npm, once, into the folder that is measured in.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Goal, compare_ratio

LIBRARY = "azure-pipelines-task-lib@5.281.0"
STEPS = 20
SLUICE = [sys.executable, "-m", "sluice"]
MANIFEST = {
    "id": "5f1f7c3e-0000-4000-8000-00000000000b",
    "name": "Bench",
    "version": {"Major": 1, "Minor": 0, "Patch": 0},
    "inputs": [{"name": "text", "type": "string", "defaultValue": "hello"}],
    "execution": {"Node20_1": {"target": "main.js"}},
}


def measure(work: Path) -> bool:
    """The slope between 1 and some steps; True also where there is no Node to measure with."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("G20  not measured: there is no node and npm (apt-get install nodejs npm)")
        return True
    package = work / "Bench"
    package.mkdir()
    (package / "task.json").write_text(json.dumps(MANIFEST))
    (package / "main.js").write_text(
        "const tl = require('azure-pipelines-task-lib/task');\nconsole.log(tl.getInput('text'));\n"
    )
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run([npm, "install", "--prefix", str(package), *quiet, LIBRARY], check=True, stdin=subprocess.DEVNULL)
    subprocess.run([*SLUICE, "task", "install", str(package)], check=True, stdout=subprocess.DEVNULL)
    many = "".join("- task: Bench@1\n" for _ in range(STEPS))
    (work / "many-node.yml").write_text(f"steps:\n- checkout: none\n{many}")
    (work / "one-node.yml").write_text("steps:\n- checkout: none\n- task: Bench@1\n")
    environment = os.environ | {"AGENT_TEMPDIRECTORY": str(work), "INPUT_TEXT": "hello"}

    def seconds(command: list[str], times: int = 1) -> float:
        start = time.perf_counter()
        for _ in range(times):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
        return time.perf_counter() - start

    def step() -> float:
        return (seconds([*SLUICE, "run", "many-node.yml"]) - seconds([*SLUICE, "run", "one-node.yml"])) / (STEPS - 1)

    def by_hand() -> float:
        return seconds([node, str(package / "main.js")], STEPS) / STEPS

    goal = Goal(name="G20", what="a Node task step (slope)", must=1.5, moonshot=1.15)
    return compare_ratio(goal, step, by_hand, "node by hand", pairs=7)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        work = Path(folder)
        os.environ["SLUICE_HOME"] = str(work / "home")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.chdir(work)
        return 0 if measure(work) else 1


if __name__ == "__main__":
    sys.exit(main())
