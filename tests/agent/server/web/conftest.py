"""Somebody at a browser: signed in with a cookie, sending the forms that the pages show; and runs to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import URL, TokenOf

from sluice.connections.connection import Draft
from sluice.dispatch.local import LocalDispatcher
from sluice.language.compiler import compile_pipeline
from sluice.runs.creation import NewRun, create
from sluice.runs.driver import Driver, Waiting
from sluice.runs.installation import find_task
from sluice.runs.predefined import Source
from sluice.secret import Secret
from sluice.server.app import create_app
from sluice.server.caller import Caller
from sluice.server.state import ServerState
from sluice.storage import pipelines, projects
from sluice.storage.records import RecordRow
from sluice.storage.runs import RunRow

WAITS = """
stages:
- stage: Build
  jobs:
  - job: Compile
    steps:
    - checkout: none
    - script: |
        echo "##[group]Dependencies"
        echo "fetched <script>alert(1)</script>"
        echo "##[endgroup]"
        printf '\\033]0;title\\007\\033[31mred\\033[0m\\n'
      displayName: Compile everything
- stage: Deploy
  displayName: Deploy to web
  jobs:
  - job: Copy
    steps:
    - checkout: none
    - task: CopyFilesOverSSH@0
      inputs: {sshEndpoint: web1, contents: '*.yml', targetFolder: /tmp/x}
"""


@dataclass
class Page:
    """An answer, as somebody who looks at it has it."""

    response: httpx2.Response
    browser: Browser

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> str:
        return self.response.text

    @property
    def text(self) -> str:
        """What is to be read on it, blanks as one."""
        reader = _Reader()
        reader.feed(self.html)
        return " ".join(" ".join(reader.found).split())

    def forms(self) -> list[Form]:
        reader = _Reader()
        reader.feed(self.html)
        return reader.forms

    def submit(self, ending: str, /, **entered: str) -> Page:
        """Send the form whose action ends like this ('': the one that sends to its own page), as it is shown, with what
        is entered."""
        [form, *_] = [one for one in self.forms() if (one.action.endswith(ending) if ending else not one.action)]
        target = form.action or str(self.response.url)
        return self.browser.follow(
            self.browser.client.post(target, data={**form.values, **entered}, headers={"origin": URL})
        )


@dataclass
class Form:
    action: str
    values: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    """The visible text of a page, and its forms with what is filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.forms: list[Form] = []
        self._hidden = 0
        self._within = self._select = ""
        self._options = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"script", "style", "svg", "title"}:
            self._hidden += 1
        if tag == "form" and given.get("method") == "post":
            self.forms.append(Form(given.get("action", "")))
        if not self.forms:
            return
        values = self.forms[-1].values
        if tag == "input" and "name" in given:
            box = given.get("type") in {"checkbox", "radio"}
            if "checked" in given or not box:
                values.setdefault(given["name"], given.get("value", "on" if box else ""))
        if tag == "textarea":
            self._within = given["name"]
            values[self._within] = ""
        if tag == "select":
            self._select, self._options = given["name"], 0
        if tag == "option":
            self._options += 1
            self._within = ""
            if self._options == 1 or "selected" in given:  # the first one, unless another is
                values[self._select] = given.get("value", "")
                self._within = "" if "value" in given else self._select

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "svg", "title"}:
            self._hidden -= 1
        if tag in {"textarea", "option"}:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)
        if self._within and self.forms:
            values = self.forms[-1].values
            values[self._within] = values[self._within] or data


@dataclass
class Browser:
    """A person at a browser."""

    client: TestClient

    def get(self, path: str, **parameters: object) -> Page:
        return self.follow(self.client.get(path, params={key: str(value) for key, value in parameters.items()}))

    def post(self, path: str, data: Mapping[str, str]) -> Page:
        return Page(self.client.post(path, data=dict(data), headers={"origin": URL}), self)

    def follow(self, answer: httpx2.Response) -> Page:
        while answer.is_redirect:
            answer = self.client.get(answer.headers["location"])
        return Page(answer, self)

    @property
    def csrf(self) -> str:
        found = re.search(r'name="__csrf" value="([0-9a-f]+)"', self.get("/").html)
        assert found
        return found[1]


@dataclass
class House:
    """The installation behind the server."""

    state: ServerState
    folder: Path

    @property
    def caller(self) -> Caller:
        from sluice.rights import local_administrator

        return Caller(state=self.state, actor=local_administrator("root"), how="token")

    def connection(self, name: str = "web1", **more: str) -> str:
        """An SSH connection; answers its id."""
        draft = Draft(
            name=name,
            type="ssh",
            values={"Host": "web1.example", "username": "deploy"},
            secrets={"password": Secret("correct-horse-7")},
            **more,  # type: ignore[arg-type]
        )
        return self.caller.connections.create("default", draft, by="root").record.id

    def run(self, text: str = WAITS, *, name: str = "release", by: str = "root", drive: bool = True) -> RunRow:
        """A run of that pipeline, carried out as far as it goes."""
        orchestrator = self.caller.orchestrator
        file = self.folder / name / "azure-pipelines.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        with self.state.database.write() as transaction:
            project = projects.ensure(transaction, "default")
            pipeline = pipelines.ensure(transaction, project, name=name, source=str(file), by=by, at=1.0)
        plan = compile_pipeline(file.name, text, catalogue=orchestrator.tasks())
        source = Source(root=str(file.parent), name=name, branch="refs/heads/main")
        new = NewRun(plan=plan, project=project, pipeline=pipeline, source=source, requested_by=by)
        made = create(orchestrator, new)
        return self.drive(made.id) if drive else made

    def drive(self, run_id: int) -> RunRow:
        orchestrator = self.caller.orchestrator
        driver = Driver(
            orchestrator,
            LocalDispatcher(find_task),
            _Nobody(),
            lambda _: Waiting.LEAVE,
            cancel=self.caller.decisions.cancel,
        )
        return driver.drive(run_id)

    def records(self, run_id: int, kind: str = "Task") -> list[RecordRow]:
        from sluice.storage import records

        with self.state.database.read() as transaction:
            return records.of_run(transaction, run_id, kinds=(kind,))


class _Nobody:
    """Looks at no run."""

    def run_started(self, *_: object) -> None: ...
    def record_changed(self, *_: object) -> None: ...
    def log_written(self, *_: object) -> None: ...
    def waiting(self, *_: object) -> None: ...
    def run_finished(self, *_: object) -> None: ...


OpenBrowser = Callable[..., Browser]


@pytest.fixture
def house(state: ServerState, tmp_path: Path) -> House:
    return House(state, tmp_path)


@pytest.fixture
def open_browser(state: ServerState, token_of: TokenOf) -> Iterator[OpenBrowser]:
    """Signs a person in at a browser of its own."""
    clients: list[TestClient] = []

    def sign_in(user: str = "") -> Browser:
        app = create_app(state)
        made = TestClient(app, base_url=URL, follow_redirects=False).__enter__()
        clients.append(made)
        answer = made.post("/sign-in", data={"token": token_of(user)}, headers={"origin": URL})
        assert answer.status_code == 200
        return Browser(made)

    yield sign_in
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def browser(open_browser: OpenBrowser) -> Browser:
    """The local administrator."""
    return open_browser()
