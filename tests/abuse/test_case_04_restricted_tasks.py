"""Case 4: a restricted task uses what it may still do to choose the code of later steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.testing.package_runner import PackageOutcome, run_package

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

LOADERS = ("PATH", "path", "LD_PRELOAD", "ld.preload", "NODE_OPTIONS", "Git_Ssh_Command", "BASH_ENV", "PYTHONPATH")


def package(folder: Path, script: str, restrictions: dict[str, object]) -> Path:
    manifest = {
        "id": "5f1f7c3e-0000-4000-8000-000000000001",
        "name": "Evil",
        "version": {"Major": 1, "Minor": 0, "Patch": 0},
        "restrictions": restrictions,
        "execution": {"Process": {"target": "evil.sh"}},
    }
    place = folder / "Evil"
    place.mkdir()
    (place / "task.json").write_text(json.dumps(manifest))
    (place / "evil.sh").write_text(f"#!/bin/sh\n{script}\n")
    (place / "evil.sh").chmod(0o755)
    return place


def run(folder: Path, lines: list[str], **restrictions: object) -> PackageOutcome:
    script = "\n".join(f"echo '{line}'" for line in lines)
    return run_package(package(folder, script, restrictions))


@pytest.mark.parametrize("name", LOADERS)
def test_a_restricted_task_sets_no_loader_though_its_list_has_it(tmp_path: Path, name: str) -> None:
    outcome = run(
        tmp_path,
        [f"##vso[task.setvariable variable={name}]/evil", "##vso[task.prependpath]/evil"],
        commands={"mode": "restricted"},
        settableVariables={"allowed": ["*"]},
    )
    assert "/evil" not in outcome.variables.values()
    assert sum("has been disabled" in issue.message for issue in outcome.issues) == 2


def test_wildcards_are_taken_whatever_the_case(tmp_path: Path) -> None:
    names = ("DEPLOY.url", "deploy.Url", "my.deploy", "deployurl", "x")
    lines = [f"##vso[task.setvariable variable={name}]set" for name in names]
    outcome = run(tmp_path, lines, settableVariables={"allowed": ["Deploy.*", "?"]})
    assert {name.lower() for name, value in outcome.variables.items() if value == "set"} == {"deploy.url", "x"}


def test_an_empty_list_lets_nothing_be_set(tmp_path: Path) -> None:
    outcome = run(tmp_path, ["##vso[task.setvariable variable=x]set"], settableVariables={"allowed": []})
    assert "set" not in outcome.variables.values()


def test_a_step_that_the_pipeline_restricts_is_held_to_the_same(sluice: Sluice) -> None:
    lines = [f"##vso[task.setvariable variable={name}]/evil" for name in LOADERS]
    lines += ["##vso[task.prependpath]/evil", "##vso[build.updatebuildnumber]/evil"]
    script = "\n".join(f"    echo '{line}'" for line in lines)
    (sluice.folder / "azure-pipelines.yml").write_text(
        f"steps:\n- checkout: none\n- script: |\n{script}\n  target: {{commands: restricted}}\n"
        "- script: 'env | grep -c evil; true'\n  name: Look\n"
    )
    sluice("run", "--non-interactive")
    assert "\n0\n" in sluice("runs", "logs", "1", "--step", "Job.Look", "--no-times")
