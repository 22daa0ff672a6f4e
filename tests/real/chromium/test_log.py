"""The log in a browser: thousands of lines while they are written, search, folding, colours, links, harmless text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from tests.real.chromium.conftest import Browser, Served

pytestmark = pytest.mark.real

STAMP = "2026-11-25T00:00:00.0000000Z "
STREAMS = """
steps:
- checkout: none
- script: |
    say() { for round in $(seq $1 $2); do
      for i in $(seq 1 200); do echo "round $round line $i of what a busy build says"; done
      sleep 0.01
    done; }
    say 1 5
    while [ ! -e {folder}/more ]; do sleep 0.1; done
    say 6 150
    while [ ! -e {folder}/go-on ]; do sleep 0.1; done
    echo the very last line
  displayName: Say a lot
"""
SPEAKS = """
steps:
- checkout: none
- script: |
    cat {file}
  displayName: Speak
"""


def _start(browser: Browser, served: Served, text: str) -> None:
    number = served.pipeline(text)
    browser.open(f"/local/default/_build?definitionId={number}")
    browser.click("Run pipeline")
    browser.click("Run", "#start")


def _rows(browser: Browser) -> list[str]:
    return [
        str(text)
        for text in browser.run("return [...document.querySelectorAll('.ln .tx')].map((one) => one.textContent)")
    ]


def test_a_busy_log_is_followed_and_stays_small_on_the_page(browser: Browser, served: Served) -> None:
    (served.folder / "more").touch()
    _start(browser, served, STREAMS.replace("{folder}", str(served.folder)))
    browser.reads("round 150 line 200")  # thirty thousand lines, the end of them in sight as they came
    assert len(_rows(browser)) < 120
    heap = browser.run("return performance.memory.usedJSHeapSize")
    assert heap < 60_000_000
    assert browser.find("#log-tools [aria-pressed='true']").text == "Follow"
    browser.keep("log-live")
    (served.folder / "go-on").touch()
    browser.reads("the very last line")
    browser.until(lambda: browser.find("#run-head .pill").text == "Succeeded", "the run succeeded")


def test_who_scrolls_back_is_left_there_while_lines_come(browser: Browser, served: Served) -> None:
    _start(browser, served, STREAMS.replace("{folder}", str(served.folder)))
    browser.reads("round 5 line 200")
    browser.run("document.querySelector('.log-view').scrollTop = 0")
    browser.until(lambda: any("round 1 line 5 " in row for row in _rows(browser)), "the first lines")
    (served.folder / "more").touch()
    browser.until(
        lambda: browser.run("return document.querySelector('.log-space').offsetHeight") > 500_000, "more lines"
    )
    assert any("round 1 line 5 " in row for row in _rows(browser))
    browser.click("Follow")
    (served.folder / "go-on").touch()
    browser.reads("the very last line")


def test_search_folding_colours_links_and_hostile_text(browser: Browser, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "speech.txt"
    lines = [
        "##[section]Compiling",
        "##[group]Dependencies",
        *(f"fetched package {number}" for number in range(50)),
        "##[endgroup]",
        "\x1b[1;31mred and bold\x1b[0m then plain \x1b[38;5;46mgreen\x1b[0m",
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
        "\x1b]0;owned\x07\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07 \x1b[2J\x1b[999A\u202eevil",
        *(f"ordinary line {number}" for number in range(3000)),
        "the needle in the haystack",
        *(f"more of the same {number}" for number in range(2000)),
    ]
    file.write_text("\n".join(lines) + "\n")
    _start(browser, served, SPEAKS.replace("{file}", str(file)))
    browser.until(lambda: browser.find("#run-head .pill").text == "Succeeded", "the run succeeded")
    browser.reads("more of the same 1999")

    browser.fill(".log-tools input", "NEEDLE")
    browser.until(lambda: browser.find(".log-hits").text == "1/1", "one hit")
    assert browser.find(".ln.at-line mark").text == "needle"
    browser.keep("log-search")
    browser.find(".log-tools input").clear()

    browser.run("document.querySelector('.log-view').scrollTop = 0")
    fold = browser.find(".tw")
    assert fold.text == "Dependencies"
    assert fold.get_attribute("aria-expanded") == "false"
    assert not any("fetched package 0" in row for row in _rows(browser))
    fold.click()
    browser.until(lambda: any("fetched package 0" in row for row in _rows(browser)), "the open group")
    browser.find(".tw").click()
    browser.until(lambda: not any("fetched package 0" in row for row in _rows(browser)), "the closed group")
    browser.until(lambda: any("<script>" in row for row in _rows(browser)), "the hostile line as text")
    assert browser.find(".ln .f1.a-b").text == "red and bold"
    assert browser.find(".ln .f2, .ln .f10").text == "green"
    shown = _rows(browser)
    assert any("click evil" in row or ("click" in row and "evil" in row) for row in shown)
    assert not any("\x1b" in row or "\u202e" in row or "javascript:" in row for row in shown)
    assert "owned" not in browser.driver.title
    assert not browser.driver.find_elements(By.CSS_SELECTOR, ".log img, .log script, .log a[href^='javascript']")
    browser.keep("log-folded")

    number = browser.run(
        "return [...document.querySelectorAll('.ln')].find((one) => one.textContent.includes('ordinary line 3')).querySelector('a.no').dataset.line"
    )
    browser.find(f"a.no[data-line='{number}']").click()
    address = browser.driver.current_url
    assert address.endswith(f"#L{number}")
    browser.open("/")
    browser.open(address)
    browser.until(lambda: "ordinary line 3" in browser.find(".ln.at-line").text, "the line that the address names")


def test_a_million_lines_open_at_their_end(browser: Browser, served: Served) -> None:
    _start(browser, served, "steps: [{checkout: none}, {script: echo small, displayName: Speak}]")
    browser.until(lambda: browser.find("#run-head .pill").text == "Succeeded", "the run succeeded")
    step = browser.find("#log-bar").get_attribute("data-step")
    with (served.home / "logs" / "1" / f"{step}.log").open("a") as log:
        log.writelines(f"{STAMP}line {number} of a very long log\n" for number in range(1_000_000))
    browser.driver.refresh()
    browser.reads("line 999999 of a very long log")
    assert len(_rows(browser)) < 120
    browser.run("document.querySelector('.log-view').scrollTop = document.querySelector('.log-space').offsetHeight / 2")
    browser.until(lambda: any(row.startswith(("line 5", "line 49")) for row in _rows(browser)), "the middle")
    browser.fill(".log-tools input", "line 31415 ")
    browser.until(lambda: any("line 31415 " in row for row in _rows(browser)), "the line that is searched")
    timing = browser.run("return JSON.stringify(performance.getEntriesByName('log-shown').map((one) => one.startTime))")
    assert json.loads(timing)
