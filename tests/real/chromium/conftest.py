"""A real Chromium in front of a real server: one process of `sluice serve`, browsers with profiles of their own.

Pictures of what the tests see are kept for the eye in the folder that `SLUICE_SCREENSHOTS` names, else with the test.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

_INSTALL = "apt-get install chromium chromium-driver"
PATIENCE = 30.0
"""How long a test waits for what a page comes to show: reached on a machine that is busy, hardly ever elsewhere."""

T = TypeVar("T")

AXE = "4.10.3"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Served:
    """A server of an installation of its own."""

    home: Path
    folder: Path
    port: int = 0
    link: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLUICE_HOME": str(self.home), "NO_COLOR": "1"}

    def sluice(self, *arguments: str, given: str = "") -> str:
        """Run a command of this installation and answer what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "sluice", *arguments],
            input=given,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode in {0, 4}, done.stderr
        return done.stdout

    def start(self) -> None:
        """Serve, on the same port as before."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-u",
                    "-m",
                    "sluice",
                    "serve",
                    "--port",
                    str(self.port),
                    "--allow-network",
                    "127.0.0.0/8",
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "/sign-in?once=" in line:
                self.link = line.strip()
                return
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        """As a machine that loses its power ends it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def pipeline(self, text: str, name: str = "release") -> str:
        """Make a pipeline known, which is permitted nothing, and answer its number."""
        file = self.folder / name / "azure-pipelines.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return str(
            json.loads(self.sluice("pipeline", "create", name, str(file), "--no-grant", "--output", "json"))["id"]
        )


@dataclass
class Browser:
    """A person at a Chromium."""

    driver: webdriver.Chrome
    served: Served
    pictures: Path
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.driver.get(path if path.startswith("http") else f"{self.served.url}{path}")
        self.listen()

    def find(self, css: str) -> WebElement:
        """The element, once it is there."""
        return self.until(lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, css)), None), css)

    def button(self, text: str, within: str = "body") -> WebElement:
        """The visible button or link of that text, once it is there."""

        def look() -> WebElement | None:
            for one in self.driver.find_elements(By.CSS_SELECTOR, f"{within} button, {within} a"):
                if one.is_displayed() and one.text.strip() == text:
                    return one
            return None

        return self.until(look, text)

    def click(self, text: str, within: str = "body") -> None:
        self.button(text, within).click()

    def step(self, title: str) -> None:
        """Open the log of the step of that title."""

        def look() -> WebElement | None:
            links = self.driver.find_elements(By.CSS_SELECTOR, "#tree a[data-step]")
            return next((one for one in links if title in one.text.splitlines()), None)

        self.until(look, title).click()

    def fill(self, css: str, text: str) -> None:
        element = self.find(css)
        element.clear()
        element.send_keys(text)

    @property
    def text(self) -> str:
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def reads(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.until(lambda: text in self.text, text)

    def until(self, look: Callable[[], T | None], what: str) -> T:
        wait = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[Exception])
        try:
            found = wait.until(lambda _: look() or False)
        except TimeoutException:
            self.keep("not-found")
            shown = self.text[-3000:]
            raise AssertionError(f"the page does not show '{what}': {self.driver.current_url}\n{shown}") from None
        self.listen()
        return found

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def keep(self, name: str) -> None:
        """Keep a picture for the eye."""
        self.driver.save_screenshot(str(self.pictures / f"{name}.png"))

    def size(self, width: int, height: int = 900) -> None:
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)

    def colours(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def listen(self) -> None:
        """Note what the browser complains of: a breach of the content policy, a script that fails."""
        for entry in self.driver.get_log("browser"):  # type: ignore[no-untyped-call]
            text = entry["message"]
            expected = "net::ERR_" in text or "the server responded with a status of 4" in text
            if entry["level"] == "SEVERE" and not expected:
                self.complaints.append(text)


OpenBrowser = Callable[..., Browser]


@pytest.fixture(scope="session")
def chromium(require_program: Callable[[str, str], Path]) -> tuple[Path, Path]:
    return require_program("chromium", _INSTALL), require_program("chromedriver", _INSTALL)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "work"
    folder.mkdir()
    made = Served(tmp_path / "home", folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def drivers(chromium: tuple[Path, Path]) -> Iterator[Callable[[int], webdriver.Chrome]]:
    """Browsers by number, each with a new and empty profile; started when they are asked for, and used again."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(_: int) -> webdriver.Chrome:
            profile = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="sluice-chromium-", ignore_cleanup_errors=True)
            )
            options = webdriver.ChromeOptions()
            options.binary_location = str(chromium[0])
            for flag in (*_FLAGS, f"--user-data-dir={profile}", "--window-size=1360,900"):
                options.add_argument(flag)
            options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
            driver = webdriver.Chrome(options=options, service=Service(str(chromium[1])))
            stack.callback(driver.quit)
            return driver

        yield start


@pytest.fixture
def open_browser(served: Served, drivers: Callable[[int], webdriver.Chrome], tmp_path: Path) -> Iterator[OpenBrowser]:
    """Opens a browser for a person: the owner by the one-time link, others with a token."""
    opened: list[Browser] = []
    pictures = Path(os.environ.get("SLUICE_SCREENSHOTS", "") or tmp_path / "pictures")
    pictures.mkdir(parents=True, exist_ok=True)

    def make(user: str = "") -> Browser:
        browser = Browser(drivers(len(opened)), served, pictures)
        browser.driver.get_log("browser")  # type: ignore[no-untyped-call]  # what an earlier test left
        browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        browser.size(1360)
        browser.colours("light")
        opened.append(browser)
        if user:
            _make_user(served, user)
            token = served.sluice("token", "create", "web", "--user", user, "--full-access").strip().splitlines()[-1]
            browser.open("/sign-in")
            browser.fill("#token", token)
            browser.click("Sign in", "main")
        else:
            browser.open(served.link)
        browser.reads("Projects")
        return browser

    yield make
    complaints = [text for browser in opened for text in browser.complaints]
    for browser in opened:
        browser.driver.get("about:blank")
    assert complaints == []


def _make_user(served: Served, user: str) -> None:
    known = json.loads(served.sluice("user", "list", "--output", "json"))
    if user not in {one["name"] for one in known}:
        served.sluice("user", "create", user)


@pytest.fixture
def browser(open_browser: OpenBrowser) -> Browser:
    """The owner of the installation."""
    return open_browser()


@pytest.fixture(scope="session")
def axe(require_program: Callable[[str, str], Path], request: pytest.FixtureRequest) -> str:
    """The script of axe-core, from npm; kept in pytest's cache."""
    npm = require_program("npm", "apt-get install nodejs npm")
    cache = getattr(request.config, "cache", None)
    folder = Path(cache.mkdir("axe-core")) if cache is not None else Path(tempfile.gettempdir())
    script = folder / AXE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        got = subprocess.run(
            [
                *(str(npm), "install", "--prefix", str(folder / AXE), "--ignore-scripts", "--no-audit", "--no-fund"),
                f"axe-core@{AXE}",
            ],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if got.returncode != 0:
            reason = f"npm cannot install axe-core {AXE}: {got.stderr[-500:]}"
            if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
    return script.read_text()
