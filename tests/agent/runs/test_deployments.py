"""What deployment jobs run, and what an environment has to have for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import PipelineError
from sluice.runs.deployments import batch_size
from sluice.runs.retrying import retry
from sluice.storage import environments, permissions

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench


def farm(bench: Bench, *machines: str, permit: bool = True) -> environments.Environment:
    project, pipeline = bench.pipeline("demo")
    with bench.database.write() as transaction:
        made = environments.create(transaction, project, "farm", by="tester", at=0.0)
        if permit:
            resource = environments.resource_of(made)
            permissions.grant(transaction, resource, pipeline.id, by="tester", at=0.0)
        for name in machines:
            environments.add_resource(transaction, made, name, "VirtualMachine", by="tester", at=0.0)
    return made


def deployment(strategy: str, environment: str = "{name: farm, resourceType: VirtualMachine}") -> str:
    return f"jobs:\n- deployment: D\n  environment: {environment}\n  strategy:\n    {strategy}\n"


@pytest.mark.parametrize(
    ("text", "count", "size"),
    [
        ("", 4, 4),
        ("2", 4, 2),
        ("9", 4, 4),
        ("50%", 4, 2),
        ("10%", 4, 1),
        ("100%", 3, 3),
        ("250%", 3, 3),
        (" 34 % ", 3, 1),
    ],
)
def test_a_batch_is_a_number_or_a_part_of_the_machines(text: str, count: int, size: int) -> None:
    assert batch_size(text, count) == size


@pytest.mark.parametrize("text", ["0", "-1", "x", "%", "0%", "1.5"])
def test_a_batch_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number of machines"):
        batch_size(text, 4)


def test_each_hook_of_a_batch_is_over_before_the_next_starts(bench: Bench) -> None:
    farm(bench, "m1", "m2", "m3")
    hooks = "rolling: {maxParallel: 2, preDeploy: {steps: [{bash: echo}]}, deploy: {steps: [{bash: echo}]}}"
    outcome = bench.run_pipeline(deployment(hooks))
    order = [one.ref_name for one in outcome.jobs("D")]
    assert order == ["preDeploy_m1", "preDeploy_m2", "deploy_m1", "deploy_m2", "preDeploy_m3", "deploy_m3"]
    waves = [int(one.details["wave"]) for one in outcome.jobs("D")]
    assert waves == [1, 1, 2, 2, 3, 4]
    jobs = {one.id: int(one.details["wave"]) for one in outcome.jobs("D")}
    started = [jobs[one.id] for one in outcome.observer.changes if one.id in jobs and one.state == "inProgress"]
    assert started == sorted(started)


def test_a_rolling_deployment_runs_again_on_all_machines(bench: Bench) -> None:
    farm(bench, "m1", "m2")
    flag = bench.folder / "flag"
    step = f"test $(Environment.ResourceName) = m1 -o -e {flag}"
    run = bench.create(deployment(f"rolling: {{maxParallel: 1, deploy: {{steps: [{{bash: '{step}'}}]}}}}"))
    assert bench.drive(run.id).run.result == "Failed"
    flag.touch()
    retry(bench.orchestrator, run.id)
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Succeeded"
    assert [(one.ref_name, one.attempt, one.result) for one in outcome.jobs("D")] == [
        ("deploy_m1", 2, "Succeeded"),
        ("deploy_m2", 2, "Succeeded"),
    ]


def test_a_canary_goes_on_where_it_failed_and_keeps_its_increments(bench: Bench) -> None:
    flag = bench.folder / "flag"
    step = f"test $(Strategy.Increment) = 10 -o -e {flag}"
    text = deployment(f"canary: {{increments: [10, $(second)], deploy: {{steps: [{{bash: '{step}'}}]}}}}", "stage-a")
    run = bench.create(text, variables={"second": "40"})
    assert bench.drive(run.id).run.result == "Failed"
    flag.touch()
    retry(bench.orchestrator, run.id)
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Succeeded"
    assert [(one.ref_name, one.attempt) for one in outcome.jobs("D")] == [("deploy_10", 1), ("deploy_40", 2)]


@pytest.mark.parametrize("increment", ["0", "101", "x", "$(nothing)"])
def test_an_increment_that_makes_no_sense_fails_the_job(bench: Bench, increment: str) -> None:
    text = deployment("canary: {increments: [$(i)], deploy: {steps: [{bash: echo}]}}", "e")
    outcome = bench.run_pipeline(text, variables={"i": increment})
    assert outcome.run.result == "Failed"
    assert any("an increment is a percentage" in record.message for record in outcome.records)


def test_a_missing_environment_is_made_and_permitted_for_the_pipeline_that_named_it(bench: Bench) -> None:
    outcome = bench.run_pipeline(deployment("runOnce: {deploy: {steps: [{bash: 'echo $(Environment.Name)'}]}}", "New"))
    assert outcome.output(outcome.jobs("D")[0].id) == ["New"]
    with bench.database.read() as transaction:
        made = environments.find(transaction, 1, "new")
        assert made is not None
        (permit,) = permissions.of_resource(transaction, environments.resource_of(made))
        (deployed,) = environments.history(transaction, made)
    assert permit.pipeline_id == bench.pipeline("demo")[1].id
    assert (deployed.job, deployed.result, deployed.run_id) == ("D", "Succeeded", outcome.run.id)


def test_a_run_waits_for_an_environment_that_it_may_not_use(bench: Bench) -> None:
    farm(bench, "m1", permit=False)
    run = bench.create(deployment("runOnce: {deploy: {steps: [{bash: echo}]}}", "farm.m1"))
    bench.drive(run.id)
    (asked,) = bench.requests(run.id, "running")
    assert (asked.resource_type, asked.resource_name) == ("environment", "farm")
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ("farm.m9", "the environment 'farm' has no resource 'm9'"),
        ("$(late)", "has to be known when the run is created"),
        ("{name: farm, resourceType: VirtualMachine, tags: [web]}", "has no virtual machines with the tags web"),
    ],
)
def test_what_an_environment_lacks_is_told_before_there_is_a_run(bench: Bench, environment: str, problem: str) -> None:
    farm(bench, "m1")
    with pytest.raises(PipelineError, match=problem):
        bench.create(deployment("runOnce: {deploy: {steps: [{bash: echo}]}}", environment))


def test_a_name_may_use_variables_of_the_root(bench: Bench) -> None:
    farm(bench, "m1")
    text = "variables: {where: farm}\n" + deployment("runOnce: {deploy: {steps: [{bash: echo}]}}", "$(where)")
    assert bench.run_pipeline(text).run.result == "Succeeded"
