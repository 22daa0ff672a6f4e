"""`sluice check complete`: a check asks a service that cannot call back, and a person hands its answer over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.doubles.web import Call, Double, Reply, served

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

PIPELINE = """
stages:
- stage: Deploy
  jobs:
  - deployment: D
    environment: production
    strategy: {runOnce: {deploy: {steps: [{checkout: none}, {bash: echo deployed}]}}}
"""
PASSWORD = "status-pass-0815-x"


class Service(Double):
    """Takes what it is asked."""

    def answer(self, call: Call) -> Reply:
        self.expect("authorization" in call.headers, "nobody says who asks")
        return Reply(202)


@pytest.fixture
def service() -> Iterator[Service]:
    double = Service()
    with served(double):
        yield double
    assert double.complaints == []


@pytest.fixture
def asked(sluice: Sluice, service: Service) -> dict[str, str]:
    """The headers with which the service was asked; its token lies in the file `token`."""
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    sluice("environment", "create", "production")
    access = ("--set", "username=ada", "--secret", "password=-")
    sluice("connection", "create", "status", "--type", "generic", "--url", service.url, *access, given=PASSWORD)
    sluice("check", "add", "rest-api", "--environment", "production", "--set", "connectedServiceName=status")
    said = sluice.run("run", "--permit", "production", "--non-interactive")
    assert said.returncode == 4
    (call,) = service.calls
    command = f"sluice check complete 1 {call.headers['taskinstanceid']}"
    assert command in " ".join((said.stdout + said.stderr).split())
    (sluice.folder / "token").write_text(f"{call.headers['authtoken']}\n")
    return dict(call.headers)


@pytest.mark.parametrize(("result", "state"), [("succeeded", "Succeeded"), ("failed", "Failed")])
def test_the_answer_decides_and_counts_once(
    sluice: Sluice, service: Service, asked: dict[str, str], result: str, state: str
) -> None:
    answer = ("check", "complete", "1", asked["taskinstanceid"], "--token", "@token")
    assert f"Answered: Invoke REST API {result}." in sluice(*answer, "--result", result)
    sluice.run("resume", "1", "--non-interactive")
    (stage,) = (one for one in sluice.json("runs", "show", "1")["records"] if one["type"] == "Stage")
    assert stage["result"] == state
    assert "the check is decided already" in sluice(*answer, "--result", "succeeded", status=1)
    assert len(service.calls) == 1
    sluice("audit", "verify")
    assert asked["authtoken"] not in sluice.printed
    assert PASSWORD not in sluice.printed


def test_another_token_or_another_run_does_not_answer(sluice: Sluice, asked: dict[str, str]) -> None:
    check = asked["taskinstanceid"]
    wrong = sluice("check", "complete", "1", check, "--result", "succeeded", "--token", "-", given="guess", status=1)
    assert "the token is not the one that was given out for this check" in wrong
    assert "there is no check" in sluice(
        "check", "complete", "2", check, "--result", "succeeded", "--token", "@token", status=2
    )
    shown = sluice("check", "complete", "1", check, "--result", "succeeded", "--token", "t0ken-here", status=2)
    assert "not taken from the command line" in shown
    assert "KEY=" not in shown
    assert "t0ken-here" not in shown
