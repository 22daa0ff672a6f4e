"""What GitHub says of a branch, asked through the connection of its repository."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from tests.doubles.check_runs import evaluation
from tests.doubles.web import Call, Double, Reply, served

from sluice.hooks.checks import CheckedResource, CheckRun, Decision, LinkedRepository
from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice_checks._types import BRANCH_CONTROL as KIND

TOKEN = "ghp-0123456789"


class Branches(Double):
    """The branches of one repository of an Enterprise Server, protected or not."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = {"main": True, "topic/x": False}

    def answer(self, call: Call) -> Reply:
        self.expect(call.method == "GET", "looking changes nothing")
        self.expect(call.headers.get("accept") == "application/vnd.github+json", "Accept is not GitHub's")
        if call.headers.get("authorization") != f"Basic {base64.b64encode(f'token:{TOKEN}'.encode()).decode()}":
            return Reply(401, {"message": "Bad credentials"})
        root = "/api/v3/repos/octo/tools/branches/"
        name = call.path.removeprefix(root).replace("%2F", "/")
        if not call.path.startswith(root) or name not in self.branches:
            return Reply(404, {"message": "Branch not found"})
        return Reply(200, {"name": name, "protected": self.branches[name]})


@pytest.fixture
def github() -> Iterator[Branches]:
    double = Branches()
    with served(double):
        yield double
    assert double.complaints == []


def checked(
    github: Branches,
    branch: str,
    *,
    token: str = TOKEN,
    allowing: str = "false",
    uses: str = "octo",
    kind: str = "githubenterprise",
) -> Decision:
    connection = Connection(id="1", name="octo", type=kind, url=github.url, parameters={"apitoken": Secret(token)})
    repository = LinkedRepository(
        alias="tools", type="githubenterprise", name="octo/tools", branch=branch, endpoint="octo"
    )
    settings = {"ensureProtectionOfBranch": "true", "allowUnknownStatusBranch": allowing}
    resources = (CheckedResource(kind="endpoint", name=uses, id="1"),)
    run = evaluation(
        KIND, settings, repositories=(repository,), resources=resources, connection=lambda name: connection
    )
    return KIND.evaluate(run)


def test_github_tells_whether_a_branch_is_protected(github: Branches) -> None:
    assert checked(github, "refs/heads/main").outcome == "approved"
    decision = checked(github, "refs/heads/topic/x", allowing="true")
    assert (decision.outcome, decision.message) == (
        "rejected",
        "the branch 'refs/heads/topic/x' of 'tools' (octo/tools) is not protected",
    )


@pytest.mark.parametrize(
    ("branch", "token", "why"),
    [("refs/heads/gone", TOKEN, "answered 404 Not Found"), ("refs/heads/main", "other", "answered 401 Unauthorized")],
)
def test_what_github_does_not_tell_is_not_known(github: Branches, branch: str, token: str, why: str) -> None:
    decision = checked(github, branch, token=token)
    assert decision.outcome == "rejected"
    assert "is not known" in decision.message
    assert why in decision.message
    assert token not in decision.message.replace("octo", "")
    assert checked(github, branch, token=token, allowing="true").outcome == "approved"


def test_a_connection_that_the_stage_does_not_use_is_not_opened(github: Branches) -> None:
    decision = checked(github, "refs/heads/main", uses="depot")
    assert decision.outcome == "rejected"
    assert "the stage uses no service connection 'octo'" in decision.message
    assert github.calls == []


def test_credentials_for_something_else_are_not_sent(github: Branches) -> None:
    assert checked(github, "refs/heads/main", kind="generic").outcome == "rejected"
    assert github.calls == []


@pytest.mark.parametrize("name", ["octo/../../user", "octo", "../tools", "octo/tools/x", "o?o/tools"])
def test_a_name_that_is_no_repository_is_not_asked_for(github: Branches, name: str) -> None:
    def opened(asked: str) -> Connection:
        raise AssertionError(asked)

    repository = LinkedRepository(alias="t", type="github", name=name, branch="refs/heads/main", endpoint="octo")
    run: CheckRun = evaluation(
        KIND,
        {"ensureProtectionOfBranch": "true"},
        repositories=(repository,),
        resources=(CheckedResource(kind="endpoint", name="octo"),),
        connection=opened,
    )
    assert KIND.evaluate(run).outcome == "rejected"
    assert github.calls == []
