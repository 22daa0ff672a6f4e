"""`sluice pipeline delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

ENTERED = ("--type", "ssh", "--set", "host=127.0.0.1", "--set", "username=u", "--secret-ref", "password=env:HOME")
NAMES = "{sshEndpoint: web, runOptions: inline, inline: 'true'}"
PIPELINE = f"steps: [{{checkout: none}}, {{script: echo hi}}, {{task: SSH@0, inputs: {NAMES}}}]"


def with_runs(sluice: Sluice) -> None:
    (sluice.folder / "release.yml").write_text(PIPELINE)
    sluice("project", "create", "shop")
    sluice("connection", "create", "web", *ENTERED, "--project", "shop")
    sluice("connection", "permit", "web", "--pipeline", "release.yml", "--project", "shop")
    sluice("pipeline", "variable", "set", "release", "--set", "region=north", "--project", "shop")
    sluice.run("run", "release.yml", "--non-interactive", "--project", "shop")


def test_a_pipeline_goes_with_its_runs_and_permits_and_what_is_recorded_stays(sluice: Sluice) -> None:
    with_runs(sluice)
    assert (sluice.home / "logs" / "1").is_dir()
    gone = sluice.json("pipeline", "delete", "release", "--yes", "--project", "shop")
    assert (gone["deleted"], gone["runs"], gone["permits"]) == (True, [1], 1)
    assert sluice.json("pipeline", "list", "--project", "shop") == []
    assert "there is no run 1" in sluice("runs", "show", "1", status=2)
    assert not (sluice.home / "logs" / "1").exists()
    (use,) = sluice.json("connection", "history", "web", "--project", "shop")
    assert use["task"] == "SSH@0"
    assert "the audit log is whole" in sluice("audit", "verify")


def test_its_file_is_a_new_pipeline_that_is_permitted_nothing(sluice: Sluice) -> None:
    with_runs(sluice)
    sluice("pipeline", "delete", "release", "--yes", "--project", "shop")
    sluice("run", "release.yml", "--non-interactive", "--project", "shop", status=4)
    assert [one["id"] for one in sluice.json("runs", "list", "--project", "shop")] == [2]


def test_a_pipeline_with_a_run_that_is_not_over_stays(sluice: Sluice) -> None:
    with_runs(sluice)
    sluice("connection", "revoke", "web", "--pipeline", "release", "--project", "shop")
    sluice("run", "release.yml", "--non-interactive", "--project", "shop", status=4)
    said = sluice("pipeline", "delete", "release", "--yes", "--project", "shop", status=2)
    assert "has runs that are not over: 2 (cancel them first: sluice cancel 2)" in said
    sluice("cancel", "2")
    assert "with 2 runs" in sluice("pipeline", "delete", "release", "--yes", "--project", "shop")


def test_a_project_whose_pipelines_are_gone_can_be_deleted(sluice: Sluice) -> None:
    with_runs(sluice)
    assert "it has" in sluice("project", "delete", "shop", "--yes", status=2)
    sluice("pipeline", "delete", "release", "--yes", "--project", "shop")
    sluice("connection", "delete", "web", "--yes", "--for-good", "--project", "shop")
    sluice("project", "delete", "shop", "--yes")
    assert [one["name"] for one in sluice.json("project", "list")] == ["default"]


def test_only_an_administrator_deletes_a_pipeline(sluice: Sluice) -> None:
    with_runs(sluice)
    sluice("user", "create", "ada")
    sluice("pipeline", "roles", "release", "--set", "ada=User", "--project", "shop")
    made = sluice.json("token", "create", "ada's", "--user", "ada", "--full-access")
    sluice.environment["SLUICE_TOKEN"] = made["token"]
    said = sluice("pipeline", "delete", "release", "--yes", "--project", "shop", status=1)
    assert "you may not delete the pipeline 'release'" in said
