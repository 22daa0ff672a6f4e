"""Abuse case 15, over the web: forged requests of a browser, rebound names, and no token even on localhost.

That the requester may not approve and that a decision counts once is asked where it is stored, and by the addresses of
approvals in `tests/agent/server/rest/test_checks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sluice.connections.connection import Draft
from sluice.rights import OWNER_ID
from sluice.server.app import create_app
from sluice.server.sessions import csrf_of, make_link
from sluice.server.settings import ServerSettings
from sluice.server.state import ServerState
from sluice.storage import permissions, projects
from sluice.storage.home import Home
from sluice.storage.permissions import Resource

OPEN = {"allPipelines": {"authorized": True}}
VERSION = {"api-version": "7.1-preview.1"}
WITHOUT_SIGNING_IN = {
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/_apis",
    "/_apis/{area}",
}
"""What nobody has to be signed in for: keys to be checked with, and where resources are found. Nothing that is stored."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[ServerState]:
    opened = ServerState.open(ServerSettings(), Home(tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def browser(state: ServerState) -> Iterator[TestClient]:
    """A browser in which the local administrator is signed in."""
    app = create_app(state)
    with TestClient(
        app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False, follow_redirects=False
    ) as made:
        made.get("/sign-in", params={"once": make_link(state).reveal()})
        yield made


@pytest.fixture
def depot(state: ServerState) -> str:
    draft = Draft(name="depot", type="generic", scheme="UsernamePassword", url="https://depot.example")
    return state.store().create("default", draft, by="root").record.id


def _path(depot: str) -> str:
    return f"/local/default/_apis/pipelines/pipelinePermissions/endpoint/{depot}"


def _is_open(state: ServerState, depot: str) -> bool:
    with state.database.read() as transaction:
        resource = Resource(projects.find(transaction, "default").id, depot)
        return permissions.permitted(transaction, resource, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"x-csrf-token": "0" * 64},
        {"host": "evil.example"},
    ],
)
def test_a_forged_request_of_the_browser_changes_nothing(
    browser: TestClient, state: ServerState, depot: str, headers: dict[str, str]
) -> None:
    """The browser sends the cookie along; what only the page knows, and where it comes from, it cannot make up."""
    answer = browser.patch(_path(depot), params=VERSION, json=OPEN, headers=headers)
    assert answer.status_code in {403, 421}
    assert not _is_open(state, depot)


def test_a_form_of_another_site_is_no_change_either(browser: TestClient, state: ServerState, depot: str) -> None:
    answer = browser.post("/sign-out", data={"anything": "x"}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert browser.get("/_apis/connectionData").status_code == 200


def test_the_page_of_the_session_itself_may(browser: TestClient, state: ServerState, depot: str) -> None:
    headers = {"x-csrf-token": csrf_of(browser.cookies["sluice-8080"]), "origin": "http://127.0.0.1:8080"}
    assert browser.patch(_path(depot), params=VERSION, json=OPEN, headers=headers).status_code == 200
    assert _is_open(state, depot)


def test_what_one_session_knows_is_nothing_in_another(browser: TestClient, state: ServerState, depot: str) -> None:
    first = csrf_of(browser.cookies["sluice-8080"])
    browser.cookies.clear()
    browser.get("/sign-in", params={"once": make_link(state).reveal()})
    assert browser.patch(_path(depot), params=VERSION, json=OPEN, headers={"x-csrf-token": first}).status_code == 403


def test_nobody_is_told_anything_without_signing_in_not_even_on_localhost(browser: TestClient, depot: str) -> None:
    """Enumeration by nobody: every address of the description asks who it is, before it looks for anything."""
    browser.cookies.clear()
    found = browser.get("/_apis/openapi.json").json()["paths"]
    asked = 0
    for path, operations in found.items():
        if path in WITHOUT_SIGNING_IN:
            continue
        for method in operations:
            known = path.replace("{project}", "default").replace("{endpointId}", depot).replace("{resourceId}", depot)
            address = known.replace("{resourceType}", "endpoint").replace("{", "").replace("}", "")
            answer = browser.request(method.upper(), address, params=VERSION, json={})
            assert answer.status_code in {400, 401, 404}, f"{method} {path}: {answer.status_code}"
            assert "depot" not in answer.text, path
            asked += 1
    assert asked > 80


def test_a_sign_in_that_fails_says_nothing_about_who_there_is(browser: TestClient) -> None:
    browser.cookies.clear()
    for user in ("root", "nobody", OWNER_ID):
        answer = browser.get("/_apis/connectionData", auth=(user, "wrong"))
        assert answer.status_code == 401
        assert user not in answer.text
