"""What the conformance cases expect of a run; what they expect of a plan is tested with the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from sluice.language import macros
from sluice.language.compiler import compile_pipeline
from sluice.runs.identifiers import shown
from sluice.secret import Secret
from sluice.storage import counters, environments, permissions, tables

if TYPE_CHECKING:
    from tests.agent.conftest import CaseFiles
    from tests.agent.runs.conftest import Bench, Outcome

Case = Mapping[str, Any]

LATER = {
    "p131": "Sluice resolves a name that is known only at run time when the step starts, so the job starts",
    "p132": "as p131",
}
"""Cases that need what Sluice does not have yet, and where Sluice is different on purpose or follows the agent."""


def outputs(outcome: Outcome, job: str) -> dict[str, list[str]]:
    return {one.ref_name: outcome.output(one.id) for one in outcome.jobs(job) if one.id in outcome.dispatcher.events}


def check_output(outcome: Outcome, expected: Mapping[str, list[str]]) -> None:
    for job, lines in expected.items():
        assert [line for one in outputs(outcome, job).values() for line in one] == lines


def check_leg_output(outcome: Outcome, expected: Mapping[str, Mapping[str, list[str]]]) -> None:
    assert {job: outputs(outcome, job) for job in expected} == expected


def check_instance_output(outcome: Outcome, expected: Mapping[str, list[list[str]]]) -> None:
    assert {job: list(outputs(outcome, job).values()) for job in expected} == expected


def check_legs(outcome: Outcome, expected: Mapping[str, list[str]]) -> None:
    assert {job: [one.ref_name for one in outcome.jobs(job)] for job in expected} == expected


def check_instances(outcome: Outcome, expected: Mapping[str, int]) -> None:
    assert {job: len(outcome.jobs(job)) for job in expected} == expected


def check_max_running(outcome: Outcome, expected: Mapping[str, int]) -> None:
    for job, most in expected.items():
        names = {one.id for one in outcome.jobs(job)}
        running: set[str] = set()
        seen = 0
        for change in outcome.observer.changes:
            if change.id in names:
                (running.add if change.state == "inProgress" else running.discard)(change.id)
                seen = max(seen, len(running))
        assert seen == most


def check_results(outcome: Outcome, expected: Mapping[str, str]) -> None:
    found = outcome.results()
    assert {path: found.get(path) for path in expected} == expected


def check_run_result(outcome: Outcome, expected: str) -> None:
    assert outcome.run.result == expected


def started(outcome: Outcome, path: str) -> bool:
    units = [one for one in outcome.records if one.type in {"Phase", "Task"}]
    found = [one for one in units if shown(one.identifier) == path or shown(one.identifier).endswith(f".{path}")]
    assert found
    ids = {one.id for one in found}
    instances = [one for one in outcome.records if one.type == "Job" and one.parent_id in ids]
    return any(one.started_at is not None and one.result != "Skipped" for one in instances or found)


def check_ran(outcome: Outcome, expected: Sequence[str]) -> None:
    assert [path for path in expected if started(outcome, path)] == expected


def check_not_run(outcome: Outcome, expected: Sequence[str]) -> None:
    assert [path for path in expected if started(outcome, path)] == []


def check_script_after_macros(outcome: Outcome, expected: Mapping[str, list[str]]) -> None:
    for job, scripts in expected.items():
        log = "".join(text.decode() for _, text in outcome.observer.logged).splitlines()
        shown = [log[index + 1] for index, line in enumerate(log) if line == "Script contents:"]
        assert shown == scripts, job


def plain(values: Mapping[str, str | Secret]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def check_variables(outcome: Outcome, expected: Mapping[str, Mapping[str, str | None]]) -> None:
    for job, wanted in expected.items():
        ids = {one.id for one in outcome.jobs(job)}
        request = next(request for request in outcome.dispatcher.requests if request.id in ids)
        values = macros.resolve_all({one.name: one.value for one in request.variables}).values
        assert {name: values.get(name) for name in wanted} == wanted


def check_variables_after(outcome: Outcome, expected: Mapping[str, Mapping[str, str | None]]) -> None:
    for job, wanted in expected.items():
        after = plain(outcome.variables_after(outcome.jobs(job)[0].id))
        assert {name: after.get(name) for name in wanted} == wanted


def check_warnings_min(outcome: Outcome, expected: int) -> None:
    assert sum(record.warning_count for record in outcome.records) >= expected


def check_step_env(outcome: Outcome, expected: Mapping[str, list[Mapping[str, str]]]) -> None:
    for job, wanted in expected.items():
        ids = {one.id for one in outcome.jobs(job)}
        request = next(request for request in outcome.dispatcher.requests if request.id in ids)
        assert [dict(step.env) for step in request.steps if step.task != "Checkout@1"] == wanted


def check_step_display_names(outcome: Outcome, expected: Mapping[str, list[str]]) -> None:
    for job, wanted in expected.items():
        names = [
            one.name
            for one in outcome.records
            if one.type == "Task" and one.identifier.startswith(f"{job}.") and not one.ref_name.startswith("Checkout")
        ]
        assert names == wanted


def check_run_name(outcome: Outcome, expected: str) -> None:
    assert outcome.run.name == expected


CHECKS: dict[str, Callable[[Outcome, Any], None]] = {
    "output": check_output,
    "leg_output": check_leg_output,
    "instance_output": check_instance_output,
    "legs": check_legs,
    "instances": check_instances,
    "max_running": check_max_running,
    "results": check_results,
    "run_result": check_run_result,
    "ran": check_ran,
    "not_run": check_not_run,
    "script_after_macros": check_script_after_macros,
    "variables": check_variables,
    "variables_after": check_variables_after,
    "warnings_min": check_warnings_min,
    "step_env": check_step_env,
    "step_display_names": check_step_display_names,
    "run_name": check_run_name,
}


def prepare(bench: Bench, given: Mapping[str, Any]) -> None:
    """The pipeline as it stands: its counters, its earlier runs, the next run's id."""
    if "now" in given:
        bench.clock.now = datetime.fromisoformat(given["now"]).timestamp()
    name, project = given.get("pipeline", "demo"), given.get("project", "default")
    owner, pipeline = bench.pipeline(name, project)
    for group, variables in given.get("groups", {}).items():
        bench.group(group, variables, permit=name, project=project)
    secrets = {name: Secret(value) for name, value in given.get("ui_secrets", {}).items()}
    bench.orchestrator.settings.set(pipeline, given.get("ui_variables", {}), secrets, by="tester")
    with bench.database.write() as transaction:
        for environment, has in given.get("environments", {}).items():
            made = environments.create(transaction, owner, environment, by="tester", at=0.0)
            permissions.grant(transaction, environments.resource_of(made), pipeline.id, by="tester", at=0.0)
            for resource, kind in has.get("resources", {}).items():
                environments.add_resource(transaction, made, resource, kind, by="tester", at=0.0)
        for prefix, value in given.get("counters", {}).items():
            counters.next_value(transaction, pipeline.id, "counter", str(prefix), value)
        for name in given.get("earlier_run_names", []):
            rest, _, revision = name.rpartition(".") if "." in name else (name[:1], "", name[1:])
            dot = "." if "." in name else ""
            counters.next_value(transaction, pipeline.id, "revision", f"{rest}{dot}$(Rev:r)", int(revision))
        if "build_id" in given:
            transaction.execute(insert(tables.runs).values(_run_before(given["build_id"], owner.id, pipeline.id)))


def _run_before(build_id: int, project_id: int, pipeline_id: int) -> Mapping[str, Any]:
    """A run after which the next one gets the id."""
    texts = dict.fromkeys(("name", "plan", "result", "cancel_requested_by", "requested_by"), "")
    numbers = {"id": build_id - 1, "project_id": project_id, "pipeline_id": pipeline_id, "created_at": 0.0}
    return {**texts, **numbers, "state": "completed", "options": "{}"}


def test_the_case_runs_as_it_expects(request: pytest.FixtureRequest, bench: Bench, pipeline_case: Case) -> None:
    expected = pipeline_case["expect"]
    checks = expected.keys() & CHECKS.keys()
    if not checks or expected.get("error"):
        pytest.skip("the case expects nothing of a run")
    if reason := LATER.get(pipeline_case["id"]):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    given = pipeline_case.get("given", {})
    case_files: CaseFiles = request.getfixturevalue("case_files")
    plan = compile_pipeline(
        "azure-pipelines.yml",
        pipeline_case["yaml"],
        files=case_files,
        parameters=pipeline_case.get("parameters"),
        predefined=given.get("variables"),
    )
    prepare(bench, given)
    branch = given.get("variables", {}).get("Build.SourceBranch", "")
    run = bench.create(
        plan,
        name=given.get("pipeline", "demo"),
        project=given.get("project", "default"),
        variables=given.get("queue_variables", {}),
        source={"branch": branch},
    )
    outcome = bench.drive(run.id, cancel_at=given.get("cancel_while_running", ""))
    for check in sorted(checks):
        CHECKS[check](outcome, expected[check])
