from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.conftest import Giver
from tests.doubles.jira import Issue, Jira
from tests.doubles.web import Double

from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_ci._jira import canonical


@pytest.fixture
def jira(serve: Callable[[Double], None]) -> Jira:
    double = Jira()
    double.issues = {"SHOP-1": Issue(), "SHOP-22": Issue()}
    serve(double)
    return double


def update(jira: Jira, **inputs: str) -> TaskOutcome:
    values = {"username": "ada@example.com", "password": "api-token-0001"}
    connection = make_connection("jira", "shop", url=f"{jira.url}/", scheme="UsernamePassword", values=values)
    return run_task(
        "JiraUpdateIssue@1", inputs={"issueKeys": "SHOP-1"} | inputs, connections={"jiraConnection": connection}
    )


def test_issues_named_in_messages_get_fields_labels_a_comment_and_their_next_status(
    jira: Jira, evidence: Giver
) -> None:
    outcome = update(
        jira,
        issueKeys="SHOP-22: the till\nfixes (SHOP-1), as XSHOP-1 did; not SHOP-1x nor shop-2",
        fields='{"summary": "The till"}',
        labels="done, till",
        comment="Released.",
        transition="close",
    )
    assert outcome.result is Result.FAILED  # XSHOP-1 is not there; the others are done all the same
    assert outcome.messages("error")[0].startswith("XSHOP-1: its fields cannot be set: Issue does not exist")
    for issue in jira.issues.values():
        assert issue.fields == {"summary": "The till", "labels": ["old", "done", "till"]}
        assert (issue.comments, issue.status) == (["Released."], "Done")
    assert "1 of 3 issues were not updated: XSHOP-1" in outcome.message
    evidence("jira", "UsernamePassword", "used", "Jira (double)", task="JiraUpdateIssue@1")


@pytest.mark.parametrize("wanted", ["11", "start WORK", "in progress"])
def test_a_transition_goes_by_number_name_or_status(jira: Jira, wanted: str) -> None:
    outcome = update(jira, transition=wanted)
    assert outcome.result is Result.SUCCEEDED
    assert jira.issues["SHOP-1"].status == "In Progress"
    assert outcome.lines == ["SHOP-1: moved to In Progress"]


def test_a_name_of_a_transition_comes_before_that_of_a_status(jira: Jira) -> None:
    jira.issues["SHOP-1"].transitions = {"5": ("Back", "Done"), "6": ("Done", "Closed")}
    assert update(jira, transition="Done").result is Result.SUCCEEDED
    assert jira.issues["SHOP-1"].status == "Closed"


def test_what_cannot_be_done_is_told_with_what_can(jira: Jira) -> None:
    outcome = update(jira, transition="Reopen")
    assert "SHOP-1: there is no transition 'Reopen': from its status there are: Start work, Close" in outcome.log
    outcome = update(jira, fields='{"secret": 1}')
    assert "SHOP-1: its fields cannot be set: secret: Field 'secret' cannot be set." in outcome.log
    assert outcome.result is Result.FAILED


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"comment": ""}, "nothing to do"),
        ({"fields": "[1]"}, "fields is no JSON object"),
        ({"comment": "x", "issueKeys": "no key here"}, "issueKeys names no issue"),
        ({"comment": "x", "issueKeys": " ".join(f"A{n}-1" for n in range(101))}, "more than 100 issues"),
    ],
)
def test_inputs_that_make_no_sense_ask_nobody(jira: Jira, inputs: dict[str, str], message: str) -> None:
    outcome = update(jira, **inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message
    assert jira.calls == []


def test_no_issue_may_be_no_failure(jira: Jira) -> None:
    outcome = update(jira, issueKeys="nothing", comment="x", failWhenNoIssues="false")
    assert outcome.result is Result.SUCCEEDED
    assert outcome.messages("warning") == ["issueKeys names no issue: nothing is updated."]


def test_wrong_credentials_end_it_at_once(jira: Jira) -> None:
    jira.accounts.clear()
    outcome = update(jira, issueKeys="SHOP-1 SHOP-22", comment="x")
    assert "Jira does not accept the credentials" in outcome.message
    assert len(jira.calls) == 1


def test_a_missing_permission_is_told(jira: Jira) -> None:
    jira.forbidden.add("ada@example.com")
    assert "You do not have the permission (give the account" in update(jira, comment="x").log


def test_an_app_signs_each_change(jira: Jira, evidence: Giver) -> None:
    key, secret = jira.app
    values = {
        "configurationId": "00000000-0000-0000-0000-000000000001",
        "appKey": key,
        "sharedSecret": secret,
    }
    connection = make_connection("jira", "shop", url=jira.url, scheme="JiraConnectApp", values=values)
    inputs = {"issueKeys": "SHOP-1", "comment": "Signed.", "transition": "Close"}
    assert (
        run_task("JiraUpdateIssue@1", inputs=inputs, connections={"jiraConnection": connection}).result
        is Result.SUCCEEDED
    )
    assert (jira.issues["SHOP-1"].comments, jira.issues["SHOP-1"].status) == (["Signed."], "Done")
    evidence("jira", "JiraConnectApp", "used", "Jira (double)", task="JiraUpdateIssue@1")
    token = make_connection("jira", "shop", url=jira.url, scheme="Token", values={"apitoken": "pat-0123456789"})
    more = {"issueKeys": "SHOP-22", "comment": "By token."}
    done = run_task("JiraUpdateIssue@1", inputs=more, connections={"jiraConnection": token})
    assert (done.result, jira.issues["SHOP-22"].comments) == (Result.SUCCEEDED, ["By token."])
    evidence("jira", "Token", "used", "Jira (double)", task="JiraUpdateIssue@1")


def test_a_request_is_signed_below_the_site_with_its_query_in_order() -> None:
    url = "https://x.example.com/jira/rest/api/2/issue/A-1/?b=2&a=x%20y&a=1&c="
    assert canonical("get", "https://x.example.com/jira/", url) == "GET&/rest/api/2/issue/A-1&a=1,x%20y&b=2&c="


def test_comments_are_sent_as_they_are_written(jira: Jira) -> None:
    text = 'Größe: "5"\n{code}x{code}'
    assert update(jira, comment=text).result is Result.SUCCEEDED
    assert json.loads(jira.calls[-1].body) == {"body": text}
