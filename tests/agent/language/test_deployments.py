from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.language.plan import Deployment, Job, Plan

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]


def job_of(plan: Plan) -> Job:
    return plan.stages[0].jobs[0]


def deployment_of(plan: Plan) -> Deployment:
    found = job_of(plan).deployment
    assert found is not None
    return found


def test_hooks_are_kept_in_the_order_in_which_they_run(compiled: Compiled) -> None:
    deployment = deployment_of(
        compiled("""
        jobs:
        - deployment: D
          environment: lab.vm1
          strategy:
            runOnce:
              on:
                success: {steps: [{script: won}]}
                failure: {steps: [{script: lost}]}
              deploy: {pool: other, steps: [{script: dep}]}
              preDeploy: {steps: [{script: pre}]}
        """)
    )
    assert [hook.name for hook in deployment.hooks] == ["preDeploy", "deploy", "on.success", "on.failure"]
    assert [[step.inputs["script"].value for step in hook.steps if not step.implicit] for hook in deployment.hooks] == [
        ["pre"],
        ["dep"],
        ["won"],
        ["lost"],
    ]
    assert deployment.hooks[1].pool is not None
    assert deployment.environment is not None
    assert (str(deployment.environment.name), deployment.environment.resource_name) == ("lab", "vm1")


def test_an_environment_may_be_a_mapping_or_a_macro(compiled: Compiled) -> None:
    text = (
        "jobs:\n- deployment: D\n  environment: {}\n  strategy: {{runOnce: {{deploy: {{steps: [{{script: x}}]}}}}}}\n"
    )
    mapping = "{name: lab, resourceName: r, resourceType: VirtualMachine, tags: [a, b]}"
    environment = deployment_of(compiled(text.format(mapping))).environment
    assert environment is not None
    assert (environment.resource_name, environment.resource_type, environment.tags) == (
        "r",
        "VirtualMachine",
        ("a", "b"),
    )
    environment = deployment_of(compiled(text.format("$(my.env)"))).environment
    assert environment is not None
    assert (str(environment.name), environment.resource_name) == ("$(my.env)", "")


def test_rolling_and_canary_have_their_settings(compiled: Compiled) -> None:
    text = "jobs:\n- deployment: D\n  environment: e\n  strategy: {%s, deploy: {steps: [{script: x}]}}}\n"
    rolling = deployment_of(compiled(text % "rolling: {maxParallel: 25%"))
    assert (rolling.strategy, str(rolling.max_parallel)) == ("rolling", "25%")
    canary = deployment_of(compiled(text % "canary: {increments: [10, 20]"))
    assert (canary.strategy, canary.increments) == ("canary", ("10", "20"))


def test_steps_of_hooks_may_come_from_templates_and_loops(compiled: Compiled) -> None:
    plan = compiled(
        """
        parameters: [{name: names, type: object, default: [a, b]}]
        jobs:
        - deployment: D
          environment: e
          strategy:
            runOnce:
              deploy:
                steps:
                - ${{ each name in parameters.names }}:
                  - template: t.yml
                    parameters: {name: '${{ name }}'}
        """,
        {"t.yml": "parameters: [{name: name, type: string}]\nsteps: [{script: 'echo ${{ parameters.name }}'}]\n"},
    )
    assert [step.inputs["script"].value for step in deployment_of(plan).hooks[0].steps[1:]] == ["echo a", "echo b"]


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("{deployment: d, environment: e}", "the deployment job 'd' needs 'strategy'"),
        ("{deployment: d, strategy: {runOnce: {deploy: {steps: []}}}}", "the deployment job 'd' needs 'environment'"),
        ("{deployment: d, environment: e, strategy: {}}", "is one of runOnce, rolling, canary"),
        ("{deployment: d, environment: e, strategy: {runOnce: {}}}", "'runOnce' has no hook with steps"),
        ("{deployment: d, environment: e, strategy: {runOnce: {deploi: {}}}}", "did you mean 'deploy'?"),
        ("{deployment: d, environment: e, strategy: {matrix: {}}}", "unknown key 'matrix' of a deployment strategy"),
        ("{deployment: d, environment: e, steps: []}", "a deployment job has its steps in"),
        ("{deployment: deploy, environment: e}", "'deploy' is a word of the language"),
        ("{deployment: d, environment: {resourceName: x}}", "an environment needs 'name'"),
        ("{deployment: d, environment: e, strategy: {canary: {increments: [200]}}}", "a percentage from 1 to 100"),
        ("{deployment: d, environment: e, strategy: {rolling: {maxParallel: x}}}", "a whole number or a percentage"),
    ],
)
def test_a_wrong_deployment_is_told(problems: Problems, job: str, message: str) -> None:
    assert any(message in line for line in problems(f"jobs:\n- {job}\n"))
