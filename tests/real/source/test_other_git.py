"""Verification of `git` connections against a real git server."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.conftest import Giver

from sluice.plugin import Connection, VerificationError
from sluice.testing.connections import make_connection
from sluice_source import verify_git

if TYPE_CHECKING:
    from tests.real.source.conftest import GitServer

pytestmark = pytest.mark.real

PASSWORD = "git-pass-0815-x"


def connection(url: str, password: str = PASSWORD) -> Connection:
    return make_connection("git", "repo", url=url, values={"username": "user", "password": password})


def refusal(asked: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify_git(asked)
    return str(raised.value)


def test_verification_tells_why_not(git_servers: Callable[..., GitServer], evidence: Giver) -> None:
    server = git_servers(accepted="Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode())
    server.repository("tools")
    url = f"{server.url}/tools.git"
    said = verify_git(connection(url))
    assert said.startswith(f"{server.url} showed the repository to user")
    assert "without encryption" in said
    assert "not checked" not in said
    assert "does not accept the user name and password" in refusal(connection(url, "wrong-password"))
    assert "there is no git repository at this URL" in refusal(connection(f"{server.url}/gone.git"))
    assert "the server wants authentication" in refusal(make_connection("git", "repo", url=url))
    assert "refused the connection" in refusal(connection("http://127.0.0.1:1/x.git"))
    assert "link-local" in refusal(connection("http://169.254.169.254/x.git"))
    evidence("git", "UsernamePassword", "verified right", "git http-backend")
    evidence("git", "UsernamePassword", "verified wrong", "git http-backend")


def test_a_repository_for_everybody_proves_nothing(git_servers: Callable[..., GitServer]) -> None:
    server = git_servers()
    server.repository("tools")
    assert "so the credentials were not checked" in verify_git(connection(f"{server.url}/tools.git"))


def test_a_redirect_to_another_server_is_not_followed(git_servers: Callable[..., GitServer]) -> None:
    server, other = git_servers(), git_servers()
    server.redirect = other.url
    assert f"redirects to {other.url}" in refusal(connection(f"{server.url}/tools.git"))
    assert other.asked == []
