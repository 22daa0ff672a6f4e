"""Which pipelines may use a resource, as clients ask and change it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.connections.connection import ConnectionRecord, Draft
from sluice.connections.guard import UNRESTRICTED
from sluice.connections.store import ConnectionStore
from sluice.library.environments import EnvironmentStore
from sluice.runs.compiling import find_file
from sluice.runs.pipelines import register
from sluice.server.state import ServerState

PERMISSIONS = "/local/default/_apis/pipelines/pipelinepermissions"
VERSION = {"api-version": "7.1-preview.1"}


@pytest.fixture
def depot(state: ServerState) -> ConnectionRecord:
    draft = Draft(name="depot", type="generic", scheme="UsernamePassword", url="https://depot.example")
    return ConnectionStore(state.database, state.sealer).create("default", draft, by="root").record


@pytest.fixture
def pipeline(state: ServerState, tmp_path: Path) -> int:
    file = tmp_path / "release.yml"
    file.write_text("steps:\n- script: echo\n")
    return register(state.database, "default", find_file(file), by="root", at=state.clock())[1].id


def test_a_pipeline_is_permitted_and_that_is_taken_away(
    owner: TestClient, depot: ConnectionRecord, pipeline: int
) -> None:
    path = f"{PERMISSIONS}/endpoint/{depot.id.upper()}"
    assert owner.get(path).json() == {
        "resource": {"type": "endpoint", "id": depot.id, "name": "depot"},
        "pipelines": [],
    }
    asked = {"pipelines": [{"id": pipeline, "authorized": True}]}
    after = owner.patch(path, params=VERSION, json=asked).json()
    assert [(one["id"], one["authorized"]) for one in after["pipelines"]] == [(pipeline, True)]
    assert "allPipelines" not in after
    gone = owner.patch(path, params=VERSION, json={"pipelines": [{"id": pipeline, "authorized": False}]}).json()
    assert gone["pipelines"] == []


def test_open_access_comes_and_goes_and_leaves_the_permits(
    owner: TestClient, depot: ConnectionRecord, pipeline: int
) -> None:
    path = f"{PERMISSIONS}/endpoint/{depot.id}"
    owner.patch(path, params=VERSION, json={"pipelines": [{"id": pipeline, "authorized": True}]})
    opened = owner.patch(path, params=VERSION, json={"allPipelines": {"authorized": True}}).json()
    assert opened["allPipelines"]["authorized"]
    closed = owner.patch(path, params=VERSION, json={"allPipelines": {"authorized": False}}).json()
    assert "allPipelines" not in closed
    assert len(closed["pipelines"]) == 1


def test_many_resources_change_together_or_not_at_all(
    owner: TestClient, state: ServerState, depot: ConnectionRecord, pipeline: int
) -> None:
    with state.database.write() as transaction:
        environment = EnvironmentStore(UNRESTRICTED).create(transaction, "default", "production", by="root")
    permit = [{"id": pipeline, "authorized": True}]
    both = [
        {"resource": {"type": "endpoint", "id": depot.id}, "pipelines": permit},
        {"resource": {"type": "environment", "id": str(environment.number)}, "pipelines": permit},
    ]
    unknown = {"resource": {"type": "environment", "id": "999"}, "pipelines": permit}
    assert owner.patch(PERMISSIONS, params=VERSION, json=[*both, unknown]).status_code == 404
    assert owner.get(f"{PERMISSIONS}/endpoint/{depot.id}").json()["pipelines"] == []
    changed = owner.patch(PERMISSIONS, params=VERSION, json=both).json()
    assert [one["resource"]["type"] for one in changed["value"]] == ["endpoint", "environment"]
    assert owner.get(f"{PERMISSIONS}/environment/{environment.number}").json()["pipelines"]


def test_the_old_form_gives_open_access(owner: TestClient, depot: ConnectionRecord) -> None:
    path = "/local/default/_apis/build/authorizedresources"
    body = [{"type": "endpoint", "id": depot.id, "authorized": True}]
    owner.patch(path, params={"api-version": "5.0-preview.1"}, json=body)
    assert [one["name"] for one in owner.get(path, params={"type": "endpoint"}).json()["value"]] == ["depot"]


def test_a_pipeline_that_there_is_not_is_not_permitted(owner: TestClient, depot: ConnectionRecord) -> None:
    asked = {"pipelines": [{"id": 4711, "authorized": True}]}
    assert owner.patch(f"{PERMISSIONS}/endpoint/{depot.id}", params=VERSION, json=asked).status_code == 404


def test_who_does_not_see_a_connection_is_told_that_there_is_none(
    owner: TestClient, depot: ConnectionRecord, token_of: TokenOf
) -> None:
    answer = owner.get(f"{PERMISSIONS}/endpoint/{depot.id}", auth=("", token_of("stranger")))
    assert answer.status_code == 404
