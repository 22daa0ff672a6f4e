"""Whom the server answers: names it is known by, pages that changes may come from, sizes that it reads."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from sluice.server.settings import MAX_BODY, ServerSettings


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example:8080", "localhost:81"])
def test_a_name_that_is_not_the_servers_is_refused_whoever_asks(owner: TestClient, host: str) -> None:
    """A page whose name was rebound to this machine (DNS rebinding) names its own host."""
    assert owner.get("/_apis/projects", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "LOCALHOST:8080", "[::1]:8080"])
def test_the_names_of_this_machine_are_known(owner: TestClient, host: str) -> None:
    assert owner.get("/_apis/projects", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_change_that_another_page_asks_for_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/sign-in", data={"token": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.text


def test_a_body_that_is_too_large_is_not_read(client: TestClient) -> None:
    assert client.post("/sign-in", content=b"x" * (MAX_BODY + 1)).status_code == 413


def test_a_public_address_is_a_name_of_the_server() -> None:
    settings = ServerSettings(public_url="https://sluice.example", hosts=("other.example:8443",))
    assert settings.knows("sluice.example")
    assert settings.knows("other.example:8443")
    assert not settings.knows("sluice.example.evil.test")
    assert settings.secure
    assert settings.collection_url == "https://sluice.example/local/"
