"""`sluice pool`, and agent pools among what a pipeline needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

PIPELINE = """
stages:
- stage: A
  pool: default
  jobs: [{job: J, steps: [{checkout: none}, {script: echo from A}]}]
- stage: B
  pool: {name: builders}
  jobs: [{job: J, steps: [{checkout: none}, {script: echo from B}]}]
"""


@pytest.fixture
def naming(sluice: Sluice) -> Sluice:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    return sluice


def waiting(sluice: Sluice, run: str = "1") -> list[tuple[str, str]]:
    return [(one["resourceType"], one["name"]) for one in sluice.json("runs", "show", run)["waitingFor"]]


def test_a_pool_that_nobody_made_is_not_asked_for_and_the_default_one_is_open(naming: Sluice) -> None:
    assert "not-asked: there is no pool of that name" in naming("explain")
    assert "from B" in naming("run", "--non-interactive")
    pools = {one["name"]: one["pipelines"] for one in naming.json("pool", "list")}
    assert pools == {"Azure Pipelines": ["all pipelines"], "Default": ["all pipelines"]}


def test_a_pool_that_was_made_is_asked_for_by_the_stage_that_names_it(naming: Sluice) -> None:
    naming("pool", "create", "Builders")
    assert "from B" not in naming("run", "--non-interactive", status=4)
    assert waiting(naming) == [("queue", "Builders")]
    naming("permit", "1", "--pool", "builders")
    assert "from B" in naming("resume", "1")
    used = naming.json("pool", "usages", "builders")["pipelines"]
    assert [(one["permitted"], one["uses"], len(one["named"])) for one in used] == [("yes", 1, 1)]


def test_the_default_pool_can_be_closed_but_not_deleted(naming: Sluice) -> None:
    assert "every project has the pool 'Default'" in naming("pool", "delete", "Default", "--yes", status=2)
    naming("pool", "revoke", "Default", "--all-pipelines")
    naming("run", "--non-interactive", status=4)
    assert waiting(naming) == [("queue", "Default")]


def test_a_permit_of_a_pool_is_limited_to_a_stage(naming: Sluice) -> None:
    naming("pool", "create", "builders")
    naming("pool", "permit", "builders", "--pipeline", "azure-pipelines.yml", "--stage", "A")
    said = naming.run("run", "--non-interactive").stdout
    assert "may use the agent pool 'builders' only within limits: stage 'B' is not one of 'A'" in said
    assert "--stage A --stage B" in said


def test_a_pool_has_roles_checks_and_a_place_in_the_file_of_permissions(naming: Sluice) -> None:
    naming("user", "create", "ada")
    naming("pool", "create", "builders", "--allow-all-pipelines")
    naming("pool", "roles", "builders", "--set", "ada=User")
    naming("check", "add", "approval", "--pool", "builders", "--approver", "ada")
    shown = naming.json("authorization", "show")["permissions"]
    builders = next(one for one in shown if one.get("pool") == "builders")
    assert builders == {"pool": "builders", "allPipelines": True, "pipelines": [], "roles": {"ada": "User"}}
    naming("run", "--non-interactive", status=4)
    assert waiting(naming) == [("approval", "agent pool builders")]
    (naming.folder / "permissions.yml").write_text("permissions: [{pool: builders, pipelines: []}]")
    assert "all pipelines" in naming("authorization", "apply", "--yes")
    naming("pool", "delete", "builders", "--yes")
    assert naming.json("check", "list") == []


def test_a_limit_to_tasks_is_for_connections_only(naming: Sluice) -> None:
    naming("pool", "create", "builders")
    text = "permissions: [{pool: builders, pipelines: [{pipeline: azure-pipelines.yml, tasks: [Bash@3]}]}]"
    (naming.folder / "permissions.yml").write_text(text)
    assert "only permits of service connections can be limited to tasks" in naming(
        "authorization", "apply", "--plan", status=2
    )


@pytest.mark.parametrize("name", ["server", "default", " ", "a\tb"])
def test_a_name_that_no_pool_can_have_is_refused(sluice: Sluice, name: str) -> None:
    sluice("pool", "create", name, status=2)


def test_a_project_with_its_standard_pools_alone_is_empty(sluice: Sluice) -> None:
    sluice("project", "create", "shop")
    assert len(sluice.json("pool", "list", "--project", "shop")) == 2
    sluice("project", "delete", "shop", "--yes")
    sluice("project", "create", "shop")
    sluice("pool", "create", "builders", "--project", "shop")
    assert "it has agent pools" in sluice("project", "delete", "shop", "--yes", status=2)


def test_a_check_can_be_on_the_default_pool_before_anything_ran(sluice: Sluice) -> None:
    sluice("check", "add", "exclusive-lock", "--pool", "Default")
    assert "agent pool 'Default'" in sluice("check", "list")
