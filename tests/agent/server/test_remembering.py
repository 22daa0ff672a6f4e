"""Answers that are given again: as long as nothing has changed, and to nobody else."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.store import ConnectionStore
from sluice.server.state import ServerState
from sluice.storage.engine import Database

BY_NAME = "/local/default/_apis/serviceendpoint/endpoints?endpointNames=depot"


@pytest.fixture
def depot(state: ServerState) -> ConnectionRecord:
    draft = Draft(name="depot", type="generic", scheme="UsernamePassword", url="https://depot.example")
    return state.store().create("default", draft, by="root").record


def test_the_same_question_is_answered_the_same_way_twice(owner: TestClient, depot: ConnectionRecord) -> None:
    first, second = owner.get(BY_NAME), owner.get(BY_NAME)
    assert first.content == second.content
    assert "x-remember-until" not in first.headers
    assert first.headers["activityid"] != second.headers["activityid"]


def test_a_change_of_another_process_is_seen_at_once(
    owner: TestClient, state: ServerState, depot: ConnectionRecord
) -> None:
    owner.get(BY_NAME)
    other = Database.open(state.home)
    try:
        ConnectionStore(other, state.sealer).update("default", "depot", Update(description="new"), by="root")
    finally:
        other.close()
    assert owner.get(BY_NAME).json()["value"][0]["description"] == "new"


def test_nobody_is_given_the_answer_of_another(owner: TestClient, depot: ConnectionRecord, token_of: TokenOf) -> None:
    assert owner.get(BY_NAME).json()["count"] == 1
    assert owner.get(BY_NAME, auth=("", token_of("stranger"))).json()["count"] == 0
    assert owner.get(BY_NAME, auth=("", "sluice_made-up")).status_code == 401


def test_a_revoked_token_is_given_no_answer_any_more(
    owner: TestClient, state: ServerState, depot: ConnectionRecord, token_of: TokenOf
) -> None:
    from sluice.connections.guard import Unrestricted
    from sluice.identity.administration import Administration

    token = token_of("ada")
    assert owner.get(BY_NAME, auth=("", token)).status_code == 200
    with state.database.write() as transaction:
        Administration(Unrestricted("root")).revoke_token(transaction, "ada", "test", at=state.clock())
    assert owner.get(BY_NAME, auth=("", token)).status_code == 401


def test_a_long_list_comes_in_pieces_and_whole(owner: TestClient, state: ServerState) -> None:
    drafts = [
        Draft(name=f"connection {number}", type="generic", scheme="UsernamePassword", url="https://depot.example")
        for number in range(230)
    ]
    with state.database.write() as transaction:
        state.store().create_in(transaction, "default", drafts, by="root")
    answer = owner.get("/local/default/_apis/serviceendpoint/endpoints")
    assert answer.json()["count"] == len(answer.json()["value"]) == 230
    assert len({one["id"] for one in answer.json()["value"]}) == 230
