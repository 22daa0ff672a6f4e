"""`AzureCLI@2` with the real `az`: log-ins of every kind, the script, and what is left of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.plugins.sluice_azure.conftest import CERTIFICATE, KEY, PEM, SUBSCRIPTION
from tests.real.azure.conftest import ProcessWatch, World

from sluice.testing.task_runner import TaskOutcome, run_task

if TYPE_CHECKING:
    from tests.conftest import Giver

    from sluice.connections.connection import ConnectionRecord

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("az")]

DOUBLE = "az, Azure (double)"
FEDERATION = "WorkloadIdentityFederation"


def run_cli(world: World, record: ConnectionRecord, script: str, sources: Path, **inputs: str) -> TaskOutcome:
    given = {"scriptType": "bash", "scriptLocation": "inlineScript", "inlineScript": script, "visibleAzLogin": "false"}
    return run_task(
        "AzureCLI@2",
        connections={"connectedServiceNameARM": world.open(record)},
        inputs=given | inputs,
        environment=dict(os.environ),
        sources=sources,
    )


def test_a_secret_logs_in_and_is_in_no_argument(
    world: World, tmp_path: Path, evidence: Giver, watched: Callable[[dict[str, str]], ProcessWatch]
) -> None:
    with watched({"key": KEY}) as watch:
        done = run_cli(world, world.create(), 'az account show --query id --output tsv; echo "at $PWD"', tmp_path)
    assert done.result == "Succeeded", done.log
    assert SUBSCRIPTION in done.lines
    assert f"at {tmp_path}" in done.lines
    assert "az" in watch.seen
    assert watch.arguments == set()
    assert watch.environments == {}
    evidence("azurerm", "ServicePrincipal", "used", DOUBLE, task="AzureCLI@2")


def test_a_wrong_secret_fails_before_the_script(world: World, tmp_path: Path) -> None:
    wrong = world.create(secrets={"serviceprincipalkey": "wrong-secret-1234"})
    done = run_cli(world, wrong, "touch script-ran", tmp_path)
    assert done.result == "Failed"
    assert "Entra does not accept the client secret" in done.message
    assert not (tmp_path / "script-ran").exists()
    assert "wrong-secret" not in done.log


def test_a_certificate_logs_in_from_a_file_that_is_gone_afterwards(world: World, tmp_path: Path) -> None:
    world.application.certificates.append(CERTIFICATE)
    record = world.create(values={"authenticationType": "spnCertificate"}, secrets={"servicePrincipalCertificate": PEM})
    script = 'ls -l "$AZURE_CONFIG_DIR"/certificate.pem; az account get-access-token --query tokenType -o tsv'
    script += '; echo "config $AZURE_CONFIG_DIR"; stat -c "mode %a" "$AZURE_CONFIG_DIR"'
    done = run_cli(world, record, script, tmp_path)
    assert done.result == "Succeeded", done.log
    assert "Bearer" in done.lines
    assert "mode 700" in done.lines
    assert any(line.startswith("-rw-------") for line in done.lines)
    folder = next(line.removeprefix("config ") for line in done.lines if line.startswith("config "))
    assert not Path(folder).exists()


ASK = """
import os
from azure.identity import AzurePipelinesCredential
names = ("TENANT_ID", "CLIENT_ID", "SERVICE_CONNECTION_ID")
tenant, client, connection = (os.environ["AZURESUBSCRIPTION_" + name] for name in names)
for scope in ("https://management.azure.com/.default", "https://vault.azure.net/.default"):
    credential = AzurePipelinesCredential(tenant_id=tenant, client_id=client, service_connection_id=connection,
        system_access_token=os.environ["SYSTEM_ACCESSTOKEN"], disable_instance_discovery=True)
    print(scope, len(credential.get_token(scope).token) > 100)
"""


def test_federation_logs_in_and_the_script_asks_for_tokens_itself(
    world: World, tmp_path: Path, evidence: Giver, watched: Callable[[dict[str, str]], ProcessWatch]
) -> None:
    world.federate()
    (tmp_path / "ask.py").write_text(ASK)
    script = f"az account show --query id -o tsv; echo \"${{idToken:0:3}} $servicePrincipalId $tenantId\"; '{sys.executable}' ask.py"
    with watched({"assertion": "eyJ"}) as watch:
        done = run_cli(world, world.create(FEDERATION), script, tmp_path, addSpnToEnvironment="true")
    assert done.result == "Succeeded", done.log
    assert SUBSCRIPTION in done.lines
    assert any(line.startswith("eyJ ") and world.application.id in line for line in done.lines)
    assert sum(line.endswith(" True") for line in done.lines) == 2
    assert len(set(world.azure.entra.assertions)) == 3, "each is a fresh one: that of az, and those of the script"
    assert watch.arguments == set()
    evidence("azurerm", FEDERATION, "used", DOUBLE, task="AzureCLI@2")


def test_the_identity_of_the_machine_logs_in(
    world: World, tmp_path: Path, evidence: Giver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPSETTING_WEBSITE_SITE_NAME", "app")
    monkeypatch.setenv("MSI_ENDPOINT", f"{world.azure.url}/identity")
    monkeypatch.setenv("MSI_SECRET", world.azure.entra.header)
    done = run_cli(world, world.create("ManagedServiceIdentity"), "az account show --query user.type -o tsv", tmp_path)
    assert done.result == "Succeeded", done.log
    assert "servicePrincipal" in done.lines
    evidence("azurerm", "ManagedServiceIdentity", "used", DOUBLE, task="AzureCLI@2")


def test_a_federated_session_is_renewed_while_the_script_runs(world: World, tmp_path: Path) -> None:
    from sluice_azure import _az

    world.federate()
    record = world.create(FEDERATION)
    script = "for i in $(seq 200); do [ -e enough ] && exit 0; sleep 0.1; done; exit 7"
    # what is renewed every eight minutes is renewed at once here; the script ends when it was
    seen = len(world.azure.entra.assertions)

    def enough() -> None:
        if len(world.azure.entra.assertions) >= seen + 3:
            (tmp_path / "enough").touch()

    world.azure.entra.on_token = enough
    _az.REFRESH_SECONDS, kept = 0.1, _az.REFRESH_SECONDS
    try:
        done = run_cli(world, record, script, tmp_path, keepAzSessionActive="true")
    finally:
        _az.REFRESH_SECONDS = kept
    assert done.result == "Succeeded", done.log


def test_the_configuration_of_the_user_is_used_and_logged_out_of(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "person"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("AZURE_CONFIG_DIR", raising=False)
    done = run_cli(world, world.create(), 'test -e "$HOME/.azure/azureProfile.json"', tmp_path, useGlobalConfig="true")
    assert done.result == "Succeeded", done.log
    left = [path for path in (home / ".azure").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert left == []
    assert home / ".azure" / "service_principal_entries.json" in done.restored, "a killed job forgets it, too"
