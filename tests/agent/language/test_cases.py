"""The behaviours under `tests/cases/compile`: a pipeline, and what it compiles to or what is wrong with it.

A folder holds `azure-pipelines.yml`, the files it includes (those of another repository under `@alias/`), perhaps
`given.txt` (`parameter NAME=VALUE`, `variable NAME=VALUE`), and `expected.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sluice.errors import PipelineError
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Job, Plan, Repository, Stage, Step, Text, Variable
from sluice.language.resources import stage_resources
from sluice.language.tasks import CONTAINERS, TaskCatalogue

FOLDER = Path(__file__).parents[2] / "cases" / "compile"
ENTRY = "azure-pipelines.yml"
CASES = sorted(path.parent for path in FOLDER.glob(f"*/{ENTRY}"))
CATALOGUE = TaskCatalogue()


class CaseFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, repository: Repository, path: str) -> bytes:
        root = self._folder if repository.alias == "self" else self._folder / f"@{repository.alias}"
        return (root / path).read_bytes()


def given(folder: Path) -> tuple[dict[str, object], dict[str, str]]:
    parameters: dict[str, object] = {}
    variables: dict[str, str] = {}
    path = folder / "given.txt"
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        kind, _, assignment = line.partition(" ")
        name, _, value = assignment.partition("=")
        (parameters if kind == "parameter" else variables)[name] = value
    return parameters, variables


def outline(plan: Plan) -> Iterator[str]:
    if plan.run_name:
        yield f"name {plan.run_name}"
    yield from (f"parameter {name}={value!r}" for name, value in plan.parameters.items())
    yield from (f"extends {name}" for name in plan.extends)
    yield from variables_of(plan.variables, "")
    for stage in plan.stages:
        yield from stage_lines(plan, stage)
    yield from (f"note {note}" for note in plan.notes)


def variables_of(variables: tuple[Variable, ...], indent: str) -> Iterator[str]:
    for each in variables:
        kind = "group" if each.group else "readonly variable" if each.readonly else "variable"
        yield f"{indent}{kind} {each.name}" + ("" if each.group else f"={str(each.value)!r}")


def stage_lines(plan: Plan, stage: Stage) -> Iterator[str]:
    settings = described(lock=stage.lock_behavior, manual=stage.manual, cannot_be_skipped=not stage.skippable)
    yield f"stage {stage.name}" + unit(stage.name, stage.display_name, stage.depends_on, stage.condition) + settings
    yield from variables_of(stage.variables, "  ")
    for job in stage.jobs:
        yield from job_lines(job)
    for use in stage_resources(plan, stage, CATALOGUE):
        state = " (known at run time)" if use.unresolved else ""
        source = f" by {use.job}.{use.step}".rstrip(".") if use.job else ""
        yield f"  uses {use.kind} {use.name}{state}{source}, {use.where}"


def unit(name: str, title: str, after: tuple[str, ...], condition: Text | None) -> str:
    text = f" {title!r}" if title != name else ""
    text += f" after {', '.join(after)}" if after else ""
    return text + (f" if {' '.join(str(condition).split())}" if condition else "")


def described(**settings: object) -> str:
    shown = [
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value}"
        for name, value in settings.items()
        if value
    ]
    return f" [{'; '.join(shown)}]" if shown else ""


def job_lines(job: Job) -> Iterator[str]:
    pool = job.pool
    place = "server" if pool and pool.server else (pool.name or pool.vm_image) if pool else ""
    settings = described(
        pool=place,
        demands=", ".join(pool.demands) if pool else "",
        container=getattr(job.container, "image", job.container),
        services=", ".join(
            f"{name}={each if isinstance(each, Text) else each.image}" for name, each in job.services.items()
        ),
        timeout=job.timeout_minutes,
        cancel=job.cancel_timeout_minutes,
        continue_on_error=job.continue_on_error,
        clean=job.workspace_clean,
    )
    kind = "deployment" if job.deployment else "job"
    yield f"  {kind} {job.name}" + unit(job.name, job.display_name, job.depends_on, job.condition) + settings
    yield from variables_of(job.variables, "    ")
    if job.strategy:
        yield from strategy_lines(job)
    yield from (line for step in job.steps for line in step_lines(step, "    "))
    if job.deployment:
        environment = job.deployment.environment
        where = f"{environment.name} {environment.resource_name}".strip() if environment else ""
        yield f"    {job.deployment.strategy} to {where}" + described(
            max_parallel=job.deployment.max_parallel, increments=", ".join(job.deployment.increments)
        )
        for hook in job.deployment.hooks:
            yield f"    {hook.name}" + described(pool=hook.pool.name if hook.pool else "")
            yield from (line for step in hook.steps for line in step_lines(step, "      "))


def strategy_lines(job: Job) -> Iterator[str]:
    assert job.strategy is not None
    matrix = job.strategy.matrix
    if isinstance(matrix, Mapping):
        for leg, values in matrix.items():
            yield f"    leg {leg}: " + ", ".join(f"{name}={text}" for name, text in values.items())
    yield "    strategy" + described(
        matrix=matrix if isinstance(matrix, Text) else None,
        parallel=job.strategy.parallel,
        max_parallel=job.strategy.max_parallel,
    )


def step_lines(step: Step, indent: str) -> Iterator[str]:
    if step.task.value == CONTAINERS:
        yield f"{indent}containers are started"
        return
    if step.implicit and "source" in step.inputs:
        yield f"{indent}download {step.inputs['source']}, as nobody said otherwise"
        return
    if step.implicit:
        yield f"{indent}checkout {step.inputs['repository']}, as nobody said otherwise"
        return
    target = step.target
    settings = described(
        continue_on_error=step.continue_on_error,
        timeout=step.timeout_minutes,
        retries=step.retry_count,
        target=target.container if target else "",
        restricted=bool(target and target.restricted),
        settable=", ".join(target.settable) or "none" if target and target.settable is not None else "",
    )
    condition = f" if {' '.join(str(step.condition).split())}" if step.condition else ""
    yield f"{indent}{step.task} {step.name} {step.display_name!r}{condition}{settings}"
    yield from (f"{indent}  {name}: {str(text)!r}" for name, text in step.inputs.items())
    yield from (f"{indent}  env {name}: {str(text)!r}" for name, text in step.env.items())


def result_of(folder: Path) -> str:
    parameters, variables = given(folder)
    content = (folder / ENTRY).read_bytes()
    try:
        plan = compile_pipeline(
            ENTRY,
            content,
            files=CaseFolder(folder),
            parameters=parameters,
            predefined=variables,
            catalogue=CATALOGUE,
        )
    except PipelineError as error:
        return f"{error}\n"
    return "".join(f"{line}\n" for line in outline(plan))


@pytest.mark.parametrize("folder", CASES, ids=[folder.name for folder in CASES])
def test_the_behaviour_is_as_expected(folder: Path) -> None:
    assert result_of(folder) == (folder / "expected.txt").read_text("utf-8")
