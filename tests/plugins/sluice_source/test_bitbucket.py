from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from tests.conftest import Giver
from tests.doubles.bitbucket import Bitbucket

from sluice.plugin import Connection, VerificationError
from sluice.testing.connections import make_connection
from sluice_source import verify_bitbucket

TOKEN = "ATATT-0123456789"
ALL = {"read:user:bitbucket", "read:repository:bitbucket"}


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
def bitbucket(serve: Callable[[Bitbucket], None]) -> Bitbucket:
    double = Bitbucket()
    serve(double)
    return double


def connection(bitbucket: Bitbucket, scheme: str = "Token", **values: str) -> Connection:
    given = values or {"email": "ada@example.com", "apitoken": TOKEN}
    return make_connection("bitbucket", "bb", url=f"{bitbucket.url}/", scheme=scheme, values=given)


@pytest.mark.parametrize(
    ("scheme", "values", "sent"),
    [
        ("Token", {"email": "ada@example.com", "apitoken": TOKEN}, basic("ada@example.com", TOKEN)),
        ("UsernamePassword", {"username": "ada", "password": TOKEN}, basic("ada", TOKEN)),
        (
            "OAuth2",
            {"ConfigurationId": "00000000-0000-0000-0000-000000000001", "AccessToken": TOKEN},
            f"Bearer {TOKEN}",
        ),
    ],
)
def test_each_scheme_sends_what_bitbucket_takes(
    bitbucket: Bitbucket, scheme: str, values: dict[str, str], sent: str, evidence: Giver
) -> None:
    bitbucket.known[sent] = ALL
    assert (
        verify_bitbucket(connection(bitbucket, scheme, **values)) == f"{bitbucket.url} knows the credentials as Ada L."
    )
    evidence("bitbucket", scheme, "verified right", "Bitbucket (double)")
    bitbucket.known.clear()
    with pytest.raises(VerificationError, match="does not accept the credentials"):
        verify_bitbucket(connection(bitbucket, scheme, **values))
    evidence("bitbucket", scheme, "verified wrong", "Bitbucket (double)")


def test_a_token_for_repositories_alone_is_good(bitbucket: Bitbucket) -> None:
    bitbucket.known[basic("ada@example.com", TOKEN)] = {"read:repository:bitbucket"}
    assert "may read repositories and not its account" in verify_bitbucket(connection(bitbucket))


def test_a_missing_scope_and_wrong_credentials_are_told_apart(bitbucket: Bitbucket) -> None:
    bitbucket.known[basic("ada@example.com", TOKEN)] = {"read:pullrequest:bitbucket"}
    with pytest.raises(VerificationError, match="lacks a scope: 403 Forbidden; it takes: read:repository:bitbucket"):
        verify_bitbucket(connection(bitbucket))
    bitbucket.known.clear()
    with pytest.raises(VerificationError, match="does not accept the credentials") as raised:
        verify_bitbucket(connection(bitbucket))
    assert TOKEN not in str(raised.value)
