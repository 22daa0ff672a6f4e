from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.language.plan import Plan
from sluice.language.resources import ResourceUse, group_name, stage_resources
from sluice.language.tasks import TaskCatalogue

Compiled = Callable[..., Plan]


def uses_of(plan: Plan, variables: Mapping[str, str] | None = None) -> list[ResourceUse]:
    catalogue = TaskCatalogue()
    return [use for stage in plan.stages for use in stage_resources(plan, stage, catalogue, variables)]


def test_the_connection_of_a_task_is_found_with_its_place(compiled: Compiled) -> None:
    plan = compiled("""
        jobs:
        - job: J
          steps:
          - task: AzureCLI@2
            name: cli
            inputs:
              azureSubscription: prod
              scriptType: bash
        """)
    (use,) = uses_of(plan)
    assert (use.kind, use.name, use.unresolved) == ("endpoint", "prod", False)
    assert (use.type, use.job, use.step) == ("AzureRM", "J", "cli")
    assert (use.input, use.written, str(use.where)) == ("connectedServiceNameARM", "azureSubscription", "a.yml:8:26")


def test_an_empty_input_names_nothing_and_a_list_names_several(compiled: Compiled) -> None:
    plan = compiled("""
        steps:
        - {task: AzureCLI@2, inputs: {azureSubscription: ''}}
        - {task: NuGetAuthenticate@1, inputs: {nuGetServiceConnections: 'a, b,'}}
        """)
    assert [use.name for use in uses_of(plan)] == ["a", "b"]


def test_macros_of_root_variables_are_replaced_and_others_stay_marked(compiled: Compiled) -> None:
    plan = compiled("""
        variables: {env: prod, name: $(env)-arm, later: '$[ 1 ]'}
        jobs:
        - job: J
          variables: {mine: x}
          steps:
          - {task: AzureCLI@2, inputs: {azureSubscription: $(NAME)}}
          - {task: AzureCLI@2, inputs: {azureSubscription: $(mine)}}
          - {task: AzureCLI@2, inputs: {azureSubscription: $(later)}}
          - {task: AzureCLI@2, inputs: {azureSubscription: $(queued)}}
        """)
    found = [(use.name, use.unresolved) for use in uses_of(plan, {"queued": "q", "env": "other"})]
    assert found == [("prod-arm", False), ("$(mine)", True), ("$(later)", True), ("q", False)]


def test_everything_else_a_stage_uses_is_found(compiled: Compiled) -> None:
    plan = compiled("""
        resources:
          repositories: [{repository: tools, type: github, name: a/b, endpoint: gh}]
          containers:
          - {container: box, image: i, endpoint: reg}
          - {container: acr, type: ACR, azureSubscription: sub, registry: r, repository: x}
          webhooks: [{webhook: w, connection: hook}]
        variables: [{group: root}]
        stages:
        - stage: A
          variables: [{group: stage}]
          pool: lab
          jobs:
          - job: J
            variables: [{group: job}]
            container: box
            services: {x: acr}
            uses: {pools: other, repositories: tools}
            steps:
            - checkout: tools
            - {task: DownloadSecureFile@1, inputs: {secureFile: cert.pem}}
        - stage: B
          jobs:
          - deployment: D
            environment: prod.vm
            pool: server
            strategy: {runOnce: {deploy: {steps: [{task: SSH@0, inputs: {sshEndpoint: host}}]}}}
        """)
    catalogue = TaskCatalogue()
    found = {stage.name: stage_resources(plan, stage, catalogue) for stage in plan.stages}
    assert [(use.kind, use.name) for use in found["A"]] == [
        ("variablegroup", "root"),
        ("endpoint", "hook"),
        ("variablegroup", "stage"),
        ("variablegroup", "job"),
        ("queue", "lab"),
        ("queue", "other"),
        ("repository", "a/b"),
        ("endpoint", "gh"),
        ("endpoint", "reg"),
        ("endpoint", "sub"),
        ("repository", "a/b"),
        ("endpoint", "gh"),
        ("securefile", "cert.pem"),
    ]
    assert [(use.kind, use.name) for use in found["B"]] == [
        ("variablegroup", "root"),
        ("endpoint", "hook"),
        ("environment", "prod"),
        ("endpoint", "host"),
    ]
    types = {use.name: use.type for uses in found.values() for use in uses}
    assert (types["gh"], types["reg"], types["sub"], types["host"]) == ("github", "dockerregistry", "azurerm", "ssh")


def test_a_repository_that_templates_come_from_is_needed_by_every_stage(compiled: Compiled) -> None:
    plan = compiled(
        """
        resources: {repositories: [{repository: t, type: github, name: a/t, endpoint: gh}]}
        steps: [{template: x.yml@t}]
        """,
        {"x.yml@t": "steps: [{script: x}]"},
    )
    assert [(use.kind, use.name, use.job) for use in uses_of(plan)] == [
        ("repository", "a/t", ""),
        ("endpoint", "gh", ""),
    ]


def test_the_name_of_a_variable_group_is_the_one_that_its_checkpoint_asks_for(compiled: Compiled) -> None:
    plan = compiled("""
        variables:
        - {name: env, value: prod}
        - {name: later, value: "$[ 1 ]"}
        - group: $(env)-settings
        - group: $(later)
        - group: plain
        steps: [{script: x}]
        """)
    names = [group_name(plan, variable) for variable in plan.variables if variable.group]
    assert names == ["prod-settings", "$(later)", "plain"]
    assert names == [use.name for use in uses_of(plan) if use.kind == "variablegroup"]
