"""What the conformance cases expect of a plan; what they expect of a run is tested with the orchestrator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from sluice.errors import PipelineError
from sluice.language.compiler import compile_pipeline
from sluice.language.macros import expand, resolve_all
from sluice.language.plan import Job, Plan, Stage, Step
from sluice.language.plan_json import decode, encode
from sluice.language.resources import stage_resources
from sluice.language.run_name import format_run_name
from sluice.language.tasks import TaskCatalogue

Case = Mapping[str, Any]
CATALOGUE = TaskCatalogue()
DEFAULT_MINUTES = {"timeoutInMinutes": "60", "cancelTimeoutInMinutes": "5"}


def jobs(plan: Plan) -> Iterator[tuple[Stage, Job]]:
    return ((stage, job) for stage in plan.stages for job in stage.jobs)


def job_of(plan: Plan, name: str) -> Job:
    return next(job for _, job in jobs(plan) if job.name == name)


def steps_of(job: Job) -> list[Step]:
    hooks = job.deployment.hooks if job.deployment else ()
    return [step for step in (*job.steps, *(step for hook in hooks for step in hook.steps)) if not step.implicit]


def canonical(step: Step) -> str:
    inputs = {name: text.value for name, text in step.inputs.items()}
    return inputs.get("script", step.task.value)


def texts(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in mapping.items()}


def check_stages(plan: Plan, expected: list[str]) -> None:
    assert [stage.name for stage in plan.stages] == expected


def check_stage_count(plan: Plan, expected: int) -> None:
    assert len(plan.stages) == expected


def check_jobs(plan: Plan, expected: list[str]) -> None:
    assert [job.name for _, job in jobs(plan)] == expected


def check_job_count(plan: Plan, expected: int) -> None:
    assert len(list(jobs(plan))) == expected


def check_depends_on(plan: Plan, expected: Mapping[str, list[str]]) -> None:
    units = {stage.name: stage.depends_on for stage in plan.stages} | {
        job.name: job.depends_on for _, job in jobs(plan)
    }
    assert {name: list(units[name]) for name in expected} == expected


def check_steps(plan: Plan, expected: Mapping[str, list[str]]) -> None:
    assert {name: [canonical(step) for step in steps_of(job_of(plan, name))] for name in expected} == expected


def check_steps_in_order(plan: Plan, expected: list[list[str]]) -> None:
    assert [[canonical(step) for step in steps_of(job)] for _, job in jobs(plan)] == expected


def check_step_tasks(plan: Plan, expected: Mapping[str, list[str]]) -> None:
    assert {name: [step.task.value for step in steps_of(job_of(plan, name))] for name in expected} == expected


def check_step_env(plan: Plan, expected: Mapping[str, list[Mapping[str, str]]]) -> None:
    found = {name: [texts(step.env) for step in steps_of(job_of(plan, name))] for name in expected}
    assert found == expected


def check_inputs(plan: Plan, expected: Mapping[str, list[Mapping[str, str]]]) -> None:
    found = {name: [texts(step.inputs) for step in steps_of(job_of(plan, name))] for name in expected}
    assert found == expected


def check_display_names(plan: Plan, expected: Mapping[str, str]) -> None:
    assert {name: job_of(plan, name).display_name for name in expected} == expected


def check_step_display_names(plan: Plan, expected: Mapping[str, list[str]]) -> None:
    for name, wanted in expected.items():
        values = variables_of(plan, name)
        found = [expand(step.display_name, resolve_all(values).values.get) for step in steps_of(job_of(plan, name))]
        assert found == wanted


def check_pool(plan: Plan, expected: Mapping[str, Mapping[str, str]]) -> None:
    for name, wanted in expected.items():
        pool = job_of(plan, name).pool
        assert pool is not None
        found = {"name": pool.name, "vmImage": pool.vm_image, "demands": ", ".join(pool.demands)}
        assert {key: value for key, value in found.items() if value} == wanted


def check_job_settings(plan: Plan, expected: Mapping[str, Mapping[str, int]]) -> None:
    for name, wanted in expected.items():
        job = job_of(plan, name)
        found = {"timeoutInMinutes": job.timeout_minutes, "cancelTimeoutInMinutes": job.cancel_timeout_minutes}
        for key, value in wanted.items():
            assert str(found[key] or DEFAULT_MINUTES[key]) == str(value)


def check_implicit_checkout(plan: Plan, expected: Mapping[str, bool]) -> None:
    assert {name: any(step.implicit for step in job_of(plan, name).steps) for name in expected} == expected


def check_resources(plan: Plan, expected: Mapping[str, list[str]]) -> None:
    assert [each.alias for each in plan.resources if each.kind == "pipeline"] == expected["pipelines"]


def check_authorize(plan: Plan, expected: Mapping[str, list[str]]) -> None:
    uses = [use for stage in plan.stages for use in stage_resources(plan, stage, CATALOGUE)]
    found = {
        "endpoints": [use.name for use in uses if use.kind == "endpoint" and not use.unresolved],
        "endpoints_unresolved": [use.name for use in uses if use.kind == "endpoint" and use.unresolved],
        "variable_groups": [use.name for use in uses if use.kind == "variablegroup"],
    }
    assert {key: names for key, names in found.items() if names} == expected


def variables_of(plan: Plan, name: str) -> dict[str, str]:
    stage, job = next((stage, job) for stage, job in jobs(plan) if job.name == name)
    found: dict[str, str] = {}
    for variable in (*plan.variables, *stage.variables, *job.variables):
        if not variable.group:
            found[variable.name] = variable.value.value
    return found


def check_variables(plan: Plan, expected: Mapping[str, Mapping[str, str | None]]) -> None:
    for name, wanted in expected.items():
        found = variables_of(plan, name)
        assert {key: found.get(key) for key in wanted} == wanted


CHECKS: dict[str, Callable[[Plan, Any], None]] = {
    "stages": check_stages,
    "stage_count": check_stage_count,
    "jobs": check_jobs,
    "job_count": check_job_count,
    "depends_on": check_depends_on,
    "steps": check_steps,
    "steps_in_order": check_steps_in_order,
    "step_tasks": check_step_tasks,
    "step_env": check_step_env,
    "inputs": check_inputs,
    "display_names": check_display_names,
    "step_display_names": check_step_display_names,
    "pool": check_pool,
    "job_settings": check_job_settings,
    "implicit_checkout": check_implicit_checkout,
    "resources": check_resources,
    "authorize": check_authorize,
    "variables": check_variables,
}
OF_A_RUN = {
    "error",
    "run_name",
    "variables_after",
    "output",
    "script_after_macros",
    "legs",
    "leg_output",
    "instances",
    "instance_output",
    "max_running",
    "results",
    "run_result",
    "ran",
    "not_run",
    "warnings_min",
}


def revision_of(earlier: list[str]) -> Callable[[str], int]:
    """One more than the last run had whose number is otherwise the same."""

    def next_revision(rest: str) -> int:
        before, after = rest.split("$(Rev:r)")
        pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
        return 1 + max((int(found.group(1)) for name in earlier if (found := pattern.fullmatch(name))), default=0)

    return next_revision


def check_run_number(case: Case, plan: Plan) -> None:
    given = case["given"]
    variables = {
        **given.get("variables", {}),
        "System.TeamProject": given["project"],
        "Build.DefinitionName": given["pipeline"],
        "Build.BuildId": str(given["build_id"]),
        **{variable.name: variable.value.value for variable in plan.variables},
    }
    now = datetime.fromisoformat(given["now"])
    name = format_run_name(plan.run_name, variables, now, revision_of(given.get("earlier_run_names", [])))
    assert name == case["expect"]["run_name"]


def test_the_case_compiles_to_what_it_expects(request: pytest.FixtureRequest, pipeline_case: Case) -> None:
    expected = pipeline_case["expect"]
    assert set(expected) <= set(CHECKS) | OF_A_RUN
    if expected.get("error"):
        with pytest.raises(PipelineError) as refused:
            request.getfixturevalue("case_plan")
        assert all(problem.where is not None and problem.where.line for problem in refused.value.problems)
        return
    plan = request.getfixturevalue("case_plan")
    for key in expected.keys() & CHECKS.keys():
        CHECKS[key](plan, expected[key])
    if "run_name" in expected:
        check_run_number(pipeline_case, plan)
    assert decode(encode(plan)) == plan


def test_a_case_is_compiled_without_reading_the_catalogue_for_scripts_alone() -> None:
    catalogue = TaskCatalogue()
    compile_pipeline("a.yml", "steps:\n- script: a\n- bash: b\n- pwsh: c\n- checkout: self\n", catalogue=catalogue)
    assert "_built_in" not in vars(catalogue)
