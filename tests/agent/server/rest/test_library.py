"""Environments, variable groups, secure files, queues, projects, definitions, artifacts and the audit log."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.server.driving import Engine
from sluice.server.state import ServerState
from sluice.storage import runs

TASKS = "/local/default/_apis/distributedtask"
PREVIEW = {"api-version": "7.1-preview.1"}


def test_an_environment_is_made_found_and_deleted(owner: TestClient) -> None:
    made = owner.post(f"{TASKS}/environments", params=PREVIEW, json={"name": "production"}).json()
    assert [one["id"] for one in owner.get(f"{TASKS}/environments?name=Production").json()["value"]] == [made["id"]]
    assert (
        owner.get(f"{TASKS}/environments/{made['id']}", params={"expands": "resourceReferences"}).json()["resources"]
        == []
    )
    assert owner.get(f"{TASKS}/environments/{made['id']}/environmentdeploymentrecords").json()["count"] == 0
    assert owner.delete(f"{TASKS}/environments/{made['id']}", params=PREVIEW).status_code == 204
    assert owner.get(f"{TASKS}/environments/{made['id']}").status_code == 404


def test_a_variable_group_keeps_the_secrets_that_are_not_sent(owner: TestClient, state: ServerState) -> None:
    body = {
        "name": "release",
        "type": "Vsts",
        "variables": {"region": {"value": "north"}, "token": {"value": "correct horse battery", "isSecret": True}},
        "variableGroupProjectReferences": [{"name": "release", "projectReference": {"name": "default"}}],
    }
    made = owner.post("/local/_apis/distributedtask/variablegroups", params={"api-version": "7.1"}, json=body)
    assert made.status_code == 200, made.text
    assert "correct horse" not in made.text
    group = made.json()
    assert group["variables"]["token"] == {"value": None, "isSecret": True}
    group["variables"]["region"]["value"] = "south"
    path = f"/local/_apis/distributedtask/variablegroups/{group['id']}"
    changed = owner.put(path, params={"api-version": "7.1"}, json=group).json()
    assert changed["variables"] == {"region": {"value": "south"}, "token": {"value": None, "isSecret": True}}
    assert owner.get(f"{TASKS}/variablegroups?groupName=rel*").json()["count"] == 1
    assert owner.get(f"{TASKS}/variablegroups/{group['id']}").json()["name"] == "release"
    assert owner.delete(path, params={"api-version": "7.1"}).status_code == 204
    assert owner.get(f"{TASKS}/variablegroups/{group['id']}").text == "null"


def test_a_secure_file_is_uploaded_and_never_answered(owner: TestClient) -> None:
    content = b"the content of the file" * 300_000
    query = {**PREVIEW, "name": "key.pem"}
    headers = {"content-type": "application/octet-stream"}
    made = owner.post(f"{TASKS}/securefiles", params=query, content=content, headers=headers)
    assert made.status_code == 200, made.text
    read = owner.get(f"{TASKS}/securefiles/{made.json()['id']}")
    assert read.json()["name"] == "key.pem"
    assert "the content" not in read.text
    assert owner.delete(f"{TASKS}/securefiles/{made.json()['id']}", params=PREVIEW).status_code == 204


def test_the_standard_queues_are_there(owner: TestClient) -> None:
    names = {one["name"]: one["id"] for one in owner.get(f"{TASKS}/queues").json()["value"]}
    assert {"Default", "Azure Pipelines"} <= names.keys()
    assert owner.get(f"{TASKS}/queues/{names['Default']}").json()["name"] == "Default"


def test_a_project_is_made_and_deleted(owner: TestClient, token_of: TokenOf) -> None:
    version = {"api-version": "7.1"}
    made = owner.post("/local/_apis/projects", params=version, json={"name": "Other"})
    assert (made.status_code, made.json()["status"]) == (202, "succeeded")
    assert owner.get(f"/local/_apis/operations/{made.json()['id']}").json()["status"] == "succeeded"
    assert owner.get("/local/_apis/projects/other").json()["name"] == "Other"
    stranger = ("", token_of("stranger"))
    assert owner.post("/local/_apis/projects", params=version, json={"name": "X"}, auth=stranger).status_code == 403
    assert owner.delete(f"/local/_apis/projects/{made.json()['id']}", params=version).status_code == 202


def test_the_audit_log_is_read_page_by_page_by_administrators_alone(owner: TestClient, token_of: TokenOf) -> None:
    first = owner.get("/local/_apis/audit/auditlog", params={"batchSize": 1}).json()
    assert first["hasMore"]
    second = owner.get(
        "/local/_apis/audit/auditlog", params={"batchSize": 1, "continuationToken": first["continuationToken"]}
    ).json()
    assert int(second["decoratedAuditLogEntries"][0]["id"]) < int(first["decoratedAuditLogEntries"][0]["id"])
    ids = {one["actionId"] for one in owner.get("/local/_apis/audit/actions").json()["value"]}
    assert "Library.ServiceConnectionCreated" in ids
    assert owner.get("/local/_apis/audit/auditlog", auth=("", token_of("stranger"))).status_code == 403


def test_what_a_request_changes_is_audited_with_its_address(owner: TestClient) -> None:
    owner.post(f"{TASKS}/environments", params=PREVIEW, json={"name": "production"})
    (entry,) = owner.get("/local/_apis/audit/auditlog", params={"batchSize": 1}).json()["decoratedAuditLogEntries"]
    assert "production" in entry["details"]


def test_a_definition_is_made_and_its_artifact_downloaded(
    owner: TestClient, state: ServerState, tmp_path: Path
) -> None:
    (tmp_path / "azure-pipelines.yml").write_text(
        "steps:\n- script: mkdir out && echo hello > out/hello.txt\n- publish: out\n  artifact: drop\n"
    )
    version = {"api-version": "7.1"}
    body = {
        "name": "drops",
        "process": {"type": 2, "yamlFilename": "azure-pipelines.yml"},
        "repository": {"id": str(tmp_path), "type": "TfsGit"},
    }
    made = owner.post("/local/default/_apis/build/definitions", params=version, json=body)
    assert made.status_code == 200, made.text
    found = owner.get("/local/default/_apis/build/definitions?name=DROPS").json()
    assert [one["id"] for one in found["value"]] == [made.json()["id"]]
    engine = state.engine = Engine(state)
    engine.start()
    queued = owner.post(
        "/local/default/_apis/build/builds", params=version, json={"definition": {"id": made.json()["id"]}}
    ).json()
    end = time.monotonic() + 30
    while owner.get(f"/local/default/_apis/build/builds/{queued['id']}").json()["status"] != "completed":
        assert time.monotonic() < end
        time.sleep(0.02)
    engine.stop()
    assert engine.wait(30)
    path = f"/local/default/_apis/build/builds/{queued['id']}/artifacts"
    assert [one["name"] for one in owner.get(path).json()["value"]] == ["drop"]
    archive = owner.get(path, params={"artifactName": "drop", "$format": "zip"})
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.read("drop/hello.txt") == b"hello\n"
    assert list(state.home.work.glob("artifact-*")) == []


def test_builds_are_filtered_and_paged(owner: TestClient, state: ServerState, tmp_path: Path) -> None:
    file = tmp_path / "one.yml"
    file.write_text("steps:\n- script: echo\n")
    version = {"api-version": "7.1"}
    made = owner.post(
        "/local/default/_apis/pipelines", params=version, json={"configuration": {"path": str(file)}}
    ).json()
    ids = [
        owner.post("/local/default/_apis/build/builds", params=version, json={"definition": {"id": made["id"]}}).json()[
            "id"
        ]
        for _ in range(3)
    ]
    with state.database.write() as transaction:
        runs.change(transaction, ids[0], state="completed", result="SucceededWithIssues", finished_at=state.clock())
    builds = "/local/default/_apis/build/builds"
    first = owner.get(builds, params={"$top": 2})
    assert [one["id"] for one in first.json()["value"]] == ids[:0:-1]
    more = first.headers["x-ms-continuationtoken"]
    assert [one["id"] for one in owner.get(builds, params={"continuationToken": more}).json()["value"]] == ids[:1]
    assert [
        one["result"] for one in owner.get(builds, params={"resultFilter": "partiallySucceeded"}).json()["value"]
    ] == ["partiallySucceeded"]
    assert owner.get(builds, params={"statusFilter": "inProgress"}).json()["count"] == 2
    assert owner.get(builds, params={"definitions": "999"}).json()["count"] == 0
    canceled = owner.patch(f"{builds}/{ids[1]}", params=version, json={"status": "cancelling"}).json()
    assert canceled["status"] == "cancelling"
