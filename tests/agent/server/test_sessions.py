"""Browser sessions: how they begin and end, and what changes have to show."""

from __future__ import annotations

from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.server.sessions import csrf_of, make_link
from sluice.server.state import ServerState


def _cookie(client: TestClient) -> str:
    return client.cookies["sluice-8080"]


def test_a_one_time_link_signs_in_once(client: TestClient, state: ServerState) -> None:
    link = make_link(state).reveal()
    answer = client.get("/sign-in", params={"once": link})
    assert answer.status_code == 200
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert "You act as" in client.get("/").text
    client.cookies.clear()
    assert client.get("/sign-in", params={"once": link}).status_code == 403


def test_a_token_signs_in_and_going_on_stays_here(client: TestClient, token_of: TokenOf) -> None:
    answer = client.post("/sign-in", data={"token": token_of("ada"), "next": "//evil.example/"})
    assert 'content="0; url=/"' in answer.text
    assert client.get("/_apis/connectionData").json()["authenticatedUser"]["providerDisplayName"] == "ada"


def test_neither_the_session_nor_the_token_is_in_the_database(
    client: TestClient, state: ServerState, token_of: TokenOf
) -> None:
    token = token_of("ada")
    client.post("/sign-in", data={"token": token})
    everything = b"".join(path.read_bytes() for path in state.home.data.iterdir() if path.is_file())
    assert _cookie(client).encode() not in everything
    assert token.encode() not in everything


def test_a_change_without_what_the_page_knows_is_refused(client: TestClient, token_of: TokenOf) -> None:
    client.post("/sign-in", data={"token": token_of("ada")})
    assert client.post("/sign-out").status_code == 403
    assert client.post("/sign-out", data={"__csrf": "0" * 64}).status_code == 403
    assert client.post("/sign-out", data={"__csrf": csrf_of(_cookie(client))}).status_code == 303
    assert client.get("/").headers["location"] == "/sign-in?next=/"


def test_a_session_ends_with_the_token_that_it_was_begun_with(
    client: TestClient, state: ServerState, token_of: TokenOf
) -> None:
    from sluice.connections.guard import Unrestricted
    from sluice.identity.administration import Administration

    client.post("/sign-in", data={"token": token_of("ada")})
    assert client.get("/_apis/connectionData").status_code == 200
    with state.database.write() as transaction:
        Administration(Unrestricted("root")).revoke_token(transaction, "ada", "test", at=state.clock())
    assert client.get("/_apis/connectionData").status_code == 401


def test_a_session_that_was_ended_is_over_for_whoever_copied_the_cookie(client: TestClient, token_of: TokenOf) -> None:
    client.post("/sign-in", data={"token": token_of("ada")})
    copied = _cookie(client)
    client.post("/sign-out", data={"__csrf": csrf_of(copied)})
    client.cookies.set("sluice-8080", copied)
    assert client.get("/_apis/connectionData").status_code == 401


def test_a_row_that_somebody_writes_into_the_database_signs_nobody_in(client: TestClient, state: ServerState) -> None:
    import hashlib
    import sqlite3

    from sluice.rights import OWNER_ID

    text = "made-up-by-somebody-who-can-write-to-the-database"
    connection = sqlite3.connect(state.home.database)
    with connection:
        connection.execute(
            "INSERT INTO sessions VALUES (?, ?, '', 0, 99999999999, '')",
            (hashlib.sha256(text.encode()).hexdigest(), OWNER_ID),
        )
    connection.close()
    client.cookies.set("sluice-8080", text)
    assert client.get("/_apis/connectionData").status_code == 401
