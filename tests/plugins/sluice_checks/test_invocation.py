"""Checks that ask a service, against servers on loopback."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.check_runs import NOW, evaluation, judged
from tests.doubles.web import Call, Double, Reply, served

from sluice.errors import NotFoundError, SluiceError
from sluice.hooks.checks import Callback, CheckRun, CheckType, Decision, Evaluations
from sluice.hooks.connection import Connection, Value
from sluice.language import success_criteria
from sluice.secret import Secret
from sluice_checks._types import AZURE_FUNCTION, REST_API

KEY = "f-key-0123456789=="
TOKEN = Secret("one-time-token-42")
CALLBACK = Callback(
    url="https://sluice.example.com/default/_apis/distributedtask/hubs/build/plans/p1/events",
    token=TOKEN,
    headers={
        "PlanUrl": "https://sluice.example.com/",
        "ProjectId": "pr1",
        "HubName": "build",
        "PlanId": "p1",
        "JobId": "j1",
        "TaskInstanceId": "t1",
    },
)
VARIABLES: dict[str, Value] = {
    "Build.SourceBranch": "refs/heads/it's",
    "Build.BuildId": "7",
    "multi": "a\r\nX-Evil: 1",
    "password": Secret("s3cret-value"),
}


class Service(Double):
    """Answers what the test says, when it says so."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = Reply(200, {"status": "ok", "ref": "refs/heads/it's"})
        self.held: threading.Event | None = None

    def answer(self, call: Call) -> Reply:
        if self.held is not None:
            self.held.wait(30)
        return self.reply


@pytest.fixture
def service() -> Iterator[Service]:
    one = Service()
    with served(one):
        yield one


def rest(service: Service, settings: dict[str, str], **given: Any) -> CheckRun:
    def opened(name: str) -> Connection:
        if name != "status-api":
            raise NotFoundError(f"there is no service connection '{name}'")
        return Connection(
            id="c1",
            name="status-api",
            type="generic",
            url=service.url,
            parameters={"username": "ada", "password": Secret("pa55word")},
        )

    every = {"connectedServiceName": "status-api", "waitForCompletion": "false", **settings}
    return evaluation(
        REST_API, every, **{"connection": opened, "variables": VARIABLES, "criteria": success_criteria, **given}
    )


def function(service: Service, settings: dict[str, Value], **given: Any) -> CheckRun:
    every = {"function": f"{service.url}/api/check", "key": Secret(KEY), "waitForCompletion": "false", **settings}
    return evaluation(AZURE_FUNCTION, every, **{"variables": VARIABLES, "criteria": success_criteria, **given})


def test_a_service_that_answers_2xx_passes_without_criteria(service: Service) -> None:
    decision = REST_API.evaluate(rest(service, {"urlSuffix": "/state/$(Build.BuildId)?deep=1", "body": '{"a": 1}'}))
    assert (decision.outcome, decision.message) == ("approved", f"{service.url} answered 200 OK")
    (call,) = service.calls
    assert (call.method, call.path, call.query, call.body) == ("POST", "/state/7", {"deep": "1"}, b'{"a": 1}')
    assert call.headers["authorization"] == f"Basic {base64.b64encode(b'ada:pa55word').decode()}"
    assert call.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 304])
def test_another_status_does_not_pass_and_its_body_is_not_told(service: Service, status: int) -> None:
    service.reply = Reply(status, b"internal: pa55word", content="text/plain") if status != 304 else Reply(304, b"")
    decision = REST_API.evaluate(rest(service, {}))
    assert decision.outcome == "rejected"
    assert f"answered {status}" in decision.message
    assert "pa55word" not in decision.message


@pytest.mark.parametrize(
    ("criteria", "outcome"),
    [
        ("eq(root['status'], 'ok')", "approved"),
        ("eq(root['status'], 'failed')", "rejected"),
        ("eq(root['ref'], '$(Build.SourceBranch)')", "approved"),  # a quote in a value stays one
        ("eq($(Build.BuildId), 7)", "approved"),
    ],
)
def test_the_criteria_decide(service: Service, criteria: str, outcome: str) -> None:
    assert REST_API.evaluate(rest(service, {"successCriteria": criteria})).outcome == outcome


def test_a_variable_adds_nothing_to_the_criteria(service: Service) -> None:
    given = {"variables": {"branch": "x'), eq('a', 'a", "limit": "1), eq(1, 1"}}
    quoted = rest(service, {"successCriteria": "or(eq(root['ref'], '$(branch)'), false)"}, **given)
    assert REST_API.evaluate(quoted).outcome == "rejected"
    with pytest.raises(SluiceError, match=r"write '\$\(limit\)' in quotes"):
        REST_API.evaluate(rest(service, {"successCriteria": "gt(root['count'], $(limit))"}, **given))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "answered no JSON"),
        (b"[" * 200_000, "answered"),
        (b'"' + b"x" * (1 << 20) + b'"', "more than 1 MiB"),
    ],
)
def test_an_answer_that_is_no_small_json_is_told(service: Service, body: bytes, said: str) -> None:
    service.reply = Reply(200, body)
    decision = REST_API.evaluate(rest(service, {"successCriteria": "eq(root['status'], 'ok')"}))
    assert decision.outcome in {"rejected", "error"}
    assert said in decision.message


def test_a_service_that_takes_longer_than_three_seconds_did_not_answer(service: Service) -> None:
    service.held = threading.Event()
    decision = REST_API.evaluate(rest(service, {}))
    service.held.set()
    assert (decision.outcome, decision.message) == ("error", f"{service.url} did not answer within 3 seconds")


def test_a_service_that_is_not_there_is_an_error() -> None:
    gone = Service()
    with served(gone):
        pass
    decision = REST_API.evaluate(rest(gone, {}))
    assert decision.outcome == "error"
    assert decision.message.startswith(f"{gone.url} refused the connection")


def test_who_is_to_call_back_is_told_where_and_with_which_token(service: Service) -> None:
    run = rest(service, {"waitForCompletion": "true"}, callback=CALLBACK)
    decision = REST_API.evaluate(run)
    assert (decision.outcome, decision.message) == ("waiting", f"{service.url} has been asked and calls back")
    (call,) = service.calls
    told = {name: call.headers[name.lower()] for name in CALLBACK.headers}
    assert told == CALLBACK.headers
    assert (call.headers["authtoken"], call.headers["timelineid"]) == (TOKEN.reveal(), "p1")
    assert TOKEN.reveal() not in repr(run)


def test_without_a_server_a_person_hands_the_answer_over(service: Service) -> None:
    told = {name: value for name, value in CALLBACK.headers.items() if name != "PlanUrl"}
    alone = Callback(url="", token=TOKEN, headers=told)
    decision = REST_API.evaluate(rest(service, {"waitForCompletion": "true"}, callback=alone))
    assert decision.outcome == "waiting"
    assert decision.message.endswith("hand it over: sluice check complete 7 t1")
    assert "planurl" not in service.calls[0].headers
    nowhere = Callback(url="", token=TOKEN)
    decision = REST_API.evaluate(rest(service, {"waitForCompletion": "true"}, callback=nowhere))
    assert decision.message == f"{service.url} has been asked and calls back"


def test_who_decides_at_once_gets_no_token(service: Service) -> None:
    REST_API.evaluate(rest(service, {}, callback=CALLBACK))
    assert "authtoken" not in service.calls[0].headers
    assert service.calls[0].headers["planid"] == "p1"


def test_who_was_asked_is_not_asked_again(service: Service) -> None:
    last = Decision.waiting("asked")
    so_far = Evaluations(started_at=datetime(2026, 1, 5, tzinfo=UTC), count=1, last_at=NOW, last=last)
    run = rest(service, {"waitForCompletion": "true"}, callback=CALLBACK, so_far=so_far)
    assert REST_API.evaluate(run) == last
    assert service.calls == []


def test_a_delivery_that_is_not_acknowledged_is_an_error(service: Service) -> None:
    service.reply = Reply(500)
    decision = REST_API.evaluate(rest(service, {"waitForCompletion": "true"}, callback=CALLBACK))
    assert decision.outcome == "error"
    assert "did not acknowledge the check: it answered 500" in decision.message


def test_who_could_not_be_told_where_to_call_back_is_not_asked(service: Service) -> None:
    decision = REST_API.evaluate(rest(service, {"waitForCompletion": "true"}))
    assert decision.outcome == "error"
    assert service.calls == []


@pytest.mark.parametrize(
    "suffix", [".evil.example/x", "@evil.example/", ":1/", "\\@evil.example", "/a\r\nHost: evil", "x[", "/\n"]
)
def test_a_suffix_leads_nowhere_else(service: Service, suffix: str) -> None:
    with pytest.raises(SluiceError, match="leads to another place"):
        REST_API.evaluate(rest(service, {"urlSuffix": "$(suffix)/"}, variables={"suffix": suffix}))
    assert service.calls == []


def test_a_redirect_to_another_origin_is_not_followed(service: Service) -> None:
    service.reply = Reply(307, headers={"Location": "http://127.0.0.1:9/steal"})
    decision = REST_API.evaluate(rest(service, {}))
    assert decision.outcome == "error"
    assert "redirects to http://127.0.0.1:9" in decision.message


def test_the_metadata_service_of_a_cloud_is_not_asked(service: Service) -> None:
    service.url = "http://169.254.169.254"
    decision = REST_API.evaluate(rest(service, {}))
    assert decision.outcome == "error"
    assert "is not asked" in decision.message


def test_a_variable_adds_no_header(service: Service) -> None:
    with pytest.raises(SluiceError, match="header 'X-Branch' holds a line break") as error:
        REST_API.evaluate(rest(service, {"headers": '{"X-Branch": "$(multi)"}'}))
    assert "Evil" not in str(error.value)
    assert service.calls == []


def test_secret_variables_reach_headers_and_body_but_no_message(service: Service) -> None:
    settings = {"headers": '{"X-Password": "$(password)"}', "body": '{"p": "$(password)"}', "urlSuffix": "/$(password)"}
    decision = REST_API.evaluate(rest(service, settings))
    (call,) = service.calls
    assert call.headers["x-password"] == "s3cret-value"
    assert json.loads(call.body) == {"p": "s3cret-value"}
    assert "s3cret-value" not in call.path
    assert "s3cret-value" not in decision.message


def test_a_connection_that_is_not_there_is_told(service: Service) -> None:
    with pytest.raises(NotFoundError, match="no service connection 'gone'"):
        REST_API.evaluate(rest(service, {"connectedServiceName": "gone"}))


def test_a_function_is_asked_with_its_key_in_a_header(service: Service) -> None:
    decision = AZURE_FUNCTION.evaluate(function(service, {"queryParameters": "a=1&b=$(Build.BuildId)"}))
    assert decision.outcome == "approved"
    (call,) = service.calls
    assert (call.path, call.query) == ("/api/check", {"a": "1", "b": "7"})
    assert call.headers["x-functions-key"] == KEY
    assert "authorization" not in call.headers


def test_the_key_of_a_function_may_be_a_secret_variable(service: Service) -> None:
    AZURE_FUNCTION.evaluate(function(service, {"key": Secret("$(password)"), "method": "GET", "body": "x"}))
    (call,) = service.calls
    assert (call.method, call.headers["x-functions-key"], call.body) == ("GET", "s3cret-value", b"")


def test_the_line_break_at_the_end_of_a_file_is_no_part_of_a_key(service: Service) -> None:
    assert AZURE_FUNCTION.evaluate(function(service, {"key": Secret(f"{KEY}\n")})).outcome == "approved"
    assert service.calls[0].headers["x-functions-key"] == KEY


def test_a_key_of_two_lines_is_neither_sent_nor_told(service: Service) -> None:
    decision = AZURE_FUNCTION.evaluate(function(service, {"key": Secret(f"{KEY}\r\nX-Evil: 1")}))
    assert decision.outcome == "error"
    assert KEY not in decision.message
    assert service.calls == []


def test_the_key_of_a_function_is_not_in_what_is_told(service: Service) -> None:
    service.reply = Reply(401, {"key": KEY})
    decision = AZURE_FUNCTION.evaluate(function(service, {"successCriteria": "eq(root['key'], 1)"}))
    assert decision.outcome == "rejected"
    assert KEY not in decision.message


@pytest.mark.parametrize(
    "address", ["http://$(host)/api", "https://a$(b).example/x", "https://$(x)@app.example", "ftp://x", "", "http://[x"]
)
def test_a_run_does_not_lead_the_key_elsewhere(service: Service, address: str) -> None:
    (problem, *_) = judged(AZURE_FUNCTION, {"function": address, "key": Secret(KEY)})
    assert problem.startswith("function: ")
    with pytest.raises(SluiceError):
        AZURE_FUNCTION.evaluate(function(service, {"function": address}))


@pytest.mark.parametrize("kind", [REST_API, AZURE_FUNCTION])
@pytest.mark.parametrize(
    ("settings", "minutes", "said"),
    [
        ({"waitForCompletion": "true"}, {"retry_interval": 1}, "has to be 0"),
        ({"waitForCompletion": "true", "headers": '{"X": "1"}'}, {}, "the service cannot answer"),
        ({"waitForCompletion": "false"}, {"retry_interval": 2, "timeout": 100}, "more than 10 evaluations"),
        ({"headers": "X: 1"}, {}, "headers: write a JSON object"),
        ({"headers": '["X"]'}, {}, "headers: write a JSON object"),
        ({"headers": '{"X": "a\\r\\nY: 1"}'}, {}, "no text of one line"),
        ({"headers": '{"Host": "evil"}'}, {}, "no header 'Host' that can be set"),
        ({"headers": '{"X Y": "1"}'}, {}, "no header 'X Y' that can be set"),
        ({"waitForCompletion": "false", "successCriteria": "eq(root["}, {}, "successCriteria: "),
        ({"waitForCompletion": "true", "successCriteria": "eq(1, 1)"}, {}, "who calls back has decided"),
    ],
)
def test_what_cannot_be_or_breaks_the_rules_is_refused(
    kind: CheckType, settings: dict[str, Value], minutes: dict[str, int], said: str
) -> None:
    given = {"function": "https://a.example/x", "connectedServiceName": "status-api", **settings}
    (problem,) = judged(kind, given, criteria=success_criteria, **minutes)
    assert said in problem


@pytest.mark.parametrize(("timeout", "interval"), [(20, 2), (100, 10), (1440, 0)])
def test_the_documented_samples_are_compliant(timeout: int, interval: int) -> None:
    settings = {
        "connectedServiceName": "status-api",
        "waitForCompletion": "false",
        "successCriteria": "eq($(a), '$(b)')",
    }
    assert judged(REST_API, settings, timeout=timeout, retry_interval=interval, criteria=success_criteria) == ()


def test_a_check_without_connection_is_refused() -> None:
    (problem,) = judged(REST_API, {})
    assert problem == "connectedServiceName names no service connection"


@given(st.text(max_size=40))
def test_any_text_of_headers_is_read_or_refused(text: str) -> None:
    found = judged(AZURE_FUNCTION, {"function": "https://a.example/x", "headers": text})
    assert all(problem.startswith("headers: ") for problem in found)
