"""What checks are told of a run's repositories, templates and images."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from sluice.authorization.checks.model import Covered, Suite
from sluice.hooks.checks import CheckedArtifact, CheckedResource, ExtendedTemplate, LinkedRepository
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan, Repository
from sluice.runs.check_facts import (
    RunSource,
    container_images,
    extended_templates,
    facts_of,
    full_ref,
    linked_repositories,
    source_of,
    variables_of,
)
from sluice.storage.projects import Project
from sluice.storage.runs import RunRow

OPTIONS: dict[str, Any] = {
    "branch": "refs/heads/main",
    "version": "c" * 40,
    "repositories": {"tools": {"commit": "d" * 40}},
    "variables": [
        ("Build.Repository.Name", "octo/app", True),
        ("Build.Repository.Provider", "GitHub", True),
    ],
}
RESOURCES = """
    resources:
      repositories:
      - {repository: tools, type: git, name: ops/tools, endpoint: git-main}
      - {repository: secure, type: github, name: octo/secure, ref: refs/tags/v1}
      pipelines:
      - {pipeline: build, source: app-build, branch: main}
"""


class OneTemplate:
    """Every template is the same, wherever it is asked for."""

    def read(self, repository: Repository, path: str) -> str:
        return "steps: [{script: a}]"


def plan_of(text: str) -> Plan:
    return compile_pipeline("a.yml", dedent(RESOURCES) + dedent(text), files=OneTemplate())


def test_the_source_of_a_run_is_read_from_what_is_stored_with_it() -> None:
    source = source_of(OPTIONS)
    assert (source.name, source.type, source.branch, source.commit) == (
        "octo/app",
        "github",
        "refs/heads/main",
        "c" * 40,
    )
    assert source_of({}) == RunSource()


def test_all_repositories_that_a_run_has_to_do_with_are_linked() -> None:
    plan = plan_of("steps: [{checkout: self}, {checkout: tools}, {checkout: 'git://ops/notes@refs/heads/topic'}]")
    assert linked_repositories(plan, source_of(OPTIONS)) == (
        LinkedRepository(alias="self", type="github", name="octo/app", branch="refs/heads/main", commit="c" * 40),
        LinkedRepository(
            alias="tools",
            type="git",
            name="ops/tools",
            branch="refs/heads/main",
            commit="d" * 40,
            endpoint="git-main",
        ),
        LinkedRepository(alias="secure", type="github", name="octo/secure", branch="refs/tags/v1"),
        LinkedRepository(
            alias="git://ops/notes@refs/heads/topic", type="git", name="ops/notes", branch="refs/heads/topic"
        ),
        LinkedRepository(alias="build", type="pipeline"),
    )


def test_of_a_folder_in_place_of_a_repository_nothing_is_known() -> None:
    source = RunSource(known={"secure": {"path": "/home/me/secure"}})
    plan = plan_of("extends: {template: base.yml@secure}")
    linked = {one.alias: one for one in linked_repositories(plan, source)}
    assert linked["secure"] == LinkedRepository(alias="secure", type="local", name="octo/secure")
    assert extended_templates(plan, source) == (
        ExtendedTemplate(repository_type="local", repository_name="", ref="", path="base.yml"),
    )


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("base.yml", ("github", "octo/app", "refs/heads/main", "base.yml")),
        ("/d/base.yml@secure", ("github", "octo/secure", "refs/tags/v1", "d/base.yml")),
        ("base.yml@tools", ("git", "ops/tools", "refs/heads/main", "base.yml")),
        ("base.yml@secure@self", ("github", "octo/app", "refs/heads/main", "base.yml@secure")),
    ],
)
def test_an_extended_template_is_where_it_was_read(template: str, place: tuple[str, str, str, str]) -> None:
    plan = plan_of(f"extends: {{template: '{template}'}}")
    kind, name, ref, path = place
    expected = ExtendedTemplate(repository_type=kind, repository_name=name, ref=ref, path=path)
    assert extended_templates(plan, source_of(OPTIONS)) == (expected,)


def test_a_pipeline_that_extends_nothing_has_no_templates() -> None:
    assert extended_templates(plan_of("steps: [{template: x.yml}]"), source_of(OPTIONS)) == ()


def test_images_are_those_of_resources_and_those_that_jobs_name() -> None:
    text = """
        resources: {containers: [{container: web, image: 'nginx:1.29'}]}
        jobs:
        - job: A
          container: web
          services: {db: 'postgres:17'}
          steps: [{script: a}]
        - job: B
          container: {image: 'acme.azurecr.io/app@sha256:ab'}
          steps: [{script: a}]
        - job: C
          container: 'debian:13'
          steps: [{script: a}]
    """
    plan = compile_pipeline("a.yml", dedent(text))
    assert container_images(plan) == (
        CheckedArtifact(alias="web", image="nginx:1.29", type="container"),
        CheckedArtifact(alias="", image="postgres:17", type="container"),
        CheckedArtifact(alias="", image="acme.azurecr.io/app@sha256:ab", type="container"),
        CheckedArtifact(alias="", image="debian:13", type="container"),
    )


@pytest.mark.parametrize(
    ("ref", "full"),
    [
        ("", "refs/heads/main"),
        ("topic/x", "refs/heads/topic/x"),
        ("refs/tags/v1", "refs/tags/v1"),
        (" main ", "refs/heads/main"),
    ],
)
def test_refs_are_full_names(ref: str, full: str) -> None:
    assert full_ref(ref) == full


def test_a_run_and_its_stage_are_told_as_they_are_stored() -> None:
    run = RunRow(
        id=7,
        project_id=1,
        pipeline_id=3,
        pipeline="release",
        name="20260105.1",
        state="inProgress",
        result="",
        cancel_requested_by="",
        requested_by="ada",
        created_at=0.0,
        options={
            **OPTIONS,
            "branch": "refs/pull/5/merge",
            "variables": [*OPTIONS["variables"], ("Build.Reason", "PullRequest", True), ("System.PlanId", "p1", True)],
        },
    )
    suite = Suite(
        id="s1",
        run_id=7,
        project_id=1,
        pipeline_id=3,
        stage="Deploy",
        attempt=2,
        created_at=0.0,
        resources=(Covered(kind="endpoint", id="d1", name="depot"),),
    )
    plan = plan_of("stages: [{stage: Deploy, displayName: To the shop, jobs: [{job: J, steps: [{bash: a}]}]}]")
    facts = facts_of(run, suite, plan, Project(1, "g1", "Shop"))
    assert (facts.project, facts.project_id, facts.pipeline, facts.pipeline_id) == ("Shop", "g1", "release", 3)
    assert (facts.run_id, facts.run_name, facts.plan_id, facts.requester) == (7, "20260105.1", "p1", "ada")
    assert (facts.reason, facts.branch, facts.untrusted) == ("PullRequest", "refs/pull/5/merge", True)
    assert (facts.stage, facts.stage_name, facts.attempt) == ("Deploy", "To the shop", 2)
    assert facts.resources == (CheckedResource(kind="endpoint", name="depot", id="d1"),)
    assert facts.repositories[0].branch == "refs/pull/5/merge"
    assert variables_of(run.options)["Build.Repository.Name"] == "octo/app"
