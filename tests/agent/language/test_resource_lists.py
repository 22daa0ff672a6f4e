from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.language.plan import Plan

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]
STEPS = "\nsteps: [{script: x}]\n"


def test_resources_of_every_kind_are_kept(compiled: Compiled) -> None:
    plan = compiled("""
        resources:
          repositories:
          - repository: tools
            type: github
            name: a/b
            ref: refs/heads/x
            endpoint: gh
            trigger: none
            checkoutOptions: {fetchDepth: 1}
          pipelines:
          - {pipeline: up, source: Up, trigger: {branches: {include: [main]}, stages: [a]}}
          builds:
          - {build: j, type: Jenkins, connection: jenkins, source: Job}
          containers:
          - {container: box, image: 'reg/box:1', endpoint: reg, env: {A: b}, ports: ['80:80'], volumes: [v], options: -x}
          - {container: acr, type: ACR, azureSubscription: sub, resourceGroup: g, registry: r, repository: app}
          packages:
          - {package: p, type: npm, connection: gh, name: o/p}
          webhooks:
          - {webhook: w, connection: hook, filters: [{path: a, value: b}]}
        steps: [{script: x}]
        """)
    (repository,) = plan.repositories
    assert (repository.alias, repository.type, repository.name, str(repository.endpoint)) == (
        "tools",
        "github",
        "a/b",
        "gh",
    )
    assert repository.checkout_options == {"fetchDepth": "1"}
    box, acr = plan.containers
    assert (str(box.image), str(box.endpoint), box.ports, box.volumes) == ("reg/box:1", "reg", ("80:80",), ("v",))
    assert str(box.properties["options"]) == "-x"
    assert (str(acr.image), str(acr.endpoint), acr.type) == ("r.azurecr.io/app", "sub", "ACR")
    assert [(each.kind, each.alias, str(each.connection)) for each in plan.resources] == [
        ("pipeline", "up", "None"),
        ("build", "j", "jenkins"),
        ("package", "p", "gh"),
        ("webhook", "w", "hook"),
    ]
    assert plan.resources[0].properties["trigger"] == {"branches": {"include": ["main"]}, "stages": ["a"]}


def test_the_old_form_is_read(compiled: Compiled) -> None:
    plan = compiled("resources: [{repo: self, clean: true}]" + STEPS)
    assert plan.repositories[0].checkout_options == {"clean": "true"}


def test_triggers_are_kept_and_noted(compiled: Compiled) -> None:
    plan = compiled("""
        trigger: {batch: true, branches: [main], paths: {exclude: [docs]}}
        pr: none
        schedules: [{cron: '0 0 * * *', branches: {include: [main]}, always: true}]
        steps: [{script: x}]
        """)
    assert plan.triggers == {
        "trigger": {"batch": True, "branches": ["main"], "paths": {"exclude": ["docs"]}},
        "pr": "none",
        "schedules": [{"cron": "0 0 * * *", "branches": {"include": ["main"]}, "always": True}],
    }
    assert len(plan.notes) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resources: {repositories: [{name: a}]}", "a repository needs 'repository'"),
        ("resources: {repositories: [{repository: a b}]}", "'a b' is no alias"),
        ("resources: {repositories: [{repository: a, type: tfvc}]}", "'type' cannot be 'tfvc'"),
        ("resources: {repositories: [{repository: a, ref: $(x)}]}", "'ref' of a repository is read when"),
        ("resources: {repositories: [{repository: a}, {repository: A}]}", "a repository 'A' exists already"),
        ("resources: {pipelines: [{pipeline: self}]}", "the alias 'self' is reserved"),
        ("resources: {pipelines: [{pipeline: a, trigger: {branch: x}}]}", "unknown key 'branch' of a pipeline trigger"),
        ("resources: {containers: [{container: a}]}", "a container needs 'image'"),
        ("resources: {containers: [{container: a, type: ACR}]}", "a container needs 'azureSubscription'"),
        (
            "resources: {containers: [{container: a, image: b, mountReadOnly: {work: x}}]}",
            "'work' has to be true or false",
        ),
        ("resources: {packages: [{package: a}]}", "a package needs 'connection'"),
        ("resources: {webhooks: [{webhook: a, connection: b, filters: [{path: c}]}]}", "a filter needs 'value'"),
        ("resources: {boxes: []}", "unknown key 'boxes' of 'resources'"),
        ("trigger: {branchs: [a]}", "unknown key 'branchs' of a trigger (did you mean 'branches'?)"),
        ("pr: {drafts: maybe}", "'drafts' has to be true or false, not 'maybe'"),
        ("schedules: [{branches: [a]}]", "a schedule needs 'cron'"),
        ("trigger: ['${{ x }}']", "triggers are read before anything is expanded"),
    ],
)
def test_a_wrong_resource_or_trigger_is_told(problems: Problems, text: str, message: str) -> None:
    assert any(message in line for line in problems(text + STEPS))
