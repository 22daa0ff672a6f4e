"""The `oidctoken` endpoint of a step: what clients of Azure DevOps find there, and who gets nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sluice.errors import NotPermittedError
from sluice.hooks.connection import Connection
from sluice.hooks.token_endpoint import TokenEndpoint
from sluice.secret import Secret

ID = "0A0B0C0D-1111-2222-3333-444455556666"


def refuse() -> Secret:
    raise NotPermittedError("the permit was revoked")


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    numbers = iter(range(1, 9))
    federated = Connection(id=ID, name="a", type="azurerm", federation=lambda: Secret(f"token-{next(numbers)}"))
    revoked = Connection(id="b", name="b", type="azurerm", federation=refuse)
    plain = Connection(id="c", name="c", type="azurerm")
    with TokenEndpoint([federated, revoked, plain], path="p/_apis/jobs/1") as served:
        yield served


def ask(endpoint: TokenEndpoint, connection: str, key: str = "", kind: str = "Bearer") -> requests.Response:
    authorization = f"{kind} {key or endpoint.key.reveal()}"
    parameters = {"api-version": "7.1", "serviceConnectionId": connection}
    return requests.post(endpoint.url, params=parameters, headers={"Authorization": authorization}, timeout=10)


def test_each_request_gets_a_fresh_token(endpoint: TokenEndpoint) -> None:
    assert [ask(endpoint, name).json() for name in (ID, ID.lower())] == [{"oidcToken": f"token-{n}"} for n in (1, 2)]
    assert ask(endpoint, ID).headers["Cache-Control"] == "no-store"


def test_clients_find_where_it_is(endpoint: TokenEndpoint) -> None:
    found = requests.options(f"{endpoint.base}_apis/distributedtask", timeout=10).json()["value"]
    assert [(one["id"], one["resourceName"]) for one in found] == [
        ("69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2", "oidctoken")
    ]


@pytest.mark.parametrize(("key", "kind"), [("wrong", "Bearer"), ("", "Basic"), ("wrong\u00e9", "Bearer")])
def test_who_does_not_show_the_key_gets_nothing(endpoint: TokenEndpoint, key: str, kind: str) -> None:
    answer = ask(endpoint, ID, key.encode().decode("latin-1"), kind)
    assert (answer.status_code, "token-" in answer.text) == (401, False)


def test_other_connections_have_no_token(endpoint: TokenEndpoint) -> None:
    assert ask(endpoint, "b").status_code == 403
    assert "was revoked" in ask(endpoint, "b").json()["message"]
    assert [ask(endpoint, name).status_code for name in ("c", "", "nothing")] == [404] * 3


def test_nothing_answers_once_the_step_is_over() -> None:
    with TokenEndpoint([]) as served:
        url = served.url
    with pytest.raises(requests.ConnectionError):
        requests.post(url, timeout=10)
