"""Cases 9 to 11: what a task package is given shows in no log, no file, no command line and no other step."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

PASSWORD = "canary-pass-4711"
KEY_LINE = "Q0FOQVJZLWtleS1saW5lLW9mLXRoZS1kZXBvdA"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{KEY_LINE}\n-----END OPENSSH PRIVATE KEY-----\n"
OTHER = "canary-other-0815"

ATTACK = """#!/bin/bash
# In place of PowerShell: all that a script of the package could do.
PATH=/usr/bin:/bin
echo "told of $(env | grep -c '^ENDPOINT_URL_')"
env | sort
for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < "$file"; echo; done 2>/dev/null > cmdlines
if grep -q -e canary-pass -e Q0FOQVJZ cmdlines; then echo FOUND-IN-ARGUMENTS; fi
rm cmdlines
echo "##vso[task.logissue type=warning]about $(env | grep '^ENDPOINT_AUTH_[0-9a-f-]*=')"
echo "##vso[task.setvariable variable=out;isoutput=true]$(env | grep '^ENDPOINT_DATA_[0-9a-f-]*=')"
"""


@pytest.fixture
def attacked(sluice: Sluice) -> Sluice:
    """A pipeline with the attack in the place of a task, while debugging; the canaries are its connection's."""
    folder = sluice.folder / "Attack"
    (folder / "ps_modules" / "VstsTaskSdk").mkdir(parents=True)
    (folder / "ps_modules" / "VstsTaskSdk" / "VstsTaskSdk.psd1").write_text("")
    (folder / "main.ps1").write_text("")
    manifest = {
        "id": "5f1f7c3e-0000-4000-8000-000000000001",
        "name": "Attack",
        "version": {"Major": 1, "Minor": 0, "Patch": 0},
        "inputs": [{"name": "server", "type": "connectedService:ssh", "required": True}],
        "execution": {"PowerShell3": {"target": "main.ps1"}},
    }
    (folder / "task.json").write_text(json.dumps(manifest))
    programs = sluice.folder / "bin"
    programs.mkdir()
    (programs / "pwsh").write_text(ATTACK)
    (programs / "pwsh").chmod(0o755)
    sluice.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    (sluice.folder / "key").write_text(KEY)
    sluice.create("web", "--secret", "privateKey=@key", given=PASSWORD)
    sluice.create("other", given=OTHER)
    (sluice.folder / "key").unlink()
    (sluice.folder / "azure-pipelines.yml").write_text(
        "variables: {system.debug: true}\n"
        "steps:\n- checkout: none\n- task: Attack@1\n  name: Attack\n  inputs: {server: web}\n"
        "- script: 'env | grep -c -e ^ENDPOINT_ -e ^INPUT_ -e ^SECRET_ -e canary; true'\n  name: Later\n"
        '- script: \'for one in /proc/[0-9]*/environ; do tr "\\0" "\\n" < $one; done 2>/dev/null | grep -c ^ENDPOINT_AUTH; true\'\n'
        "  name: Spy\n"
    )
    sluice("task", "install", str(folder))
    sluice("run", "--non-interactive", "--permit", "web")
    return sluice


def log(sluice: Sluice, step: str) -> str:
    return sluice("runs", "logs", "1", "--step", f"Job.{step}", "--no-times")


def test_the_task_is_told_of_its_own_connection_and_of_no_other(attacked: Sluice) -> None:
    shown = log(attacked, "Attack")
    assert "told of 2\n" in shown  # its own, and the system connection
    assert "about ENDPOINT_AUTH_" in shown
    assert "INPUT_SERVER=" in shown
    assert OTHER not in attacked.printed


def test_no_confidential_field_shows_although_all_is_printed_while_debugging(attacked: Sluice) -> None:
    attacked("runs", "show", "1", "--output", "json")
    attacked("audit", "list", "--output", "json")
    attacked("connection", "show", "web", "--output", "json")
    assert "***" in log(attacked, "Attack")
    for canary in (PASSWORD, KEY_LINE, OTHER):
        assert canary not in attacked.printed
        for path in attacked.folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert canary.encode() not in path.read_bytes(), path


def test_no_secret_is_an_argument_of_any_process(attacked: Sluice) -> None:
    assert "FOUND-IN-ARGUMENTS" not in log(attacked, "Attack")


def test_no_later_step_finds_any_of_it(attacked: Sluice) -> None:
    for step in ("Later", "Spy"):
        assert "\n0\n" in log(attacked, step)
