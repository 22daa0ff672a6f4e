"""`sluice repository`, and repositories of the project among what a pipeline needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

PIPELINE = """
resources: {repositories: [{repository: tools, type: git, name: Tools}]}
steps:
- template: steps.yml@tools
- checkout: tools
"""
GIVEN = ("--repository", "tools=tools")


@pytest.fixture
def using(sluice: Sluice) -> Sluice:
    (sluice.folder / "tools").mkdir()
    (sluice.folder / "tools" / "steps.yml").write_text("steps: [{script: echo from the template}]")
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    return sluice


def test_a_created_pipeline_is_permitted_the_repositories_that_it_names(using: Sluice) -> None:
    assert "Permitted: Repository 'Tools'" in using("pipeline", "create", "made", "azure-pipelines.yml", *GIVEN)
    assert using.json("repository", "list") == [{"name": "tools", "pipelines": ["made"]}]
    assert "from the template" in using("run", *GIVEN, "--non-interactive")


def test_one_that_is_created_without_grants_asks_before_templates_are_read(using: Sluice) -> None:
    said = using("pipeline", "create", "made", "azure-pipelines.yml", "--no-grant", *GIVEN, status=4)
    assert "sluice repository permit 'Tools' --pipeline" in said


def test_open_access_is_enough_and_is_taken_back(using: Sluice) -> None:
    using("repository", "permit", "tools", "--all-pipelines")
    assert "from the template" in using("run", *GIVEN, "--non-interactive")
    using("repository", "revoke", "tools", "--all-pipelines")
    using("run", *GIVEN, "--non-interactive", status=4)


def test_a_check_on_a_repository_is_asked_once_it_is_permitted(using: Sluice) -> None:
    using("user", "create", "ada")
    using("check", "add", "approval", "--repository", "TOOLS", "--approver", "ada")
    using("repository", "permit", "tools", "--pipeline", "azure-pipelines.yml")
    assert "repository 'tools'" in using("check", "list", "--repository", "tools") + using("check", "list")
    assert "checks before it is used: Approval (ada)" in using("explain", *GIVEN)
    using("run", *GIVEN, "--non-interactive", status=4)
    waiting = using.json("runs", "show", "1")["waitingFor"]
    assert [(one["resourceType"], one["name"]) for one in waiting] == [("approval", "repository Tools")]


def test_a_checkout_named_in_place_is_the_same_repository_and_one_elsewhere_is_not_asked_for(using: Sluice) -> None:
    (using.folder / "azure-pipelines.yml").write_text("steps: [{checkout: 'git://default/tools@main'}]")
    said = using("explain")
    assert "not-authorized" in said
    using("repository", "permit", "tools", "--pipeline", "azure-pipelines.yml")
    assert "nothing is missing" in using("explain")
    (using.folder / "azure-pipelines.yml").write_text("steps: [{checkout: 'github://octo/tools@main'}]")
    said = using("explain")
    assert "not-asked" in said
    assert "nothing is missing" in said


def test_a_folder_in_place_of_what_a_connection_opens_is_not_asked_for(using: Sluice) -> None:
    text = PIPELINE.replace("name: Tools", "name: Tools, endpoint: git-main")
    (using.folder / "azure-pipelines.yml").write_text(text)
    assert "from the template" in using("run", *GIVEN, "--non-interactive")


def test_a_checkout_that_is_known_only_at_run_time_needs_every_repository_that_it_may_mean(using: Sluice) -> None:
    text = PIPELINE.replace("- template: steps.yml@tools\n", "").replace("- checkout: tools", "- checkout: $(which)")
    (using.folder / "azure-pipelines.yml").write_text(f"variables: {{which: tools}}\n{text}")
    using("run", *GIVEN, "--non-interactive", status=4)
    assert [one["name"] for one in using.json("runs", "show", "1")["waitingFor"]] == ["Tools"]
