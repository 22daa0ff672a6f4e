"""Environments, approvals and the audit log on pages."""

from __future__ import annotations

import pytest
from tests.agent.server.web.conftest import Browser, House, OpenBrowser

from sluice.runs.check_configuring import Entered
from sluice.storage import requests

DEPLOYS = """
stages:
- stage: Deploy
  jobs:
  - deployment: Web
    environment: production
    strategy: {runOnce: {deploy: {steps: [{script: echo deployed}]}}}
"""


@pytest.fixture(autouse=True)
def project(house: House) -> None:
    house.run("steps: [{script: echo hello}]")


def _approval(house: House, browser: Browser, approver: str, **settings: str) -> None:
    browser.get("/local/default/_environments").submit("", name="production")
    kind = house.caller.orchestrator.kinds().get("approval")
    entered = Entered(settings={"approvers": approver, "instructions": "Look at the dashboards", **settings})
    house.caller.configurations.add("default", "environment", "production", kind, entered)


def test_an_environment_is_made_filled_and_deleted(browser: Browser) -> None:
    home = "/local/default/_environments"
    assert "No environments yet" in browser.get(home).text
    made = browser.get(home).submit("", name="production", description="What customers see")
    assert "production" in made.text
    filled = made.submit("/resources", name="web-1", kind="VirtualMachine", tags="web, north")
    assert "web-1" in filled.text
    assert "north" in filled.text
    emptied = filled.submit("/resources/remove")
    assert "web-1" not in emptied.text
    twice = browser.get(home).submit("", name="production")
    assert twice.status == 409
    assert "No environments yet" in emptied.submit("/delete").text


def test_an_approver_approves_without_seeing_the_run(house: House, browser: Browser, open_browser: OpenBrowser) -> None:
    ada = open_browser("ada")
    _approval(house, browser, "ada")
    run = house.run(DEPLOYS)
    browser.get("/local/default/_build/results", buildId=run.id).submit("/permit")
    house.drive(run.id)
    waiting = browser.get("/local/default/_build/results", buildId=run.id)
    assert "A check must pass before this run can continue to Deploy" in waiting.text
    assert "Look at the dashboards" in waiting.text
    page = ada.get("/local/default/_approvals")
    assert "Look at the dashboards" in page.text
    [form] = [one for one in page.forms() if "_approvals/" in one.action]
    done = page.submit(form.action, verdict="approve", comment="go")
    assert "Approved." in done.text
    assert "Nothing waits for you" in done.text
    again = page.submit(form.action, verdict="reject")
    assert again.status in {403, 409}
    assert house.drive(run.id).result == "Succeeded"
    history = browser.get("/local/default/_environments")
    assert "Succeeded" in history.text


def test_who_queued_the_run_does_not_approve_it_where_that_is_not_allowed(
    house: House, browser: Browser, open_browser: OpenBrowser
) -> None:
    ada = open_browser("ada")
    _approval(house, browser, "ada", requesterCannotBeApprover="true")
    run = house.run(DEPLOYS, by="ada")
    browser.get("/local/default/_build/results", buildId=run.id).submit("/permit")
    house.drive(run.id)
    assert "Nothing waits for you" in ada.get("/local/default/_approvals").text
    page = browser.get("/local/default/_approvals", all=1)
    assert "It waits for ada" in page.text
    assert not [one for one in page.forms() if "_approvals/" in one.action]
    with house.state.database.read() as transaction:
        [request] = requests.of_run(transaction, run.id, state="running")
    forced = ada.post(
        f"/local/default/_approvals/{run.id}/{request.resource_id}", {"__csrf": ada.csrf, "verdict": "approve"}
    )
    assert forced.status == 403
    assert "the requester may not approve it" in forced.text


def test_the_audit_log_is_for_administrators_and_says_whether_it_is_whole(
    house: House, browser: Browser, open_browser: OpenBrowser
) -> None:
    house.connection()
    page = browser.get("/local/default/_settings/audit", verify=1)
    assert "Created Service Connection" in page.text
    assert "Whole: every entry is as it was written" in page.text
    refused = open_browser("ada").get("/local/default/_settings/audit")
    assert refused.status == 403
    assert "That takes an administrator of the organization" in refused.text
