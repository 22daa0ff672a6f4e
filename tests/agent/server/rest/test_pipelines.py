"""Pipelines that are made by REST are files of the server's machine: who may make none learns nothing of its disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.authorization.roles import PIPELINE, Level, Role
from sluice.connections.guard import Unrestricted
from sluice.identity import assignments
from sluice.server.state import ServerState
from sluice.storage import permissions, projects

PLACES = ("pipelines", "build/definitions")


def create(client: TestClient, token: str, place: str, path: Path) -> tuple[int, str]:
    configuration = {"type": "yaml", "path": str(path)}
    process = {"type": 2, "yamlFilename": str(path)}
    body = {"name": "release", "configuration": configuration, "process": process}
    made = client.post(f"/local/default/_apis/{place}?api-version=7.1", auth=("", token), json=body)
    return made.status_code, made.text


def give(state: ServerState, user: str, pipeline_id: int, role: Role) -> None:
    with state.database.write() as transaction:
        home = projects.find(transaction, "default")
        place = assignments.Place(permissions.Resource(home.id, str(pipeline_id), PIPELINE), Level.PROJECT, "release")
        subject = assignments.find_subject(transaction, home, user)
        assignments.set_role(transaction, Unrestricted("root"), place, subject, role, at=time.time())


@pytest.mark.parametrize("place", PLACES)
def test_who_may_not_create_pipelines_reads_no_file_by_trying(
    owner: TestClient, token_of: TokenOf, tmp_path: Path, place: str
) -> None:
    shadow, pipeline = tmp_path / "shadow", tmp_path / "release.yml"
    shadow.write_text("? root:$6$hash:1:0\n")
    pipeline.write_text("steps: [{script: make}]\n")
    token = token_of("ann")
    answers = {create(owner, token, place, path) for path in (shadow, pipeline, tmp_path / "nothing", tmp_path)}
    assert len(answers) == 1, answers
    status, text = answers.pop()
    assert status == 403
    assert "takes the role Creator" in text
    assert "hash" not in text


@pytest.mark.parametrize("place", PLACES)
def test_who_may_create_pipelines_is_told_what_is_wrong_with_the_file(
    owner: TestClient, token_of: TokenOf, tmp_path: Path, place: str
) -> None:
    status, text = create(owner, token_of(name="second"), place, tmp_path / "nothing")
    assert status == 404
    assert "there is no file" in text


@pytest.mark.parametrize("place", PLACES)
def test_a_path_too_long_for_any_file_is_none(owner: TestClient, token_of: TokenOf, tmp_path: Path, place: str) -> None:
    status, text = create(owner, token_of(name="second"), place, tmp_path / ("a" * 5000))
    assert status == 404
    assert len(text) < 1000


def test_a_reader_of_a_pipeline_expands_no_yaml_with_its_permits(
    owner: TestClient, state: ServerState, token_of: TokenOf, tmp_path: Path
) -> None:
    path = tmp_path / "release.yml"
    path.write_text("steps: [{script: make}]\n")
    token = token_of("ann")
    status, text = create(owner, token_of(name="second"), "pipelines", path)
    assert status == 200, text
    made = json.loads(text)["id"]

    def asked(what: str, body: dict[str, object]) -> int:
        address = f"/local/default/_apis/pipelines/{made}/{what}?api-version=7.1-preview"
        return owner.post(address, auth=("", token), json=body).status_code

    text = "steps: [{template: other.yml}]\n"
    give(state, "ann", made, Role.READER)
    assert asked("preview", {"yamlOverride": text}) == 403
    assert asked("runs", {"previewRun": True, "yamlOverride": text}) == 403
    path.write_text("steps: [{template: missing.yml}]\n")
    assert asked("runs", {}) == 403, "it was compiled for who may not start it"
    give(state, "ann", made, Role.USER)
    assert asked("preview", {"yamlOverride": "steps: [{script: make}]\n"}) == 200
