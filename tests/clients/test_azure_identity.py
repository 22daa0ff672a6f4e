"""azure-identity's `AzurePipelinesCredential`, unmodified: from a job's token by an identity token to one of Entra.

Entra is a double that checks what it is shown as the real one does: it reads the issuer's documents, and takes a token
with the right signature, issuer, subject, audience and time alone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.clients.conftest import Server, serving
from tests.doubles.azure import Cloud, cloud
from tests.doubles.entra import Application, FederatedCredential
from tests.doubles.web import Call, Reply

from sluice.storage import records, runs, usage
from sluice.storage.engine import Database
from sluice.storage.home import Home

ISSUER_HOST = "issuer.sluice.test"
MANAGEMENT = "https://management.azure.com/.default"
SCRIPT = """
steps:
- script: |
    printf '%s' "$SYSTEM_OIDCREQUESTURI" > {folder}/address
    printf '%s' "$TOKEN" > {folder}/token
    touch {folder}/started
    while [ ! -e {folder}/go-on ]; do sleep 0.05; done
  env:
    TOKEN: $(System.AccessToken)
"""


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Cloud]:
    with cloud(tmp_path, tenant=str(uuid.uuid4()), subscription=str(uuid.uuid4())) as made:
        yield made


@pytest.fixture
def issuing(tmp_path: Path, azure: Cloud) -> Iterator[Server]:
    """A server that is an issuer of identity tokens, whose documents the double reads under the issuer's name."""
    with serving(tmp_path / "home", issuer=f"https://{ISSUER_HOST}") as server:

        def documents(call: Call) -> Reply:
            answer = requests.get(f"{server.url}{call.path}", timeout=10)
            return Reply(answer.status_code, answer.json())

        azure.azure.services[ISSUER_HOST] = documents
        yield server


def test_a_job_gets_a_token_of_entra_for_the_connection_that_it_uses(
    issuing: Server, azure: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import AzurePipelinesCredential

    subject = FederatedCredential(issuer=f"https://{ISSUER_HOST}", subject="sc://local/default/cloud")
    application = azure.azure.entra.register(Application(federated=[subject]))
    values = {
        "subscriptionId": azure.azure.subscription,
        "subscriptionName": "test",
        "tenantid": azure.azure.entra.tenant,
        "serviceprincipalid": application.id,
    }
    given = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    scheme = ("--type", "azurerm", "--scheme", "WorkloadIdentityFederation", "--allow-all-pipelines")
    issuing.sluice("connection", "create", "cloud", *scheme, *given)
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "azure-pipelines.yml").write_text(SCRIPT.format(folder=folder))
    run_id, connection_id = _started(issuing, folder)
    try:
        monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", (folder / "address").read_text())
        for name, value in azure.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        token = (folder / "token").read_text()
        with AzurePipelinesCredential(
            tenant_id=azure.azure.entra.tenant,
            client_id=application.id,
            service_connection_id=connection_id,
            system_access_token=token,
        ) as credential:
            with pytest.raises(ClientAuthenticationError):
                credential.get_token(MANAGEMENT)  # no step has it open yet
            _open(issuing, run_id, connection_id)
            assert credential.get_token(MANAGEMENT).token
        assert azure.azure.entra.given[-1]["appid"] == application.id
    finally:
        (folder / "go-on").touch()


def _started(server: Server, folder: Path) -> tuple[int, str]:
    """A run whose job waits to be let go on, and the id of the connection."""
    auth = ("", server.token)
    base, version = f"{server.collection}/default/_apis", {"api-version": "7.1"}
    body = {"name": "job", "configuration": {"path": str(folder / "azure-pipelines.yml")}}
    made = requests.post(f"{base}/pipelines", params=version, json=body, auth=auth, timeout=30).json()
    run = requests.post(f"{base}/pipelines/{made['id']}/runs", params=version, json={}, auth=auth, timeout=30).json()
    end = time.monotonic() + 60
    while not (folder / "started").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    found = requests.get(f"{base}/serviceendpoint/endpoints", params={"endpointNames": "cloud"}, auth=auth, timeout=30)
    return int(run["id"]), str(found.json()["value"][0]["id"])


def _open(server: Server, run_id: int, connection_id: str) -> None:
    """As when the step has opened the connection: what the usage history says then."""
    database = Database.open(Home(server.home))
    try:
        with database.write() as transaction:
            run = runs.get(transaction, run_id)
            assert run is not None
            steps = records.of_run(transaction, run_id, kinds=("Task",))
            step = next(one for one in steps if one.state == "inProgress")
            use = usage.Use(
                project_id=run.project_id,
                actor="root",
                pipeline_id=run.pipeline_id,
                run_id=run_id,
                stage="__default",
                job="Job",
                step_id=step.id,
            )
            usage.started(transaction, connection_id, use, at=time.time())
    finally:
        database.close()
