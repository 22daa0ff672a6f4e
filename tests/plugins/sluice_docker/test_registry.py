from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from tests.doubles.web import Call, Double, Reply, served

from sluice.plugin import Connection, Secret, VerificationError
from sluice_docker import verify_registry

PASSWORD = "pw-55d1c0"
RIGHT = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
TOKEN = "token-81b2"  # one that its token service gives


class TokenRegistry(Double):
    """A registry that wants tokens of a token service, as Docker Hub does."""

    def __init__(self) -> None:
        super().__init__()
        self.challenge = ""
        self.accepts = TOKEN
        self.status = 401

    def answer(self, call: Call) -> Reply:
        given = call.headers.get("authorization")
        if call.path == "/token":
            self.expect(call.query.get("service") == "tests", "the service of the challenge is asked for")
            return Reply(200, {"token": TOKEN}) if given == RIGHT else Reply(401, {})
        self.expect(call.path == "/v2/", f"{call.path} is asked")
        self.expect(given != RIGHT, "the registry itself is not shown the password")
        if given == f"Bearer {self.accepts}":
            return Reply(200, {})
        challenge = self.challenge or f'Bearer realm="{self.url}/token",service="tests"'
        return Reply(self.status, {}, headers={"WWW-Authenticate": challenge})


@pytest.fixture
def registry() -> Iterator[TokenRegistry]:
    double = TokenRegistry()
    with served(double):
        yield double
    assert double.complaints == []


def connection(registry: TokenRegistry, password: str = PASSWORD) -> Connection:
    return Connection(
        id="1",
        name="hub",
        type="dockerregistry",
        scheme="UsernamePassword",
        parameters={"registry": registry.url, "username": "me", "password": Secret(password)},
    )


def test_a_token_is_fetched_with_the_password_and_shown_to_the_registry(registry: TokenRegistry) -> None:
    assert verify_registry(connection(registry)).endswith("accepts the user me")


def test_a_token_service_that_refuses_the_password_is_told(registry: TokenRegistry) -> None:
    with pytest.raises(VerificationError, match="does not accept the user name and password") as refusal:
        verify_registry(connection(registry, "wrong-7a21"))
    assert "wrong-7a21" not in str(refusal.value)


def test_a_token_that_the_registry_does_not_take_is_told(registry: TokenRegistry) -> None:
    registry.accepts = "another"
    with pytest.raises(VerificationError, match="does not accept the user name and password"):
        verify_registry(connection(registry))


@pytest.mark.parametrize(("status", "challenge"), [(404, "Bearer x"), (500, "Basic")])
def test_what_is_no_registry_is_told(registry: TokenRegistry, status: int, challenge: str) -> None:
    registry.status, registry.challenge = status, challenge
    with pytest.raises(VerificationError, match="there is no Docker registry at"):
        verify_registry(connection(registry))


def test_an_unknown_way_of_authentication_is_told(registry: TokenRegistry) -> None:
    registry.challenge = "Negotiate"
    with pytest.raises(VerificationError, match="not known: 'negotiate'"):
        verify_registry(connection(registry))


def test_a_registry_for_everybody_does_not_prove_the_password(registry: TokenRegistry) -> None:
    registry.status = 200
    assert verify_registry(connection(registry)).endswith("the password was not checked")
