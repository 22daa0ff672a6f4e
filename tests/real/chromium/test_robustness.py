"""A server that dies under a run, and what the browser makes of it."""

from __future__ import annotations

import pytest
from tests.real.chromium.conftest import Browser, Served

pytestmark = pytest.mark.real

TWO_STEPS = """
steps:
- checkout: none
- script: |
    for i in $(seq 1 100); do echo "line $i"; done
  displayName: First
- script: |
    echo waiting; while [ ! -e {go} ]; do sleep 0.1; done; echo went on
  displayName: Second
  retryCountOnTaskFailure: 2
- script: echo all is said
  displayName: Third
"""


def test_the_server_is_killed_during_a_run_and_nothing_is_lost(browser: Browser, served: Served) -> None:
    go = served.folder / "go-on"
    number = served.pipeline(TWO_STEPS.replace("{go}", str(go)))
    browser.open(f"/local/default/_build?definitionId={number}")
    browser.click("Run pipeline")
    browser.click("Run", "#start")
    browser.reads("waiting")
    address = browser.driver.current_url
    served.kill()
    browser.reads("The server does not answer.")
    browser.keep("server-lost")
    go.touch()
    served.start()
    browser.until(lambda: browser.find("#run-head .pill").text == "Succeeded", "the run goes on by itself")
    assert browser.driver.current_url == address
    assert "The server does not answer." not in browser.text
    browser.step("First")
    browser.reads("line 100")
    browser.step("Third")
    browser.reads("all is said")
    browser.keep("server-back")
