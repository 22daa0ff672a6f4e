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


def _body(name: str = "made", **more: object) -> dict[str, object]:
    return {
        "name": name,
        "type": "generic",
        "url": "https://depot.example",
        "data": {},
        "authorization": {"scheme": "UsernamePassword", "parameters": {"username": "ada", "password": SECRET}},
        "serviceEndpointProjectReferences": [{"projectReference": {"name": "default"}, "name": name}],
        **more,
    }


SECRET = "correct horse battery"
ALL = "/local/_apis/serviceendpoint/endpoints"
VERSION = {"api-version": "7.1"}


def test_a_new_connection_is_answered_with_the_keys_of_its_secrets_and_no_value(owner: TestClient) -> None:
    made = owner.post(ALL, params=VERSION, json=_body())
    assert made.status_code == 200
    assert made.json()["authorization"]["parameters"] == {"username": "ada", "password": None}
    assert SECRET not in made.text
    assert made.json()["serviceEndpointProjectReferences"][0]["name"] == "made"


def test_names_of_properties_have_no_case(owner: TestClient) -> None:
    body = {name.upper(): value for name, value in _body().items()}
    assert owner.post(ALL, params=VERSION, json=body).json()["name"] == "made"


def test_a_change_without_a_version_is_refused_as_the_service_does(owner: TestClient) -> None:
    answer = owner.post(ALL, json=_body(), headers={"accept": "application/json"})
    assert answer.json()["typeKey"] == "VssVersionNotSpecifiedException"


def test_an_update_that_sends_no_secret_keeps_the_stored_one(
    owner: TestClient, state: ServerState, depot: ConnectionRecord
) -> None:
    read = owner.get(f"{ENDPOINTS}/{depot.id}").json()
    read["authorization"]["parameters"] = {"username": "bob", "password": None}
    answer = owner.put(f"{ALL}/{depot.id}", params=VERSION, json=read)
    assert answer.json()["authorization"]["parameters"] == {"username": "bob", "password": None}
    stored = ConnectionStore(state.database, state.sealer).get("default", "depot")
    assert stored.secrets == {("parameters", "password")}
    assert stored.parameters == {"username": "bob"}


def test_a_secret_does_not_go_along_to_another_address(
    owner: TestClient, state: ServerState, depot: ConnectionRecord
) -> None:
    """Abuse case 18: who may edit a connection sends its secret to a host of its own."""
    read = owner.get(f"{ENDPOINTS}/{depot.id}").json()
    answer = owner.put(f"{ALL}/{depot.id}", params=VERSION, json={**read, "url": "https://evil.example"})
    assert answer.status_code == 200
    assert ConnectionStore(state.database, state.sealer).get("default", "depot").secrets == frozenset()


def test_a_public_value_that_is_left_out_of_an_update_goes(owner: TestClient, depot: ConnectionRecord) -> None:
    read = owner.get(f"{ENDPOINTS}/{depot.id}").json()
    read["authorization"]["parameters"] = {}
    after = owner.put(f"{ALL}/{depot.id}", params=VERSION, json=read).json()
    assert after["authorization"]["parameters"] == {"password": None}


def test_a_connection_is_shared_and_taken_out_of_projects_one_by_one(
    owner: TestClient, state: ServerState, depot: ConnectionRecord
) -> None:
    from sluice.storage import projects

    with state.database.write() as transaction:
        other = projects.create(transaction, "Other", by="root", at=state.clock())
        home = projects.find(transaction, "default")
    wanted = [{"projectReference": {"id": other.guid}, "name": "their depot"}]
    assert owner.patch(f"{ALL}/{depot.id}", params=VERSION, json=wanted).status_code == 204
    there = owner.get(f"/local/OTHER/_apis/serviceendpoint/endpoints/{depot.id}").json()
    assert (there["name"], there["isShared"], len(there["serviceEndpointProjectReferences"])) == (
        "their depot",
        True,
        2,
    )
    assert owner.delete(f"{ALL}/{depot.id}", params={**VERSION, "projectIds": home.guid}).status_code == 204
    assert owner.get(f"{ENDPOINTS}/{depot.id}").text == "null"
    assert owner.get(ALL, params={"type": "generic"}).json()["count"] == 1
    assert owner.delete(f"{ALL}/{depot.id}", params={**VERSION, "projectIds": other.guid}).status_code == 204
    assert owner.get(ALL, params={"type": "generic"}).json()["count"] == 0


def test_an_old_client_creates_and_deletes_below_the_project(owner: TestClient) -> None:
    version = {"api-version": "5.0-preview.2"}
    body = {name: value for name, value in _body().items() if name != "serviceEndpointProjectReferences"}
    made = owner.post(ENDPOINTS, params=version, json=body).json()
    assert owner.delete(f"{ENDPOINTS}/{made['id']}", params=version).status_code == 204


def test_who_may_not_create_is_refused(owner: TestClient, token_of: TokenOf) -> None:
    answer = owner.post(ALL, params=VERSION, json=_body(), auth=("", token_of("stranger")))
    assert (answer.status_code, answer.json()["typeKey"]) == (403, "AccessCheckException")


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\u0000b"', "1" * 5000, "[" * 5000, '{"name": 1e400}', ""])
def test_what_is_no_endpoint_is_refused(owner: TestClient, text: str) -> None:
    headers = {"content-type": "application/json"}
    body = text if text.startswith("{") or not text.startswith('"') else f'{{"name": {text}, "type": "generic"}}'
    for path in (ALL, ENDPOINTS):
        assert owner.post(path, params=VERSION, content=body, headers=headers).status_code == 400, path
