"""`sluice connection verify`, right and wrong, for every scheme; what is wrong is told so that a person can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
import pytest
from tests.doubles.azure import MANAGEMENT
from tests.doubles.entra import LOGIN_HOST
from tests.plugins.sluice_azure.conftest import CERTIFICATE, ISSUER, PEM, SUBSCRIPTION, certified

from sluice.connections.connection import Update
from sluice.errors import VerificationError
from sluice.plugin import Secret

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

DOUBLE = "Azure (double)"
FEDERATION = "WorkloadIdentityFederation"


def refused(world: World, record: ConnectionRecord) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        world.verify(record)
    return caught.value


def test_a_client_secret_reaches_its_subscription(world: World, evidence: Giver) -> None:
    assert world.verify(world.create()) == "the service principal reaches the subscription 'Pay as you go'"
    evidence("azurerm", "ServicePrincipal", "verified right", DOUBLE)


def test_a_wrong_client_secret_is_told_as_that(world: World, evidence: Giver) -> None:
    error = refused(world, world.create(secrets={"serviceprincipalkey": "wrong-secret-1234"}))
    assert error.what == "Entra does not accept the client secret"
    assert "AADSTS7000215" in error.why
    assert "sluice connection rotate cloud --secret serviceprincipalkey=-" in error.do
    assert "wrong-secret" not in str(error)
    assert "Trace ID" not in str(error)
    evidence("azurerm", "ServicePrincipal", "verified wrong", DOUBLE)


def test_an_expired_client_secret_is_told_as_that(world: World) -> None:
    world.application.expired.add("expired-secret-1234")
    error = refused(world, world.create(secrets={"serviceprincipalkey": "expired-secret-1234"}))
    assert error.what == "the client secret has expired"
    assert "sluice connection rotate cloud" in error.do


def test_an_application_that_nobody_knows_is_told_as_that(world: World) -> None:
    error = refused(world, world.create(serviceprincipalid=SUBSCRIPTION))
    assert error.what == "the tenant has no application with this client id"


def test_a_tenant_that_nobody_knows_is_told_as_that(world: World) -> None:
    error = refused(world, world.create(tenantid=SUBSCRIPTION))
    assert "tenant" in error.what
    assert "check tenantid" in error.do


def test_a_principal_without_a_role_is_told_what_it_lacks(world: World) -> None:
    world.azure.readers.clear()
    error = refused(world, world.create())
    assert "cannot be read" in error.what
    assert "AuthorizationFailed" in error.why
    assert "the role Reader" in error.do


def test_a_subscription_that_is_not_there_is_told_as_that(world: World) -> None:
    error = refused(world, world.create(subscriptionId=world.application.id))
    assert "no such thing as the subscription" in error.what
    assert "check its id" in error.do


def test_a_disabled_subscription_is_told_as_that(world: World) -> None:
    world.management.state = "Disabled"
    assert "its state is Disabled" in refused(world, world.create()).what


def test_another_name_of_the_subscription_is_pointed_out(world: World) -> None:
    assert "calls 'Production'" in world.verify(world.create(subscriptionName="Production"))


def test_a_certificate_reaches_its_subscription(world: World) -> None:
    world.application.certificates.append(CERTIFICATE)
    kind = {"authenticationType": "spnCertificate"}
    record = world.create(values=kind, secrets={"servicePrincipalCertificate": PEM})
    assert "the service principal reaches" in world.verify(record)
    other = world.create(values=kind, name="other", secrets={"servicePrincipalCertificate": certified()[1]})
    error = refused(world, other)
    assert "Entra does not know the certificate" in error.what
    assert "PRIVATE KEY" not in str(error)


@pytest.mark.parametrize("mode", ["Manual", "Automatic"])
def test_federation_reaches_its_subscription_without_a_secret(world: World, evidence: Giver, mode: str) -> None:
    world.federate()
    record = world.create(FEDERATION, creationMode=mode)
    assert world.verify(record) == "the federated identity reaches the subscription 'Pay as you go'"
    claims = jwt.decode(world.azure.entra.assertions[-1], options={"verify_signature": False})
    assert (claims["iss"], claims["sub"]) == (ISSUER, "sc://local/default/cloud")
    evidence("azurerm", FEDERATION, "verified right", DOUBLE)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"subject": "sc://local/default/other"}, "has the subject of this connection"),
        ({"issuer": "https://vstoken.dev.azure.com/x"}, "has this Sluice for its issuer"),
        ({"audience": "api://other"}, "has the right audience"),
    ],
)
def test_federation_that_entra_was_not_told_of_is_told_as_that(
    world: World, evidence: Giver, other: dict[str, str], told: str
) -> None:
    world.federate(other=other)
    error = refused(world, world.create(FEDERATION))
    assert told in error.what
    assert "sluice connection federation cloud" in error.do
    evidence("azurerm", FEDERATION, "verified wrong", DOUBLE)


def test_a_rotated_key_is_found_by_entra(world: World) -> None:
    world.federate()
    record = world.create(FEDERATION)
    world.verify(record)
    world.store.federation.rotate(by="ann", at_once=True)
    assert "reaches" in world.verify(record)


def test_a_managed_identity_is_that_of_this_machine(
    world: World, evidence: Giver, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = world.create("ManagedServiceIdentity")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{world.azure.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", world.azure.entra.header)
    assert "the identity of this machine reaches" in world.verify(record)
    evidence("azurerm", "ManagedServiceIdentity", "verified right", DOUBLE)
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    assert refused(world, record).what == "this machine has no managed identity that answers"
    evidence("azurerm", "ManagedServiceIdentity", "verified wrong", DOUBLE)


def test_who_cannot_be_asked_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    error = refused(world, world.create())
    assert error.what == "login.microsoftonline.com cannot be asked for a token"
    assert "set HTTPS_PROXY" in error.do
    assert "Connection" not in error.what
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/identity")
    monkeypatch.setenv("IDENTITY_HEADER", "x")
    machine = world.create("ManagedServiceIdentity", name="machine")
    assert "cannot be asked" in refused(world, machine).what or "no managed identity" in refused(world, machine).what


def test_a_user_assigned_identity_is_asked_for_by_its_client_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{world.azure.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", world.azure.entra.header)
    own = world.create("ManagedServiceIdentity", msiclientId=world.azure.entra.machine.id)
    assert "reaches" in world.verify(own)
    assert refused(world, world.create("ManagedServiceIdentity", name="other", msiclientId=SUBSCRIPTION))


def test_a_management_group_and_a_workspace_are_looked_at(world: World) -> None:
    group = {"subscriptionId": "", "subscriptionName": "", "scopeLevel": "ManagementGroup"}
    found = world.create(name="group", managementGroupId="platform", managementGroupName="Platform", values=group)
    assert world.verify(found) == "the service principal reaches the management group 'Platform team'"
    lost = world.create(name="lost", managementGroupId="nowhere", managementGroupName="Nowhere", values=group)
    assert "no such thing as the management group 'nowhere'" in refused(world, lost).what
    science = {"scopeLevel": "AzureMLWorkspace", "resourceGroupName": "science", "mlWorkspaceLocation": "West Europe"}
    assert world.verify(world.create(name="ml", mlWorkspaceName="models", values=science)).endswith(
        "workspace 'models'"
    )
    elsewhere = world.create(name="far", mlWorkspaceName="models", values={**science, "mlWorkspaceLocation": "eastus"})
    assert "which is in westeurope, not in eastus" in world.verify(elsewhere)
    assert (
        "no such thing as the workspace"
        in refused(world, world.create(name="no", mlWorkspaceName="x", values=science)).what
    )


def test_an_azure_stack_says_where_its_logins_are(world: World) -> None:
    record = world.create(environment="AzureStack", url="https://management.local.azurestack.test/")
    assert "reaches the subscription" in world.verify(record)
    assert not world.azure.asked(MANAGEMENT)
    wrong = world.create(name="wrong", environment="AzureStack", url="https://myapp.azurewebsites.net/")
    world.azure.services["myapp.azurewebsites.net"] = world.management.answer
    assert "there is no Azure Stack at https://myapp.azurewebsites.net/" in refused(world, wrong).what


def test_throttling_is_waited_for(world: World) -> None:
    record = world.create()
    world.azure.busy = world.azure.entra.busy = 2
    assert "reaches" in world.verify(record)
    assert len(world.azure.asked(MANAGEMENT)) == 3


def test_what_is_tried_is_what_is_stored_now(world: World) -> None:
    record = world.create()
    world.verify(record)
    update = Update(secrets={"serviceprincipalkey": Secret("changed-secret-1234")})
    changed = world.store.update("default", "cloud", update, by="ann").record
    assert refused(world, changed).what == "Entra does not accept the client secret"
    tokens = [call for call in world.azure.asked(LOGIN_HOST) if call.path.endswith("/token")]
    assert len(tokens) == 2
