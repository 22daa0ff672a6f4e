"""`InvokeRESTAPI@1` in an agentless job, against a server on loopback."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from tests.conftest import Giver
from tests.doubles.web import Call, Double, Reply, served
from tests.plugins.sluice_azure.conftest import SUBSCRIPTION, World, world

from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.testing.task_runner import TaskOutcome, run_task

__all__ = ["world"]


class Service(Double):
    """Answers what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = Reply(200, {"status": "ok", "items": [1, 2]})

    def answer(self, call: Call) -> Reply:
        return self.reply


@pytest.fixture
def service() -> Iterator[Service]:
    one = Service()
    with served(one):
        yield one


def ask(service: Service, **inputs: str) -> TaskOutcome:
    connection = Connection(
        id="c1",
        name="status-api",
        type="generic",
        url=f"{service.url}/api",
        parameters={"username": "ada", "password": Secret("pa55word")},
    )
    given = {"waitForCompletion": "false", **inputs}
    return run_task(
        "InvokeRESTAPI@1",
        inputs=given,
        connections={"connectedServiceName": connection},
        variables={"System.JobId": "j1", "System.HostType": "build"},
    )


def test_a_request_is_made_with_what_the_connection_and_the_inputs_say(service: Service, evidence: Giver) -> None:
    outcome = ask(service, method="POST", urlSuffix="/state?deep=1", body='{"a": 1}', headers='{"X-One": "1"}')
    assert outcome.result == "Succeeded", outcome.log
    (call,) = service.calls
    assert (call.method, call.path, call.query, call.body) == ("POST", "/api/state", {"deep": "1"}, b'{"a": 1}')
    assert call.headers["authorization"] == f"Basic {base64.b64encode(b'ada:pa55word').decode()}"
    assert call.headers["x-one"] == "1"
    assert "200 OK" in outcome.log
    evidence("generic", "UsernamePassword", "used", "web service of the tests", task="InvokeRESTAPI@1")


def test_a_get_has_no_body_and_tells_who_asks(service: Service) -> None:
    ask(service, method="GET", body="left out")
    (call,) = service.calls
    assert (call.method, call.body) == ("GET", b"")
    assert (call.headers["jobid"], call.headers["hubname"]) == ("j1", "build")
    assert "authtoken" not in call.headers


@pytest.mark.parametrize(
    ("criteria", "result"),
    [
        ("eq(root['status'], 'ok')", "Succeeded"),
        ("eq(root.status, 'no')", "Failed"),
        ("nonsense(", "Failed"),
    ],
)
def test_success_criteria_decide(service: Service, criteria: str, result: str) -> None:
    outcome = ask(service, successCriteria=criteria)
    assert outcome.result == result, outcome.message


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_another_status_fails_and_the_answer_is_in_the_log_masked(service: Service, status: int) -> None:
    service.reply = Reply(status, b"reason: pa55word", content="text/plain")
    outcome = ask(service)
    assert outcome.result == "Failed"
    assert f"answered {status}" in outcome.message
    assert "reason: ***" in outcome.log


def test_criteria_need_json(service: Service) -> None:
    service.reply = Reply(200, b"fine", content="text/plain")
    assert ask(service).result == "Succeeded"
    assert "no JSON" in ask(service, successCriteria="true").message


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"waitForCompletion": "true"}, "needs a server of Sluice"),
        ({"connectedServiceNameSelector": "connectedServiceNameAzureDevOps"}, "not supported"),
        ({"method": "STEAL"}, "Invalid method"),
        ({"headers": "no json"}, "JSON object"),
        ({"headers": '{"Host": "x"}'}, "no header"),
    ],
)
def test_what_cannot_be_is_told_before_anybody_is_asked(service: Service, inputs: dict[str, str], text: str) -> None:
    outcome = ask(service, **inputs)
    assert outcome.result == "Failed"
    assert text in outcome.message
    assert service.calls == []


@pytest.mark.parametrize("scheme", ["ServicePrincipal", "WorkloadIdentityFederation"])
def test_the_management_api_of_azure_is_asked_with_a_token(world: World, evidence: Giver, scheme: str) -> None:
    world.federate()
    inputs = {
        "connectedServiceNameSelector": "connectedServiceNameARM",
        "method": "GET",
        "urlSuffix": f"subscriptions/{SUBSCRIPTION}?api-version=2016-06-01",
        "successCriteria": "eq(root['state'], 'Enabled')",
        "waitForCompletion": "false",
    }
    connections = {"connectedServiceNameARM": world.open(world.create(scheme))}
    outcome = run_task("InvokeRESTAPI@1", inputs=inputs, connections=connections)
    assert outcome.result == "Succeeded", outcome.log
    evidence("azurerm", scheme, "used", "Azure (double)", task="InvokeRESTAPI@1")
    world.management.state = "Disabled"
    assert (
        "does not fulfil the success criteria"
        in run_task("InvokeRESTAPI@1", inputs=inputs, connections=connections).message
    )
