"""Case 22: a task package with other content than was installed, or a list that says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.runtime.packages.digest import digest_of

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

ID = "5f1f7c3e-0000-4000-8000-000000000001"
PIPELINE = """\
steps:
- checkout: none
- task: Greet@1
  inputs: {server: depot}
"""


def write(sluice: Sluice, script: str) -> str:
    """A task that uses a connection; its code is a shell script."""
    folder = sluice.folder / "Greet"
    folder.mkdir(exist_ok=True)
    manifest = {
        "id": ID,
        "name": "Greet",
        "version": {"Major": 1, "Minor": 2, "Patch": 3},
        "inputs": [{"name": "server", "type": "connectedService:ssh", "required": True}],
        "execution": {"Process": {"target": "greet.sh"}},
    }
    (folder / "task.json").write_text(json.dumps(manifest))
    (folder / "greet.sh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "greet.sh").chmod(0o755)
    return str(folder)


@pytest.fixture
def installed(sluice: Sluice) -> Sluice:
    sluice.create("depot")
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    sluice("task", "install", write(sluice, "echo genuine"))
    return sluice


def package(sluice: Sluice) -> Path:
    return sluice.home / "tasks" / f"Greet_{ID}" / "1.2.3"


def test_the_genuine_one_runs(installed: Sluice) -> None:
    assert "genuine" in installed("run", "--non-interactive", "--permit", "depot")


def test_changed_files_run_nothing(installed: Sluice) -> None:
    (package(installed) / "greet.sh").write_text("#!/bin/sh\necho evil\n")
    said = installed("run", "--non-interactive", "--permit", "depot", status=2)
    assert "was changed since it was installed" in said


@pytest.mark.parametrize("old", [False, True])
def test_changed_files_with_a_list_that_fits_them_run_nothing(installed: Sluice, old: bool) -> None:
    (package(installed) / "greet.sh").write_text("#!/bin/sh\necho evil\n")
    lock = installed.home / "tasks" / "lock.json"
    stored = json.loads(lock.read_text())
    stored["tasks"][0]["digest"] = digest_of(package(installed))
    if old:
        stored = {"version": 1, "tasks": stored["tasks"]}
    lock.write_text(json.dumps(stored))
    assert "list of installed tasks" in installed("run", "--non-interactive", "--permit", "depot", status=2)
    assert "evil" not in installed.printed


def test_other_content_of_one_version_voids_the_permits_of_the_pipelines_that_ran_it(installed: Sluice) -> None:
    installed("run", "--non-interactive", "--permit", "depot")
    installed("task", "remove", "Greet")
    installed("task", "install", write(installed, "echo another"))
    ended = installed.run("run", "--non-interactive")
    assert ended.returncode == 4
    assert "Greet@1.2.3 was installed with other content" in ended.stderr
    assert "another" not in ended.stdout
    # Permitted again, it stays so.
    installed("permit", "2")
    assert "another" in installed("resume", "2", "--non-interactive")
    assert "another" in installed("run", "--non-interactive")
    actions = [entry["actionId"] for entry in installed.json("audit", "list")]
    assert actions.count("Sluice.TaskInstalled") == 2
    assert "Pipelines.ResourceUnauthorizedForPipeline" in actions
    installed("audit", "verify")


def test_a_run_that_was_made_with_other_content_stops_before_any_secret_opens(installed: Sluice) -> None:
    installed("run", "--non-interactive", status=4)
    installed("task", "remove", "Greet")
    installed("task", "install", write(installed, "echo another"))
    installed("permit", "1")
    installed.run("resume", "1", "--non-interactive")
    shown = installed.json("runs", "show", "1")
    assert shown["result"] == "Failed"
    assert any("installed with other content since this run was made" in one["message"] for one in shown["records"])
    assert "another" not in installed.printed.replace("another way", "")
    actions = [entry["actionId"] for entry in installed.json("audit", "list")]
    assert "Library.ServiceConnectionExecuted" not in actions


def test_a_step_installs_no_task(installed: Sluice) -> None:
    installed.real = True
    evil = write(installed, "echo evil")
    command = f"sluice task remove Greet; sluice task install {evil}"
    (installed.folder / "evil.yml").write_text(
        "steps:\n- checkout: none\n"
        f"- script: |\n    export SLUICE_HOME={installed.home}\n    {command.replace('sluice', '$PYTHON -m sluice')}\n"
        f"  env: {{PYTHON: {__import__('sys').executable}}}\n"
    )
    ended = installed.run("run", "evil.yml", "--non-interactive")
    assert ended.returncode == 1
    assert "a step of a run may not decide" in ended.stdout
    assert [one["digest"] for one in installed.json("task", "list")] == [f"sha256:{digest_of(package(installed))}"]
    assert "Sluice.CommandRefused" in [entry["actionId"] for entry in installed.json("audit", "list")]
