"""A server of an installation of its own, and clients that are signed in at it."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sluice.connections.guard import Unrestricted
from sluice.hooks.networks import Networks
from sluice.identity.administration import Administration
from sluice.server.app import create_app
from sluice.server.settings import ServerSettings
from sluice.server.state import ServerState
from sluice.storage.home import Home

URL = "http://127.0.0.1:8080"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[ServerState]:
    # the far sides of tests are on loopback: what a server does not try otherwise
    networks = Networks((ipaddress.ip_network("127.0.0.0/8"),))
    opened = ServerState.open(ServerSettings(networks=networks), Home(tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def client(state: ServerState) -> Iterator[TestClient]:
    """Nobody, at the server."""
    with TestClient(create_app(state), base_url=URL, raise_server_exceptions=False, follow_redirects=False) as made:
        yield made


TokenOf = Callable[..., str]


@pytest.fixture
def token_of(state: ServerState) -> TokenOf:
    """Makes an access token of a user, whom it makes where there is none."""

    def make(user: str = "", scope: str = "app_token", name: str = "test") -> str:
        with state.database.write() as transaction:
            administration = Administration(Unrestricted("root"))
            if user:
                from sluice.storage import people

                if people.find(transaction, user) is None:
                    administration.create_user(transaction, user, at=time.time())
            made = administration.create_token(transaction, user, name, [scope], days=1, at=time.time())
        return made[1].reveal()

    return make


@pytest.fixture
def owner(client: TestClient, token_of: TokenOf) -> TestClient:
    """The local administrator, with an access token."""
    client.auth = ("", token_of())
    client.headers["accept"] = "application/json;api-version=7.1-preview"
    return client
