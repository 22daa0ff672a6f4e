"""Compiling a pipeline of 10,000 steps, against PyYAML's C loader on the same text: `python benchmarks/compile.py`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import yaml
from measure import Goal, compare

from sluice.language.compiler import compile_pipeline

STAGES, JOBS, STEPS = 10, 20, 50


def pipeline() -> str:
    """Some 1.4 MB: scripts with environments, shells with conditions, tasks with inputs."""
    text = ["trigger: [main]\nvariables: {config: Release}\nstages:\n"]
    for stage in range(STAGES):
        text.append(f"- stage: Stage{stage}\n  displayName: Stage {stage}\n  jobs:\n")
        for job in range(JOBS):
            text.append(
                f"  - job: Job{job}\n    displayName: Job {job}\n    pool:\n      vmImage: ubuntu-latest\n    steps:\n"
            )
            text.extend(_step(number, job) for number in range(STEPS))
    return "".join(text)


def _step(number: int, job: int) -> str:
    if number % 10 == 9:
        inputs = f"        contents: '**/*.txt'\n        targetFolder: $(Build.ArtifactStagingDirectory)/{number}\n"
        return f"    - task: CopyFiles@2\n      displayName: Copy {number}\n      inputs:\n{inputs}"
    if number % 10 == 5:
        script = f"        echo first line of {number}\n        echo second line $(config)\n"
        return f"    - bash: |\n{script}      displayName: Shell {number}\n      condition: succeeded()\n"
    env = f'        NUMBER: "{number}"\n        CONFIG: $(config)\n'
    return f"    - script: echo step {number} of job {job}\n      displayName: Step {number}\n      env:\n{env}"


def _seconds(work: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return measure


def main() -> int:
    text = pipeline()
    met = compare(
        Goal(name="G10", what=f"a plan of {STAGES * JOBS * STEPS:,} steps", must=750, moonshot=350),
        _seconds(lambda: compile_pipeline("azure-pipelines.yml", text)),
        _seconds(lambda: yaml.load(text, yaml.CSafeLoader)),
        "CSafeLoader.load",
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
