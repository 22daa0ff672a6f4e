"""Service endpoints: what is seen, by whom, and that no secret is."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.connections.connection import ConnectionRecord, Draft
from sluice.connections.store import ConnectionStore
from sluice.secret import Secret
from sluice.server.state import ServerState

ENDPOINTS = "/local/default/_apis/serviceendpoint/endpoints"


@pytest.fixture
def depot(state: ServerState) -> ConnectionRecord:
    draft = Draft(
        name="depot",
        type="generic",
        scheme="UsernamePassword",
        url="https://depot.example",
        values={"username": "ada"},
        secrets={"password": Secret("correct horse battery")},
    )
    return ConnectionStore(state.database, state.sealer).create("default", draft, by="root").record


def test_a_connection_is_found_by_name_id_and_type(owner: TestClient, depot: ConnectionRecord) -> None:
    for query in (
        "endpointNames=Depot,other",
        f"endpointIds={depot.id}",
        "type=GENERIC",
        "authSchemes=usernamepassword",
    ):
        found = owner.get(f"{ENDPOINTS}?{query}").json()
        assert [one["name"] for one in found["value"]] == ["depot"], query
    assert owner.get(f"{ENDPOINTS}?endpointNames=other").json()["count"] == 0


def test_no_secret_is_in_any_answer(owner: TestClient, depot: ConnectionRecord) -> None:
    found = owner.get(f"{ENDPOINTS}/{depot.id}")
    assert found.json()["authorization"] == {"parameters": {"username": "ada"}, "scheme": "UsernamePassword"}
    assert "correct horse" not in found.text
    assert "correct horse" not in owner.get(ENDPOINTS).text


def test_a_connection_that_there_is_not_is_null(owner: TestClient) -> None:
    answer = owner.get(f"{ENDPOINTS}/11111111-2222-4333-8444-555555555555")
    assert (answer.status_code, answer.text) == (200, "null")


def test_who_has_no_role_sees_none(owner: TestClient, depot: ConnectionRecord, token_of: TokenOf) -> None:
    stranger = ("", token_of("stranger"))
    assert owner.get(ENDPOINTS, auth=stranger).json() == {"count": 0, "value": []}
    assert owner.get(f"{ENDPOINTS}/{depot.id}", auth=stranger).text == "null"
