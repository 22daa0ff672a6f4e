"""Checks, approvals and the answers of services, as clients configure, read and give them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.connections.guard import UNRESTRICTED
from sluice.library.environments import EnvironmentStore
from sluice.server.driving import Engine
from sluice.server.state import ServerState
from sluice.storage import people, runs
from sluice.storage.environments import Environment

CHECKS = "/local/default/_apis/pipelines/checks/configurations"
APPROVALS = "/local/default/_apis/pipelines/approvals"
VERSION = {"api-version": "7.1-preview.1"}
TASK = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"
DEPLOYMENT = """
jobs:
- deployment: Web
  environment: production
  strategy: {runOnce: {deploy: {steps: [{script: echo deployed}]}}}
"""


@pytest.fixture
def environment(state: ServerState) -> Environment:
    with state.database.write() as transaction:
        return EnvironmentStore(UNRESTRICTED).create(
            transaction, "default", "production", by="root", all_pipelines=True
        )


def _approval(environment: Environment, *approvers: str, **settings: object) -> dict[str, Any]:
    return {
        "type": {"id": "8c6f20a7-a545-4486-9777-f762fafe0d4d", "name": "Approval"},
        "resource": {"type": "environment", "id": str(environment.number)},
        "settings": {"approvers": [{"id": one} for one in approvers], "minRequiredApprovers": 0, **settings},
        "timeout": 43200,
    }


def _id_of(state: ServerState, name: str) -> str:
    with state.database.read() as transaction:
        return people.get(transaction, name).id


def test_a_check_is_added_read_changed_and_removed(owner: TestClient, environment: Environment) -> None:
    body = {
        "type": {"id": TASK, "name": "Task Check"},
        "resource": {"type": "environment", "id": str(environment.number)},
        "settings": {
            "displayName": "Business hours",
            "definitionRef": {"id": "445fde2f-6c39-441c-807f-8a59ff2e075f", "name": "evaluateBusinessHours"},
            "inputs": {"businessDays": "Monday", "startTime": "09:00", "endTime": "17:00", "timeZone": "UTC"},
            "retryInterval": 5,
        },
        "timeout": 1440,
    }
    made = owner.post(CHECKS, params=VERSION, json=body)
    assert made.status_code == 200, made.text
    check = made.json()
    assert check["settings"]["inputs"]["startTime"] == "09:00"
    assert (check["version"], check["type"]["id"]) == (1, TASK)
    of = {"resourceType": "environment", "resourceId": str(environment.number)}
    (plain,) = owner.get(CHECKS, params=of).json()["value"]
    assert "settings" not in plain
    (whole,) = owner.get(CHECKS, params={**of, "$expand": "settings"}).json()["value"]
    whole["settings"]["inputs"]["startTime"] = "08:00"
    changed = owner.patch(f"{CHECKS}/{check['id']}", params=VERSION, json=whole).json()
    assert (changed["settings"]["inputs"]["startTime"], changed["version"]) == ("08:00", 2)
    found = owner.post(
        "/local/default/_apis/pipelines/checks/queryconfigurations", params=VERSION, json=[changed["resource"]]
    )
    assert found.json()["count"] == 1
    assert owner.delete(f"{CHECKS}/{check['id']}", params=VERSION).status_code == 204
    assert owner.get(f"{CHECKS}/{check['id']}").status_code == 404


def test_a_secret_of_a_check_is_never_shown_and_stays_when_it_is_not_sent(
    owner: TestClient, environment: Environment, state: ServerState
) -> None:
    body = {
        "type": {"id": TASK},
        "resource": {"type": "environment", "id": environment.id},
        "settings": {
            "definitionRef": {"id": "537fdb7a-a601-4537-aa70-92645a2b5ce4"},
            "inputs": {"function": "https://f.example/api", "key": "correct horse battery", "method": "POST"},
        },
    }
    made = owner.post(CHECKS, params=VERSION, json=body)
    assert made.status_code == 200, made.text
    assert "correct horse" not in made.text
    assert made.json()["settings"]["inputs"]["key"] is None
    changed = owner.patch(f"{CHECKS}/{made.json()['id']}", params=VERSION, json=made.json())
    assert changed.json()["settings"]["inputs"]["key"] is None
    with state.database.read() as transaction:
        from sluice.storage import check_configurations

        row = check_configurations.get(transaction, environment.project_id, made.json()["id"])
    assert row is not None
    assert row.secret_names == ("key",)


def test_an_exclusive_lock_has_no_settings(owner: TestClient, environment: Environment) -> None:
    body = {
        "type": {"id": "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"},
        "resource": {"type": "environment", "id": environment.id},
        "settings": {},
    }
    assert owner.post(CHECKS, params=VERSION, json=body).json()["settings"] == {}


@pytest.fixture
def waiting(
    owner: TestClient, state: ServerState, environment: Environment, token_of: TokenOf, tmp_path: Path
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Makes a run that waits for approvals of its deployment; answers its number, and the approval's id."""
    engine = state.engine = Engine(state)
    engine.start()

    def make(*approvers: str, **settings: object) -> tuple[int, str]:
        added = owner.post(CHECKS, params=VERSION, json=_approval(environment, *approvers, **settings))
        assert added.status_code == 200, added.text
        file = tmp_path / "release.yml"
        file.write_text(DEPLOYMENT)
        version = {"api-version": "7.1"}
        made = owner.post(
            "/local/default/_apis/pipelines", params=version, json={"configuration": {"path": str(file)}}
        ).json()
        run = owner.post(f"/local/default/_apis/pipelines/{made['id']}/runs", params=version, json={}).json()
        end = time.monotonic() + 30
        while not (found := owner.get(APPROVALS).json().get("value", [])):
            assert time.monotonic() < end
            time.sleep(0.02)
        return int(run["id"]), str(found[0]["id"])

    yield make
    engine.interrupt()
    engine.stop()
    assert engine.wait(30)


def _over(state: ServerState, run_id: int) -> str:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with state.database.read() as transaction:
            run = runs.get(transaction, run_id)
        if run and run.state == "completed":
            return run.result
        time.sleep(0.02)
    raise AssertionError(f"run {run_id} is not over")


def test_an_approver_approves_and_the_run_goes_on(
    owner: TestClient, state: ServerState, token_of: TokenOf, waiting: Callable[..., tuple[int, str]]
) -> None:
    ada = ("", token_of("ada"))
    run_id, approval = waiting(_id_of(state, "ada"), instructions="look twice")
    read = owner.get(f"{APPROVALS}/{approval}", params={"$expand": "steps"}, auth=ada).json()
    assert (read["status"], read["instructions"], len(read["steps"])) == ("pending", "look twice", 1)
    timeline = owner.get(f"/local/default/_apis/build/builds/{run_id}/timeline").json()
    assert approval in {one["id"] for one in timeline["records"] if one["type"] == "Checkpoint.Approval"}
    body = [{"approvalId": approval, "status": "approved", "comment": "fine"}]
    decided = owner.patch(APPROVALS, params={"api-version": "7.1"}, json=body, auth=ada)
    assert decided.json()["value"][0]["status"] == "approved"
    assert _over(state, run_id) == "Succeeded"


def test_who_is_no_approver_decides_nothing(
    owner: TestClient, state: ServerState, token_of: TokenOf, waiting: Callable[..., tuple[int, str]]
) -> None:
    token_of("ada")
    _, approval = waiting(_id_of(state, "ada"))
    body = [{"approvalId": approval, "status": "approved"}]
    version = {"api-version": "7.1"}
    assert owner.patch(APPROVALS, params=version, json=body).status_code == 403
    stranger = ("", token_of("stranger"))
    assert owner.patch(APPROVALS, params=version, json=body, auth=stranger).status_code == 404


def test_a_decision_that_is_replayed_finds_it_decided(
    owner: TestClient, state: ServerState, token_of: TokenOf, waiting: Callable[..., tuple[int, str]]
) -> None:
    """Abuse case 15: one-time decisions."""
    ada = ("", token_of("ada"))
    run_id, approval = waiting(_id_of(state, "ada"))
    version = {"api-version": "7.1"}
    rejected = [{"approvalId": approval, "status": "rejected"}]
    assert owner.patch(APPROVALS, params=version, json=rejected, auth=ada).status_code == 200
    assert _over(state, run_id) == "Failed"
    again = owner.patch(APPROVALS, params=version, json=[{"approvalId": approval, "status": "approved"}], auth=ada)
    assert again.status_code == 409


def test_the_requester_who_may_not_approve_is_refused(
    owner: TestClient, state: ServerState, waiting: Callable[..., tuple[int, str]]
) -> None:
    """Abuse case 15: the person who started the run approves it."""
    from sluice.rights import OWNER_ID

    _, approval = waiting(OWNER_ID, requesterCannotBeApprover=True)
    body = [{"approvalId": approval, "status": "approved"}]
    assert owner.patch(APPROVALS, params={"api-version": "7.1"}, json=body).status_code == 403


def test_an_answer_to_a_check_takes_the_token_that_it_was_asked_with(client: TestClient) -> None:
    path = "/local/default/_apis/distributedtask/hubs/build/plans/x/events"
    body = {"name": "TaskCompleted", "taskId": "11111111-1111-4111-8111-111111111111", "result": "succeeded"}
    answer = client.post(path, json=body, headers={"Authorization": "Bearer made-up"})
    assert answer.status_code == 401


def test_roles_are_given_listed_and_taken(owner: TestClient, state: ServerState, token_of: TokenOf) -> None:
    from sluice.connections.connection import Draft
    from sluice.storage import projects

    token_of("ada")
    ada = _id_of(state, "ada")
    draft = Draft(name="depot", type="generic", scheme="UsernamePassword", url="https://depot.example")
    depot = state.store().create("default", draft, by="root").record
    with state.database.read() as transaction:
        home = projects.find(transaction, "default")
    base = "/local/_apis/securityroles/scopes/distributedtask.serviceendpointrole/roleassignments/resources"
    path = f"{base}/{home.guid}_{depot.id}"
    version = {"api-version": "7.1-preview.1"}
    given = owner.put(path, params=version, json=[{"roleName": "User", "userId": ada}])
    assert given.json()["value"][0]["identity"]["id"] == ada
    rows = {one["identity"]["id"]: one for one in owner.get(path).json()["value"]}
    assert (rows[ada]["role"]["name"], rows[ada]["access"]) == ("User", "assigned")
    assert rows[ada]["role"]["allowPermissions"] == 1
    assert owner.delete(f"{path}/{ada}", params=version).status_code == 204
    assert ada not in {one["identity"]["id"] for one in owner.get(path).json()["value"]}
    hub = "/local/_apis/securityroles/scopes/distributedtask.project.serviceendpointrole/roledefinitions"
    assert {one["name"] for one in owner.get(hub).json()["value"]} == {"Reader", "User", "Creator", "Administrator"}
    above = "/local/_apis/securityroles/scopes/distributedtask.collection.serviceendpointrole/roleassignments/resources"
    assert owner.get(f"{above}/collection_{depot.id}").status_code == 200
    stranger = ("", token_of("stranger"))
    assert (
        owner.put(path, params=version, json=[{"roleName": "Administrator", "userId": ada}], auth=stranger).status_code
        == 404
    )
