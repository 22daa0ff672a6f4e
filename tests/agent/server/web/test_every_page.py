"""What holds for every page that a person can get to by following links, whoever it is."""

from __future__ import annotations

import re
import time
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from tests.agent.server.conftest import URL
from tests.agent.server.web.conftest import Browser, House, OpenBrowser
from tests.agent.server.web.test_pages_environments import DEPLOYS

from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, SECURE_FILE, VARIABLE_GROUP
from sluice.authorization.roles import PIPELINE, Level, Role
from sluice.connections.guard import Unrestricted
from sluice.identity import assignments
from sluice.library.environments import EnvironmentStore
from sluice.library.group import GroupDraft
from sluice.runs.check_configuring import Entered
from sluice.secret import Secret
from sluice.storage import projects
from sluice.storage.permissions import Resource

SECRETS = ("correct-horse-7", "tok-canary-1234", "file-canary-5678", "check-canary-9012")
MOST = 400


@pytest.fixture(autouse=True)
def everything(house: House) -> None:
    """An installation with something of everything, and a secret in all that holds one."""
    caller = house.caller
    house.connection()
    caller.groups.create(
        "default", GroupDraft(name="settings", variables={"a": "b"}, secrets={"token": Secret(SECRETS[1])}), by="root"
    )
    caller.files.upload("default", "key.pem", SECRETS[2].encode(), by="root")
    with house.state.database.write() as transaction:
        EnvironmentStore(caller.guard).create(transaction, "default", "production", by="root", all_pipelines=True)
    kinds = caller.orchestrator.kinds()
    asks = Entered(settings={"function": "https://f.example/api"}, secrets={"key": Secret(SECRETS[3])})
    caller.configurations.add("default", ENDPOINT, "web1", kinds.get("azure-function"), asks)
    caller.configurations.add("default", ENVIRONMENT, "production", kinds.get("exclusive-lock"), Entered())
    caller.connections.delete("default", house.connection("old"), by="root")
    house.run()
    house.run(DEPLOYS, name="shop")
    house.run("steps: [{checkout: none}, {script: exit 1}]", name="broken")


def _crawl(browser: Browser) -> dict[str, tuple[int, str, dict[str, str]]]:
    """Every page that links lead to, from the list of projects on; forms of types are one of a kind."""
    found: dict[str, tuple[int, str, dict[str, str]]] = {}
    wanted = ["/"]
    while wanted and len(found) < MOST:
        path = wanted.pop()
        answer = browser.client.get(path)
        if answer.is_redirect:
            wanted.append(answer.headers["location"])
            found[path] = (200, "", dict(answer.headers))
            continue
        found[path] = (answer.status_code, answer.text, dict(answer.headers))
        if "html" not in answer.headers["content-type"]:
            continue
        for link in re.findall(r'<a [^>]*href="([^"]+)"', answer.text):
            parts = urlsplit(urljoin(URL + path, unescape(link)))
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            if f"{parts.scheme}://{parts.netloc}" == URL and target not in found and target not in wanted:
                wanted.append(target)
    return found


def test_no_page_holds_a_secret_and_none_breaks_the_content_policy(browser: Browser) -> None:
    pages = _crawl(browser)
    assert len(pages) > 60
    for path, (status, html, headers) in pages.items():
        assert status == 200, path
        assert not [one for one in SECRETS if one in html], path
        if "html" not in headers.get("content-type", ""):
            continue
        assert "script-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert not re.search(r"<script(?![^>]* src=)[^>]*>", html), path
        assert not re.search(r"<[^>]* (?:style|on[a-z]+)=", html), path
        assert "javascript:" not in html, path
        for form in re.findall(r"<form [^>]*method=\"post\".*?</form>", html, re.DOTALL):
            assert 'name="__csrf"' in form, path


def test_nothing_that_a_reader_is_offered_is_refused(house: House, open_browser: OpenBrowser) -> None:
    ada = open_browser("ada")
    with house.state.database.write() as transaction:
        home = projects.find(transaction, "default")
        subject = assignments.find_subject(transaction, home, "ada")
        for kind in (ENDPOINT, ENVIRONMENT, VARIABLE_GROUP, SECURE_FILE, PIPELINE):
            place = assignments.Place(Resource(home.id, "", kind), Level.HUB)
            assignments.set_role(transaction, Unrestricted("root"), place, subject, Role.READER, at=time.time())
    pages = _crawl(ada)
    assert len(pages) > 25
    refused = {path: status for path, (status, _, _) in pages.items() if status != 200}
    assert refused == {}
    changes = {
        path: re.findall(r'<form method="post" action="(?!/sign-out)[^"]*"', html)
        for path, (_, html, _) in pages.items()
        if re.search(r'<form method="post" action="(?!/sign-out)', html)
    }
    assert changes == {}


def test_who_has_no_role_finds_nothing(open_browser: OpenBrowser) -> None:
    for path, (_, html, _) in _crawl(open_browser("eve")).items():
        for name in ("web1", "settings.", "key.pem", "release"):
            assert name not in re.sub(r"_settings|/static/[^\"]*", "", html), path
