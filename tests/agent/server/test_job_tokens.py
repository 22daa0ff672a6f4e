"""Tokens of jobs: what they open, for how long, and that they open nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.connections.connection import ConnectionRecord, Draft
from sluice.runs.predefined import plan_id
from sluice.server.driving import Engine
from sluice.server.settings import ServerSettings
from sluice.server.state import ServerState
from sluice.storage import permissions, projects, records, runs, usage
from sluice.storage.home import Home
from sluice.storage.permissions import Resource
from sluice.values import dataclass

SECONDS = 30.0
ISSUER = "https://sluice.example"
SCRIPT = """
steps:
- script: |
    printf '%s' "$TOKEN" > {folder}/token
    printf '%s' "$SYSTEM_OIDCREQUESTURI" > {folder}/address
    echo "the token is $TOKEN"
    touch {folder}/started
    while [ ! -e {folder}/go-on ]; do sleep 0.05; done
  env:
    TOKEN: $(System.AccessToken)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that runs as long as nobody lets it go on."""

    token: str
    address: str
    run_id: int
    id: str
    step: str
    let_go_on: Callable[[], None]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerState]:
    monkeypatch.setenv("SLUICE_ISSUER_URL", ISSUER)
    opened = ServerState.open(ServerSettings(), Home(tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def start_job(owner: TestClient, state: ServerState, tmp_path: Path) -> Iterator[Callable[[str], Job]]:
    engine = state.engine = Engine(state)
    engine.start()
    folders: list[Path] = []

    def start(name: str = "job") -> Job:
        folder = tmp_path / name
        folder.mkdir()
        folders.append(folder)
        file = folder / "azure-pipelines.yml"
        file.write_text(SCRIPT.format(folder=folder))
        version = {"api-version": "7.1"}
        body = {"name": name, "configuration": {"path": str(file)}}
        made = owner.post("/local/default/_apis/pipelines", params=version, json=body).json()
        run = owner.post(f"/local/default/_apis/pipelines/{made['id']}/runs", params=version, json={}).json()
        _wait((folder / "started").exists)
        with state.database.read() as transaction:
            (job,) = records.of_run(transaction, run["id"], kinds=("Job",))
            (step,) = (
                one for one in records.of_run(transaction, run["id"], kinds=("Task",)) if one.state == "inProgress"
            )

        def let_go_on() -> None:
            (folder / "go-on").touch()
            _wait(lambda: _is_over(state, run["id"]))

        return Job(
            token=(folder / "token").read_text(),
            address=(folder / "address").read_text(),
            run_id=run["id"],
            id=job.id,
            step=step.id,
            let_go_on=let_go_on,
        )

    yield start
    for folder in folders:
        (folder / "go-on").touch()
    engine.stop()
    assert engine.wait(SECONDS)


@pytest.fixture
def federated(state: ServerState) -> ConnectionRecord:
    draft = Draft(
        name="cloud",
        type="azurerm",
        scheme="WorkloadIdentityFederation",
        values={
            "subscriptionId": "11111111-1111-4111-8111-111111111111",
            "subscriptionName": "test",
            "tenantid": "22222222-2222-4222-8222-222222222222",
            "serviceprincipalid": "33333333-3333-4333-8333-333333333333",
        },
    )
    return state.store().create("default", draft, by="root", all_pipelines=True).record


def _wait(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


def _is_over(state: ServerState, run_id: int) -> bool:
    with state.database.read() as transaction:
        run = runs.get(transaction, run_id)
    return run is not None and run.state == "completed"


def _forget(client: TestClient) -> None:
    """From now on each request shows what it shows itself."""
    client.auth = None  # type: ignore[assignment]  # the setter takes it


def _bearer(job: Job) -> dict[str, str]:
    return {"Authorization": f"Bearer {job.token}"}


def _use(state: ServerState, job: Job, connection: ConnectionRecord) -> None:
    """As when a step of the job has opened the connection."""
    with state.database.write() as transaction:
        run = runs.get(transaction, job.run_id)
        assert run is not None
        use = usage.Use(
            project_id=run.project_id,
            actor="root",
            pipeline_id=run.pipeline_id,
            run_id=run.id,
            stage="__default",
            job="Job",
            step_id=job.step,
        )
        usage.started(transaction, connection.id, use, at=state.clock())


def test_a_job_reads_its_own_run_and_nothing_else(
    client: TestClient, start_job: Callable[..., Job], token_of: TokenOf
) -> None:
    job, other = start_job("one"), start_job("two")
    _forget(client)
    builds = "/local/default/_apis/build/builds"
    assert client.get(f"{builds}/{job.run_id}", headers=_bearer(job)).json()["id"] == job.run_id
    assert client.get(f"{builds}/{job.run_id}/timeline", auth=("", job.token)).status_code == 200
    assert client.get(f"{builds}/{other.run_id}", headers=_bearer(job)).status_code == 404
    for path in ("projects", "serviceendpoint/endpoints", "build/builds", "pipelines"):
        answer = client.get(f"/local/default/_apis/{path}", headers=_bearer(job))
        assert answer.status_code in {403, 404}, path
    version = {"api-version": "7.1"}
    canceling = client.patch(
        f"{builds}/{job.run_id}", params=version, json={"status": "cancelling"}, headers=_bearer(job)
    )
    assert canceling.status_code == 403


def test_the_token_ends_with_the_job_and_is_in_no_log(
    client: TestClient, state: ServerState, start_job: Callable[..., Job]
) -> None:
    job = start_job()
    _forget(client)
    assert client.get("/_apis/connectionData", headers=_bearer(job)).status_code == 200
    job.let_go_on()
    assert client.get("/_apis/connectionData", headers=_bearer(job)).status_code == 401
    texts = b"".join(path.read_bytes() for path in state.home.logs.rglob("*.log"))
    assert b"the token is ***" in texts
    everything = b"".join(path.read_bytes() for path in state.home.root.rglob("*") if path.is_file())
    assert job.token.encode() not in everything


def test_a_connection_that_the_job_uses_gets_it_an_identity_token(
    client: TestClient, state: ServerState, start_job: Callable[..., Job], federated: ConnectionRecord
) -> None:
    job = start_job()
    _use(state, job, federated)
    _forget(client)
    query = {"api-version": "7.1", "serviceConnectionId": federated.id}
    answer = client.post(job.address.replace("http://127.0.0.1:8080", ""), params=query, headers=_bearer(job))
    assert answer.status_code == 200, answer.text
    (key,) = client.get("/.well-known/jwks.json").json()["keys"]
    claims = jwt.decode(
        answer.json()["oidcToken"],
        jwt.PyJWK(key).key,
        algorithms=["RS256"],
        audience="api://AzureADTokenExchange",
        issuer=client.get("/.well-known/openid-configuration").json()["issuer"],
    )
    assert claims["sub"] == "sc://local/default/cloud"
    assert claims["run_id"] == job.run_id


def test_the_token_of_one_job_gets_no_identity_token_of_another(
    client: TestClient, state: ServerState, start_job: Callable[..., Job], federated: ConnectionRecord
) -> None:
    """The abuse cases' list: audience, subject and job are bound together."""
    job, other = start_job("one"), start_job("two")
    _use(state, other, federated)
    _forget(client)
    query = {"api-version": "7.1", "serviceConnectionId": federated.id}
    for address, token in ((other.address, job.token), (job.address, other.token)):
        answer = client.post(
            address.replace("http://127.0.0.1:8080", ""), params=query, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 403
        assert "another job" in answer.json()["message"]
    own = client.post(job.address.replace("http://127.0.0.1:8080", ""), params=query, headers=_bearer(job))
    assert own.status_code == 403
    assert "no step of this job uses" in own.json()["message"]


def test_a_connection_that_is_not_permitted_any_more_gets_no_identity_token(
    client: TestClient, state: ServerState, start_job: Callable[..., Job], federated: ConnectionRecord
) -> None:
    job = start_job()
    _use(state, job, federated)
    with state.database.write() as transaction:
        home = projects.find(transaction, "default")
        resource = Resource(home.id, federated.id)
        permissions.revoke(transaction, resource, permissions.ALL_PIPELINES, by="root", at=state.clock())
    _forget(client)
    query = {"api-version": "7.1", "serviceConnectionId": federated.id}
    answer = client.post(job.address.replace("http://127.0.0.1:8080", ""), params=query, headers=_bearer(job))
    assert answer.status_code == 403


def test_a_person_gets_no_identity_token(owner: TestClient, federated: ConnectionRecord) -> None:
    plan = plan_id(1)
    path = f"/local/default/_apis/distributedtask/hubs/build/plans/{plan}/jobs/{plan}/oidctoken"
    query = {"api-version": "7.1-preview.1", "serviceConnectionId": federated.id}
    assert owner.post(path, params=query).status_code == 403


def test_a_job_attaches_files_to_its_own_steps_only(client: TestClient, start_job: Callable[..., Job]) -> None:
    job, other = start_job("one"), start_job("two")
    _forget(client)
    version = {"api-version": "7.1-preview.1"}

    def path(of: Job) -> str:
        plan = plan_id(of.run_id)
        base = f"/local/default/_apis/distributedtask/hubs/build/plans/{plan}"
        return f"{base}/timelines/{plan}/records/{of.step}/attachments/report/summary.md"

    put = client.put(path(job), params=version, content=b"# fine", headers=_bearer(job))
    assert put.json()["name"] == "summary.md"
    read = client.get(path(job), headers={**_bearer(job), "accept": "application/octet-stream"})
    assert read.content == b"# fine"
    assert client.put(path(other), params=version, content=b"x", headers=_bearer(job)).status_code == 404
    escaped = path(job).replace("summary.md", "..%2F..%2Fevil")
    assert client.put(escaped, params=version, content=b"x", headers=_bearer(job)).status_code in {400, 404}
