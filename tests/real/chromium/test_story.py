"""The whole story in a browser: a connection is made, a run waits for it, somebody permits it, the log comes live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tests.real.chromium.conftest import Browser, OpenBrowser, Served

from sluice.testing.ssh_host import SshHost

pytestmark = pytest.mark.real

PASSWORD = "correct-horse-7"
RELEASE = """
stages:
- stage: Build
  jobs:
  - job: Compile
    steps:
    - checkout: none
    - script: |
        echo "##[group]Dependencies"
        for i in $(seq 1 40); do echo "fetched package $i"; done
        echo "##[endgroup]"
        for i in $(seq 1 300); do printf '\\033[32mok\\033[0m file_%d.c\\n' $i; done
      displayName: Compile everything
- stage: Deploy
  displayName: Deploy to the build host
  jobs:
  - job: Copy
    steps:
    - checkout: none
    - task: SSH@0
      displayName: Say hello over there
      inputs: {sshEndpoint: build-host, runOptions: inline, inline: echo hello from over there}
"""
DEPLOYS = """
stages:
- stage: Deploy
  jobs:
  - deployment: Web
    environment: production
    strategy: {runOnce: {deploy: {steps: [{script: echo deployed to production}]}}}
"""
SETTINGS = "/local/default/_settings/adminservices"


@pytest.fixture
def host() -> Iterator[SshHost]:
    with SshHost(password=PASSWORD) as started:
        yield started


def _make_connection(browser: Browser, host: SshHost) -> None:
    browser.open(f"{SETTINGS}/new")
    browser.fill("#find", "remote host")
    assert len([one for one in browser.driver.find_elements(By.CSS_SELECTOR, "#kinds li") if one.is_displayed()]) < 4
    browser.find('a[href$="/new/ssh"]').click()
    for css, text in (
        ("#field-Host", "127.0.0.1"),
        ("#field-Port", str(host.port)),
        ("#field-username", host.user),
        ("#field-password", "no-such-password"),
    ):
        browser.fill(css, text)


def test_a_connection_a_permit_and_a_live_log(browser: Browser, served: Served, host: SshHost) -> None:
    served.sluice("connection", "create", "other", "--type", "generic", "--url", "https://files.example/")
    browser.open(SETTINGS)
    browser.click("New service connection")
    browser.keep("gallery")
    _make_connection(browser, host)
    browser.click("Verify", "form")  # nobody knows the host yet
    browser.reads(host.fingerprint)
    browser.keep("connection-fingerprint")
    browser.find('#trust input[type="checkbox"]').click()
    browser.click("Verify", "form")
    browser.reads("Wrong user name or password")
    assert browser.find("#field-password").get_attribute("value") == "no-such-password"
    browser.keep("connection-refused")
    browser.fill("#field-password", PASSWORD)
    browser.click("Verify", "form")
    browser.reads("It works:")
    browser.click("Save", "form")  # it has no name yet
    browser.reads("This is required.")
    browser.fill("#name", "build-host")
    browser.click("Verify and save", "form")
    browser.reads("It works, and is stored.")
    browser.keep("connection-overview")
    assert PASSWORD not in browser.driver.page_source

    number = served.pipeline(RELEASE)
    browser.open(f"/local/default/_build?definitionId={number}")
    browser.click("Run pipeline")
    browser.click("Run", "#start")
    banner = (
        "This pipeline needs permission to access a resource before this run can continue to Deploy to the build host"
    )
    browser.reads(banner)
    browser.keep("run-banner")
    browser.click("View")
    browser.reads("Waiting for review")
    browser.reads("Permission needed")
    browser.keep("run-review")
    browser.click("Permit", "#review")
    browser.reads("Permit access?")
    browser.reads(
        "Granting permission here will permit the use of Service connection 'build-host' "
        "for all waiting and future runs of this pipeline."
    )
    browser.keep("run-permit")
    browser.click("Permit", "dialog:not(#review)")
    browser.reads("hello from over there")
    browser.until(lambda: browser.find("#run-head .pill").text == "Succeeded", "the run succeeded")
    browser.keep("run-succeeded")

    browser.open(SETTINGS)
    browser.click("build-host")
    browser.click("Usage history")
    browser.reads("SSH@0")
    browser.reads("release")
    browser.keep("connection-usage")
    browser.click("Security")
    browser.reads("Pipeline permissions")
    browser.reads("release")
    browser.reads("Administrator")
    browser.keep("connection-security")
    browser.click("Approvals and checks")
    browser.reads("No checks")


def test_two_people_at_two_browsers(browser: Browser, open_browser: OpenBrowser, served: Served) -> None:
    ada = open_browser("ada")
    served.sluice("environment", "create", "production", "--allow-all-pipelines")
    number = served.pipeline(DEPLOYS, "shop")
    served.sluice("check", "add", "approval", "--environment", "production", "--approver", "ada")
    browser.open(f"/local/default/_build?definitionId={number}")
    browser.click("Run pipeline")
    browser.click("Run", "#start")
    browser.reads("A check must pass before this run can continue to Deploy")
    browser.keep("run-approval")
    ada.open("/local/default/_approvals")
    ada.reads("Environment production")
    ada.fill("textarea", "it is fine")
    ada.keep("approvals")
    ada.click("Approve")
    ada.reads("Nothing waits for you")
    browser.until(
        lambda: browser.find("#run-head .pill").text == "Succeeded", "the run went on before the eyes of who watches"
    )
    browser.reads("deployed to production")
    browser.open("/local/default/_environments")
    browser.reads("Succeeded")
    browser.keep("environments")


def test_a_permit_by_keyboard_alone(browser: Browser, served: Served) -> None:
    served.sluice(
        "connection", "create", "build-host", "--type", "ssh", "--set", "Host=127.0.0.1", "--set", "username=x"
    )
    number = served.pipeline(RELEASE)
    browser.open(f"/local/default/_build?definitionId={number}")
    browser.click("Run pipeline")
    browser.click("Run", "#start")
    browser.reads("This pipeline needs permission")
    body = browser.driver.find_element(By.TAG_NAME, "body")

    def tab_to(text: str) -> None:
        for _ in range(80):
            focused = browser.driver.switch_to.active_element
            if focused.text.strip() == text:
                return
            focused.send_keys(Keys.TAB)
        raise AssertionError(f"the Tab key does not reach '{text}'")

    body.send_keys(Keys.TAB)
    tab_to("View")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.reads("Waiting for review")
    tab_to("Permit")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.reads("Permit access?")
    assert browser.driver.switch_to.active_element.text.strip() == "Permit"
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    browser.until(lambda: "Permit access?" not in browser.text, "Escape closes the dialog")
    assert browser.driver.switch_to.active_element.text.strip() == "Permit"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.until(lambda: "This pipeline needs permission" not in browser.text, "the permit is given")


def test_fields_follow_the_values_that_they_go_with(browser: Browser, served: Served) -> None:
    served.sluice("connection", "create", "other", "--type", "generic", "--url", "https://files.example/")
    browser.open(f"{SETTINGS}/new/azurerm?scheme=ServicePrincipal")
    assert browser.find("#field-subscriptionId").is_displayed()
    assert not browser.driver.find_element(By.ID, "field-managementGroupId").is_displayed()
    browser.find("#field-scopeLevel option[value='ManagementGroup'], #field-scopeLevel").send_keys("ManagementGroup")
    browser.until(lambda: browser.find("#field-managementGroupId").is_displayed(), "the group's fields")
    assert not browser.driver.find_element(By.ID, "field-subscriptionId").is_displayed()
    browser.keep("form-follows")
