"""`AzureKeyVault@2` against a vault that checks who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.doubles.azure_vault import StoredSecret, Vault
from tests.doubles.entra import LOGIN_HOST

from sluice.connections.connection import Update
from sluice.plugin import Secret
from sluice.testing.task_runner import TaskOutcome, run_task

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

VALUES = {"db-password": "secret-one-0123", "api-key": "secret-two-0123", "token": "secret-three-0123"}


@pytest.fixture
def vault(world: World) -> Vault:
    vault = Vault(world.azure)
    vault.secrets.update({name: StoredSecret(value) for name, value in VALUES.items()})
    return vault


def fetch(world: World, record: ConnectionRecord, filter_: str = "*", name: str = "depot", **more: str) -> TaskOutcome:
    inputs = {"KeyVaultName": name, "SecretsFilter": filter_, **more}
    return run_task("AzureKeyVault@2", connections={"ConnectedServiceName": world.open(record)}, inputs=inputs)


def revealed(done: TaskOutcome) -> dict[str, str]:
    assert all(isinstance(one, Secret) for one in done.variables.values())
    return {name: one.reveal() for name, one in done.variables.items() if isinstance(one, Secret)}


@pytest.mark.parametrize("scheme", ["ServicePrincipal", "WorkloadIdentityFederation"])
def test_every_secret_becomes_a_secret_variable(world: World, vault: Vault, evidence: Giver, scheme: str) -> None:
    world.federate()
    vault.busy = 2
    done = fetch(world, world.create(scheme))
    assert done.result == "Succeeded", done.log
    assert revealed(done) == VALUES
    assert not any(value in done.log for value in VALUES.values())
    evidence("azurerm", scheme, "used", "Azure (double)", task="AzureKeyVault@2")


def test_the_filter_names_some_and_each_is_read_once(world: World, vault: Vault) -> None:
    done = fetch(world, world.create(), " token , db-password,token")
    assert revealed(done) == {name: VALUES[name] for name in ("token", "db-password")}
    assert [call.path for call in world.azure.asked(vault.host)] == ["/secrets/token", "/secrets/db-password"]


def test_disabled_and_expired_secrets_are_left_out(world: World, vault: Vault) -> None:
    vault.secrets["token"].enabled = False
    vault.secrets["api-key"].expires = 1_000_000
    assert set(fetch(world, world.create()).variables) == {"db-password"}


def test_everything_that_is_missing_is_told_at_once(world: World, vault: Vault) -> None:
    vault.secrets["token"].enabled = False
    done = fetch(world, world.create(), "nothing, token, db-password, a/../b")
    assert done.result == "Failed"
    for told in ("'nothing'", "SecretNotFound", "'token'", "disabled secret", "'a/../b' is no name of a secret"):
        assert told in done.message
    assert set(done.variables) == {"db-password"}


def test_an_identity_without_a_right_is_told_what_it_lacks(world: World, vault: Vault) -> None:
    world.azure.readers.clear()
    done = fetch(world, world.create(), "token")
    assert "Key Vault Secrets User" in done.message
    assert not done.variables


@pytest.mark.parametrize(
    "name", ["https://evil.example", "a", "evil.example", "depot/", "x" * 25, "depot.vault.azure.net"]
)
def test_what_is_no_name_of_a_vault_is_asked_nothing(world: World, name: str) -> None:
    done = fetch(world, world.create(), name=name)
    assert "is no name of a key vault" in done.message
    assert world.azure.calls_by_host == []


def test_a_list_that_goes_on_elsewhere_is_not_followed(world: World, vault: Vault) -> None:
    vault.elsewhere = "https://depot.vault.azure.net.evil.example"
    done = fetch(world, world.create())
    assert "points to another place" in done.message


def test_tokens_are_kept_for_what_sluice_asks_itself(world: World, vault: Vault) -> None:
    record = world.create()
    for _ in range(3):
        assert fetch(world, record, "token").result == "Succeeded"
    asked = [call for call in world.azure.asked(LOGIN_HOST) if call.path.endswith("/token")]
    assert len(asked) == 1


def test_a_connection_that_changes_loses_the_tokens_that_it_was_given(world: World, vault: Vault) -> None:
    record = world.create()
    assert fetch(world, record, "token").result == "Succeeded"
    update = Update(secrets={"serviceprincipalkey": Secret("revoked-secret-1234")})
    changed = world.store.update("default", "cloud", update, by="ann").record
    done = fetch(world, changed, "token")
    assert "Entra does not accept the client secret" in done.message
    assert not done.variables
