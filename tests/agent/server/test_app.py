"""The application as a whole: who is let in, and how errors are told."""

from __future__ import annotations

from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.server.state import ServerState


def test_nobody_is_told_how_to_sign_in(client: TestClient) -> None:
    answer = client.get("/local/_apis/projects")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="Sluice"'
    assert answer.json()["typeKey"] == "UnauthorizedRequestException"


def test_a_browser_is_led_to_where_one_signs_in(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/"


def test_basic_takes_the_token_as_the_password_whatever_the_user_is(client: TestClient, token_of: TokenOf) -> None:
    token = token_of()
    for user in ("", "anybody", token):
        assert client.get("/_apis/connectionData", auth=(user, token)).status_code == 200


def test_bearer_takes_the_token(client: TestClient, token_of: TokenOf) -> None:
    answer = client.get("/local/_apis/connectionData", headers={"Authorization": f"Bearer {token_of('ada')}"})
    assert answer.json()["authenticatedUser"]["providerDisplayName"] == "ada"


def test_a_token_that_nobody_has_is_refused_without_being_repeated(client: TestClient) -> None:
    answer = client.get("/_apis/connectionData", auth=("", "sluice_madeup0123456789"))
    assert answer.status_code == 401
    assert "madeup" not in answer.text


def test_a_revoked_token_counts_no_more_from_that_moment(
    owner: TestClient, state: ServerState, token_of: TokenOf
) -> None:
    from sluice.connections.guard import Unrestricted
    from sluice.identity.administration import Administration

    token = token_of("ada")
    assert owner.get("/_apis/connectionData", auth=("", token)).status_code == 200
    with state.database.write() as transaction:
        Administration(Unrestricted("root")).revoke_token(transaction, "ada", "test", at=state.clock())
    assert owner.get("/_apis/connectionData", auth=("", token)).status_code == 401


def test_a_failed_sign_in_too_often_is_not_looked_at_for_a_while(client: TestClient) -> None:
    statuses = [client.get("/_apis/connectionData", auth=("", f"sluice_{n}")).status_code for n in range(12)]
    assert statuses[:11] == [401] * 11
    assert statuses[11] == 429


def test_paths_have_no_case_and_the_organization_may_be_left_out(owner: TestClient) -> None:
    for path in ("/LOCAL/_apis/Projects", "/_APIS/projects", "/Local/_Apis/PROJECTS/Default"):
        assert owner.get(path).status_code == 200, path


def test_a_project_that_there_is_not_is_told_in_the_words_of_the_service(owner: TestClient) -> None:
    answer = owner.get("/local/nowhere/_apis/serviceendpoint/endpoints")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("TF200016: The following project does not exist: nowhere.")
    assert answer.json()["typeKey"] == "ProjectDoesNotExistWithNameException"


def test_versions_are_negotiated_as_the_service_does(owner: TestClient) -> None:
    def key(version: str) -> str:
        answer = owner.get("/_apis/projects", params={"api-version": version})
        return str(answer.json().get("typeKey", answer.headers["content-type"]))

    assert key("7.1-preview.4") == "application/json; charset=utf-8; api-version=7.1-preview.4"
    assert key("7.1") == "application/json; charset=utf-8; api-version=7.1"
    assert key("7.2") == "VssInvalidPreviewVersionException"
    assert key("9.0") == "VssVersionOutOfRangeException"
    assert key("x") == "VssVersionNotSupportedException"


def test_every_answer_has_the_headers_that_protect_a_browser(client: TestClient) -> None:
    headers = client.get("/sign-in").headers
    assert "'unsafe-inline'" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["activityid"]
