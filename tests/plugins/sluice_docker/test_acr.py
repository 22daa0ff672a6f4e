"""Azure Container Registry: what each kind of identity logs in with, against Entra and a registry that check it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.doubles.azure_registry import Registry
from tests.plugins.sluice_azure.conftest import CERTIFICATE, PEM, TENANT, World, certified, world

from sluice.connections.connection import ConnectionRecord
from sluice.errors import VerificationError
from sluice.plugin import Connection, Secret, SluiceError, TaskFailedError
from sluice_docker import prepare_registry, verify_registry

if TYPE_CHECKING:
    from tests.conftest import Giver

__all__ = ["world"]

FEDERATION = "WorkloadIdentityFederation"


@pytest.fixture
def registry(world: World) -> Registry:
    return Registry(world.azure)


def connection(registry: Registry, scheme: str, **parameters: str | Secret) -> Connection:
    given: dict[str, str | Secret] = {"loginServer": registry.server, "tenantid": TENANT, **parameters}
    return Connection(id="1", name="acr", type="dockerregistry", scheme=scheme, parameters=given)


def with_certificate(world: World, registry: Registry, pem: str = PEM) -> Connection:
    return connection(
        registry,
        "ServicePrincipal",
        serviceprincipalid=world.application.id,
        authenticationType="spnCertificate",
        servicePrincipalCertificate=Secret(pem),
    )


def federated(world: World, registry: Registry) -> ConnectionRecord:
    values = {"loginServer": registry.server, "registrytype": "ACR", "tenantid": TENANT}
    return world.create(FEDERATION, values, type="dockerregistry", name="acr")


def logged_in(connection: Connection) -> tuple[str, str]:
    password = connection.secret("password")
    assert password is not None
    return connection.text("username"), password.reveal()


def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{world.azure.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", world.azure.entra.header)


def test_a_service_principal_with_a_key_logs_in_with_it(world: World, registry: Registry) -> None:
    given = connection(
        registry, "ServicePrincipal", serviceprincipalid=world.application.id, serviceprincipalkey=Secret("key-71")
    )
    prepared = prepare_registry(given)
    assert logged_in(prepared) == (world.application.id, "key-71")
    assert prepared.text("registry") == registry.server
    assert world.azure.calls == []


def test_a_certificate_gets_a_token_of_the_registry(world: World, registry: Registry) -> None:
    world.application.certificates.append(CERTIFICATE)
    registry.busy = 2
    prepared = prepare_registry(with_certificate(world, registry))
    assert logged_in(prepared) == ("00000000-0000-0000-0000-000000000000", registry.refresh)
    assert registry.refresh not in repr(prepared)


def test_a_certificate_that_entra_does_not_know_is_refused(world: World, registry: Registry) -> None:
    world.application.certificates.append(CERTIFICATE)
    with pytest.raises(TaskFailedError, match="Entra gives no token") as refusal:
        prepare_registry(with_certificate(world, registry, certified()[1]))
    assert "PRIVATE KEY" not in str(refusal.value)


def test_a_managed_identity_gets_a_token_of_the_registry(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(world, monkeypatch)
    prepared = prepare_registry(connection(registry, "ManagedServiceIdentity"))
    assert logged_in(prepared)[1] == registry.refresh


def test_a_registry_that_refuses_the_identity_is_told(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(world, monkeypatch)
    given = connection(registry, "ManagedServiceIdentity", tenantid=world.application.id)
    with pytest.raises(TaskFailedError, match=r"gives no token for this identity.*401"):
        prepare_registry(given)


def test_a_certificate_is_tried_at_the_registry(world: World, registry: Registry, evidence: Giver) -> None:
    world.application.certificates.append(CERTIFICATE)
    assert "depot.azurecr.io accepts the user 00000000" in verify_registry(with_certificate(world, registry))
    evidence("dockerregistry", "ServicePrincipal", "verified right", "Azure (double)")
    with pytest.raises(SluiceError, match="Entra gives no token"):
        verify_registry(with_certificate(world, registry, certified()[1]))
    evidence("dockerregistry", "ServicePrincipal", "verified wrong", "Azure (double)")


def test_a_managed_identity_is_tried_at_the_registry(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch, evidence: Giver
) -> None:
    machine(world, monkeypatch)
    assert "accepts the user 00000000" in verify_registry(connection(registry, "ManagedServiceIdentity"))
    evidence("dockerregistry", "ManagedServiceIdentity", "verified right", "Azure (double)")
    with pytest.raises(SluiceError, match="gives no token for this identity"):
        verify_registry(connection(registry, "ManagedServiceIdentity", tenantid=world.application.id))
    evidence("dockerregistry", "ManagedServiceIdentity", "verified wrong", "Azure (double)")


def test_federation_gets_a_token_of_the_registry_without_a_secret(
    world: World, registry: Registry, evidence: Giver
) -> None:
    world.federate("acr")
    record = federated(world, registry)
    assert record.secrets == frozenset()
    for _ in range(2):
        assert logged_in(world.open(record)) == ("00000000-0000-0000-0000-000000000000", registry.refresh)
    assert len(set(world.azure.entra.assertions)) == 2
    assert "depot.azurecr.io accepts the user 00000000" in world.verify(record)
    evidence("dockerregistry", FEDERATION, "verified right", "Azure (double)")


def test_federation_that_entra_was_not_told_of_is_refused(world: World, registry: Registry, evidence: Giver) -> None:
    record = federated(world, registry)
    with pytest.raises(TaskFailedError, match="AADSTS700211"):
        world.open(record)
    with pytest.raises(VerificationError, match="AADSTS700211"):
        world.verify(record)
    evidence("dockerregistry", FEDERATION, "verified wrong", "Azure (double)")


def test_federation_without_an_issuer_says_so(registry: Registry) -> None:
    with pytest.raises(SluiceError, match="no identity token is issued"):
        prepare_registry(connection(registry, FEDERATION, serviceprincipalid="x"))


def test_other_registries_stay_as_they_are() -> None:
    given = Connection(id="1", name="r", type="dockerregistry", scheme="UsernamePassword", parameters={"username": "a"})
    assert prepare_registry(given) is given


def test_the_library_for_entra_writes_nothing_of_its_own_to_standard_error() -> None:
    code = "import logging, sluice_docker._acr; logging.getLogger('azure.identity').warning('unasked')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
