"""Pipelines that are made by REST are files of the server's machine: who may make none learns nothing of its disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

PLACES = ("pipelines", "build/definitions")


def create(client: TestClient, token: str, place: str, path: Path) -> tuple[int, str]:
    configuration = {"type": "yaml", "path": str(path)}
    process = {"type": 2, "yamlFilename": str(path)}
    body = {"name": "release", "configuration": configuration, "process": process}
    made = client.post(f"/local/default/_apis/{place}?api-version=7.1", auth=("", token), json=body)
    return made.status_code, made.text


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
