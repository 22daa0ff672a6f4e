"""Checks from the command line where processes and people matter: killed while waiting, roles, tokens, terminals."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

PIPELINE = """
jobs:
- deployment: Web
  environment: production
  strategy: {runOnce: {deploy: {steps: [{bash: echo deployed it}]}}}
"""
ON = ("--environment", "production")


@pytest.fixture
def here(sluice: Sluice) -> Sluice:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    sluice("environment", "create", "production", "--allow-all-pipelines")
    return sluice


def approval(here: Sluice, approver: str = "Project Administrators") -> None:
    here("check", "add", "approval", *ON, "--approver", approver)


def by(here: Sluice, token: str, *arguments: str, status: int = 0) -> str:
    here.environment["SLUICE_TOKEN"] = token
    try:
        return here(*arguments, status=status)
    finally:
        del here.environment["SLUICE_TOKEN"]


def token(here: Sluice, user: str, *scopes: str) -> str:
    options = [option for scope in scopes for option in ("--scope", scope)] or ["--full-access"]
    made = here.json("token", "create", f"{user} {len(scopes)}", "--user", user, *options)
    assert isinstance(made["token"], str)
    return made["token"]


def test_a_run_that_is_killed_while_it_waits_goes_on_from_the_approval(here: Sluice) -> None:
    approval(here)
    waiting = subprocess.Popen(
        [sys.executable, "-m", "sluice", "run"],
        cwd=here.folder,
        env=here.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    assert any("sluice approve 1" in line for line in waiting.stdout)
    waiting.send_signal(signal.SIGKILL)
    waiting.communicate()
    here("approve", "1")
    assert "deployed it" in here("resume", "1")


def test_an_approver_at_the_terminal_is_asked_there(here: Sluice) -> None:
    approval(here)
    status, shown = here.on_a_terminal(["run"], [("[w]ait: ", "a"), ("Approve? [y/N]: ", "y")])
    assert status == 0
    assert "deployed it" in shown


def test_who_is_no_administrator_neither_adds_checks_nor_bypasses_them(here: Sluice) -> None:
    for name in ("alice", "bob"):
        here("user", "create", name)
    here("environment", "roles", "production", "--set", "bob=User")
    bob, alice = token(here, "bob"), token(here, "alice")
    approval(here, "alice")
    assert "Administrator" in by(here, bob, "check", "add", "exclusive-lock", *ON, status=1)
    here("run", "--non-interactive", status=4)
    assert "bob is no approver" in by(here, bob, "approve", "1", status=1)
    by(here, bob, "check", "bypass", "1", "production", status=1)
    by(here, bob, "check", "disable", "1", status=1)
    assert "production" in by(here, alice, "approvals")
    assert "No approval" in by(here, bob, "approvals")
    by(here, alice, "approve", "1", "--comment", "fine")
    assert "deployed it" in here("resume", "1")
    assert "approved by alice" in here("runs", "show", "1")


def test_a_token_without_the_scope_approves_nothing(here: Sluice) -> None:
    here("user", "create", "alice")
    approval(here, "alice")
    here("run", "--non-interactive", status=4)
    reader = token(here, "alice", "vso.build")
    assert "vso.pipelineresources_use" in by(here, reader, "approve", "1", status=1)
    by(here, token(here, "alice", "vso.pipelineresources_use", "vso.build"), "approve", "1")


def test_a_deleted_environment_takes_its_checks_along(here: Sluice) -> None:
    here("check", "add", "exclusive-lock", *ON)
    here("environment", "delete", "production", "--yes")
    assert "No checks yet" in here("check", "list")
    here("audit", "verify")


def test_a_step_of_a_run_approves_nothing(here: Sluice) -> None:
    approval(here)
    here("run", "--non-interactive", status=4)
    (here.folder / "attack.yml").write_text(f"steps: [{{bash: '{sys.executable} -m sluice approve 1'}}]\n")
    here("run", "attack.yml", "--non-interactive", status=1)
    assert "waits for approval" in here("runs", "show", "1")


def test_who_is_no_approver_is_told_at_the_terminal_who_is(here: Sluice) -> None:
    here("user", "create", "alice")
    approval(here, "alice")
    here.environment["NO_COLOR"] = "1"

    def approve() -> str:
        by(here, token(here, "alice"), "approve", "1")
        return ""

    status, shown = here.on_a_terminal(["run"], [("Approval 'environment production': alice", approve)])
    assert status == 0
    assert "Waiting for review: Approval 'environment production': alice" in shown
    assert "deployed it" in shown


@pytest.mark.parametrize(
    ("text", "minutes"), [("90", 90), ("90m", 90), ("2h", 120), ("30d", 43200), (" 1 D ", 1440), ("1H", 60)]
)
def test_the_times_of_a_check_are_minutes_or_have_a_unit(here: Sluice, text: str, minutes: int) -> None:
    made = here.json("check", "add", "approval", *ON, "--approver", "Project Administrators", "--timeout", text)
    assert made["timeout"] == minutes
    assert here.json("check", "update", str(made["id"]), "--timeout", "3h")["timeout"] == 180


@pytest.mark.parametrize("text", ["soon", "2w", "1.5h", "", "h", "1h30m", "9999999999"])
def test_what_is_no_time_of_a_check_is_said_to_be_none(here: Sluice, text: str) -> None:
    said = here("check", "add", "approval", *ON, "--approver", "Project Administrators", "--timeout", text, status=2)
    assert f"'{text}' is no time: write minutes (90), or 90m, 2h, 30d" in said


def test_the_list_names_the_connection_of_a_check_not_its_id(here: Sluice) -> None:
    here("connection", "create", "status", "--type", "generic", "--url", "https://status.example", "--set", "username=")
    setting = ("--set", "connectedServiceName=status", "--set", "waitForCompletion=false")
    made = here.json("check", "add", "rest-api", *ON, *setting, "--retry-interval", "1h", "--timeout", "2h")
    assert (made["retryInterval"], made["timeout"]) == (60, 120)
    listed = here("check", "list")
    assert "connectedServiceName=status" in listed
    assert made["settings"]["connectedServiceName"] not in listed
