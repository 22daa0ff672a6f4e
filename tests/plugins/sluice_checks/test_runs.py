"""Kinds of checks at the checkpoints of runs, end to end in this process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from tests.agent.runs.conftest import bench
from tests.doubles.web import Call, Double, Reply, served

from sluice.authorization.resources import ENDPOINT
from sluice.connections.connection import Update
from sluice.connections.guard import Unrestricted
from sluice.errors import NotFoundError, UsageError
from sluice.language.compiler import compile_pipeline
from sluice.runs import suites
from sluice.runs.check_callbacks import complete
from sluice.runs.check_configuring import Configurations, Entered
from sluice.secret import Secret
from sluice.storage import audit
from sluice_checks._types import (
    AZURE_FUNCTION,
    BRANCH_CONTROL,
    BUSINESS_HOURS,
    EVALUATE_ARTIFACT,
    REQUIRED_TEMPLATE,
)

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

    from sluice.authorization.checks.model import Check
    from sluice.hooks.checks import CheckType
    from sluice.language.plan import Plan, Repository
    from sluice.runs.check_callbacks import Result

__all__ = ["bench"]

DEPLOY = """
stages:
- stage: Deploy
  jobs: [{job: J, steps: [{checkout: none}, {task: Deliver@1, inputs: {to: prod, what: it}}]}]
"""
MAIN = {"branch": "refs/heads/main", "name": "app"}
REQUIRED = (
    '[{"repositoryType": "github", "repositoryName": "octo/secure", "repositoryRef": "main", '
    '"templatePath": "base.yml"}]'
)
DIGEST = "sha256:" + "ab" * 32
KEY = "f-key-0123456789=="


class Function(Double):
    """A function that answers what the test says, one answer after the other, the last again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.replies = [Reply(200, {"status": "ok"})]

    def answer(self, call: Call) -> Reply:
        self.expect(call.headers.get("x-functions-key") == KEY, "the key is missing")
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def function() -> Iterator[Function]:
    double = Function()
    with served(double):
        yield double
    assert double.complaints == []


@pytest.fixture(autouse=True)
def prod(bench: Bench) -> None:
    bench.connection("prod", permit="demo")
    bench.clock.now = datetime.fromisoformat("2026-01-05T07:00:00+01:00").timestamp()


def configurations(bench: Bench) -> Configurations:
    return Configurations(orchestrator=bench.orchestrator, guard=Unrestricted("tester"))


def add(bench: Bench, kind: CheckType, **entered: object) -> int:
    return configurations(bench).add("default", ENDPOINT, "prod", kind, Entered(**entered)).id  # type: ignore[arg-type]


def asking(function: Function, **more: str) -> dict[str, object]:
    settings = {"function": f"{function.url}/api/check", "waitForCompletion": "false", **more}
    return {"settings": settings, "secrets": {"key": Secret(KEY)}}


def check_of(bench: Bench, run_id: int) -> Check:
    with bench.database.read() as transaction:
        (check,) = (check for one in suites.of_run(transaction, run_id) for check in one.checks)
    return check


class Files:
    """The template that is required, and one that only has its name."""

    def read(self, repository: Repository, path: str) -> str:
        return dedent(DEPLOY)


def extending(bench: Bench, template: str) -> Plan:
    text = f"""
        resources: {{repositories: [{{repository: secure, type: github, name: octo/secure}}]}}
        extends: {{template: {template}}}
    """
    return compile_pipeline("azure-pipelines.yml", dedent(text), files=Files(), catalogue=bench.catalogue)


@pytest.mark.parametrize(("branch", "result"), [("refs/heads/main", "Succeeded"), ("refs/heads/topic", "Failed")])
def test_another_branch_fails_the_stage(bench: Bench, branch: str, result: str) -> None:
    add(bench, BRANCH_CONTROL, settings={"allowedBranches": "refs/heads/main"})
    outcome = bench.run_pipeline(DEPLOY, source={**MAIN, "branch": branch})
    assert outcome.run.result == result
    assert outcome.results()["Deploy"] == result
    if result == "Failed":
        assert check_of(bench, outcome.run.id).message == (
            f"'self' (app) is at '{branch}', which is not among the allowed branches"
        )


@pytest.mark.parametrize(
    ("template", "result"),
    [("base.yml@secure", "Succeeded"), ("base.yml@secure@self", "Failed"), ("base.yml", "Failed")],
)
def test_a_pipeline_that_does_not_extend_the_template_fails(bench: Bench, template: str, result: str) -> None:
    add(bench, REQUIRED_TEMPLATE, settings={"extendsChecks": REQUIRED})
    outcome = bench.run_pipeline(extending(bench, template), source=MAIN)
    assert outcome.results()["Deploy"] == result


def test_a_pipeline_without_any_template_fails(bench: Bench) -> None:
    add(bench, REQUIRED_TEMPLATE, settings={"extendsChecks": REQUIRED})
    assert bench.run_pipeline(DEPLOY, source=MAIN).results()["Deploy"] == "Failed"


@pytest.mark.parametrize("kind", [BRANCH_CONTROL, REQUIRED_TEMPLATE])
def test_a_pull_request_that_changes_the_pipeline_does_not_get_round_the_check(bench: Bench, kind: CheckType) -> None:
    """Abuse case 16: also where the connection lets pull requests in."""
    bench.store.update("default", "prod", Update(untrusted="pull-requests"), by="owner")
    settings = {"allowedBranches": "refs/heads/*"} if kind is BRANCH_CONTROL else {"extendsChecks": REQUIRED}
    add(bench, kind, settings=settings)
    source = {**MAIN, "branch": "refs/pull/7/merge", "untrusted": "pull-request"}
    outcome = bench.run_pipeline(DEPLOY, source=source)
    assert outcome.results()["Deploy"] == "Failed"
    assert all("delivered" not in line for line in bench.log(outcome.run.id).splitlines())


def test_a_stage_waits_for_business_hours_and_starts_when_they_begin(bench: Bench) -> None:
    add(bench, BUSINESS_HOURS, settings={"timeZone": "W. Europe Standard Time"})
    run = bench.create(DEPLOY, source=MAIN)
    assert bench.drive(run.id).results()["Deploy"] == "waiting"
    (request,) = bench.requests(run.id, "running")
    assert "waiting for business hours: Monday 2026-01-05 09:00" in request.detail
    bench.clock.now = datetime.fromisoformat("2026-01-05T09:00:00+01:00").timestamp()
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_function_that_is_content_lets_the_stage_start(bench: Bench, function: Function) -> None:
    add(bench, AZURE_FUNCTION, **asking(function, successCriteria="eq(root['status'], 'ok')"))
    outcome = bench.run_pipeline(DEPLOY, source=MAIN)
    assert outcome.run.result == "Succeeded"
    assert len(function.calls) == 1
    with bench.database.read() as transaction:
        told = repr([link.entry for link in audit.entries(transaction)])
    assert KEY not in told
    assert KEY not in repr(check_of(bench, outcome.run.id))
    stored = [path for path in bench.folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert stored == []


def test_a_function_that_is_not_content_fails_the_stage(bench: Bench, function: Function) -> None:
    function.replies = [Reply(200, {"status": "red"})]
    add(bench, AZURE_FUNCTION, **asking(function, successCriteria="eq(root['status'], 'ok')"))
    assert bench.run_pipeline(DEPLOY, source=MAIN).results()["Deploy"] == "Failed"


def test_a_function_is_asked_again_after_the_interval(bench: Bench, function: Function) -> None:
    function.replies = [Reply(503), Reply(200, {"status": "red"}), Reply(200, {"status": "ok"})]
    entered = asking(function, successCriteria="eq(root['status'], 'ok')")
    add(bench, AZURE_FUNCTION, **entered, timeout=20, retry_interval=2)
    run = bench.create(DEPLOY, source=MAIN)
    for _ in range(2):
        assert bench.drive(run.id).results()["Deploy"] == "waiting"
        bench.clock.late += 120
    assert bench.drive(run.id).run.result == "Succeeded"
    assert len(function.calls) == 3


def test_a_function_that_is_never_content_skips_the_stage(bench: Bench, function: Function) -> None:
    function.replies = [Reply(503)]
    add(bench, AZURE_FUNCTION, **asking(function), timeout=3, retry_interval=2)
    run = bench.create(DEPLOY, source=MAIN)
    assert bench.drive(run.id).results()["Deploy"] == "waiting"
    bench.clock.late += 180
    assert bench.drive(run.id).results()["Deploy"] == "Skipped"


@pytest.mark.parametrize(("result", "stage"), [("succeeded", "Succeeded"), ("failed", "Failed")])
def test_a_function_calls_back(bench: Bench, function: Function, result: Result, stage: str) -> None:
    add(bench, AZURE_FUNCTION, **asking(function, waitForCompletion="true"))
    run = bench.create(DEPLOY, source=MAIN)
    assert bench.drive(run.id).results()["Deploy"] == "waiting"
    assert bench.drive(run.id).results()["Deploy"] == "waiting"
    (call,) = function.calls
    check = check_of(bench, run.id)
    assert call.headers["taskinstanceid"] == check.id
    token = Secret(call.headers["authtoken"])
    complete(bench.database, bench.clock, check.id, token, result, run_id=run.id)
    assert bench.drive(run.id).results()["Deploy"] == stage
    stored = [one for one in bench.folder.rglob("*") if one.is_file() and token.reveal().encode() in one.read_bytes()]
    assert stored == []


@pytest.mark.parametrize(
    ("image", "result"),
    [
        (f"acme.azurecr.io/app@{DIGEST}", "Succeeded"),
        (f"docker.io/evil/app@{DIGEST}", "Failed"),
        ("acme.azurecr.io/app:1", "Failed"),
    ],
)
def test_a_policy_looks_at_the_images_of_the_run(bench: Bench, image: str, result: str) -> None:
    policy = 'check[errors] { uri := values[_].image.resourceUri; not startswith(uri, "https://acme.azurecr.io/"); errors := uri }'
    add(bench, EVALUATE_ARTIFACT, settings={"policy": policy})
    text = f"resources: {{containers: [{{container: app, image: '{image}'}}]}}\n{DEPLOY}"
    assert bench.run_pipeline(text, source=MAIN).results()["Deploy"] == result


def test_a_key_does_not_follow_to_another_address(bench: Bench, function: Function) -> None:
    number = add(bench, AZURE_FUNCTION, **asking(function))
    elsewhere = Entered(settings={"Function": "https://evil.example/take"})
    with pytest.raises(UsageError, match=r"Function key \('key'\) is required"):
        configurations(bench).update("default", number, elsewhere)
    same = Entered(settings={"function": f"{function.url}/api/check", "method": "GET"})
    configurations(bench).update("default", number, same)
    assert bench.run_pipeline(DEPLOY, source=MAIN).run.result == "Succeeded"
    anew = Entered(settings=elsewhere.settings, secrets={"key": Secret("another")})
    assert configurations(bench).update("default", number, anew).secret_names == ("key",)


def test_variables_of_a_linked_group_go_before_those_of_the_pipeline(bench: Bench, function: Function) -> None:
    group = bench.group("settings", {"limit": "5"}, secrets={"functionKey": KEY})
    entered = asking(function, linkedVariableGroup="Settings", queryParameters="limit=$(limit)&key=$(functionKey)")
    add(bench, AZURE_FUNCTION, **{**entered, "secrets": {"key": Secret("$(functionKey)")}})
    mine = "variables: {limit: 999, functionKey: mine}\n" + DEPLOY
    outcome = bench.run_pipeline(mine, source=MAIN)
    assert outcome.run.result == "Succeeded"
    (call,) = function.calls
    assert call.query == {"limit": "5", "key": "$(functionKey)"}  # a secret has no place in an address
    (use,) = bench.orchestrator.groups.history(group)
    assert (use.run_id, use.step) == (outcome.run.id, "Invoke Azure Function check")
    assert KEY not in repr(check_of(bench, outcome.run.id))


def test_a_linked_group_that_is_gone_passes_nothing(bench: Bench, function: Function) -> None:
    bench.group("settings", {"limit": "5"})
    add(bench, AZURE_FUNCTION, **asking(function, linkedVariableGroup="settings"))
    bench.orchestrator.groups.delete("default", "settings", by="owner")
    assert bench.run_pipeline(DEPLOY, source=MAIN).results()["Deploy"] == "Failed"
    assert function.calls == []


def test_a_group_that_there_is_not_cannot_be_linked(bench: Bench, function: Function) -> None:
    with pytest.raises(NotFoundError, match="nothing-here"):
        add(bench, AZURE_FUNCTION, **asking(function, linkedVariableGroup="nothing-here"))
