"""Power Platform: connections tried, and the tasks that take them, against Entra and Dataverse under their own names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.azure import Cloud, cloud
from tests.doubles.dataverse import HOST, ORGANIZATION, URL, Dataverse
from tests.doubles.entra import Application, FederatedCredential
from tests.doubles.web import Call, Reply

from sluice.connections.connection import Draft
from sluice.connections.federation import DISCOVERY_PATH, KEYS_PATH
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.connections.verification import verify as store_verify
from sluice.plugin import Connection, Secret, SluiceError, VerificationError
from sluice.runtime.request import Result
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_power_platform import _entra, verify

TENANT = "11111111-2222-3333-4444-555555555555"
KEY = "client-secret-0123456789"
ISSUER = "https://issuer.sluice.test"


@dataclass
class World:
    cloud: Cloud
    dataverse: Dataverse
    application: Application

    def connection(self, scheme: str = "None", *, url: str = URL, **more: str) -> Connection:
        given = {"tenantId": TENANT, "applicationId": self.application.id, "clientSecret": KEY}
        if scheme == "WorkloadIdentityFederation":
            given = {"tenantid": TENANT, "serviceprincipalid": self.application.id}
        elif scheme == "ManagedServiceIdentity":
            given = {}
        return make_connection("powerplatform-spn", "dynamics", url=url, scheme=scheme, values={**given, **more})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with cloud(tmp_path, tenant=TENANT, subscription="none") as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AZURE_AUTHORITY_HOST", raising=False)
        entra = made.azure.entra
        entra.audiences.add(URL)
        application = entra.register(Application(keys={KEY}))
        dataverse = Dataverse(entra, {application.object_id: "0c0c-user"})
        made.azure.services[HOST] = dataverse.answer
        yield World(made, dataverse, application)
        entra.audiences.discard(URL)
        assert dataverse.complaints == []


def refused(connection: Connection) -> SluiceError:
    with pytest.raises(VerificationError) as raised:
        verify(connection)
    assert KEY not in str(raised.value)
    return raised.value


def test_a_client_secret_opens_the_environment(world: World, evidence: Giver) -> None:
    told = f"{URL} knows the application as user 0c0c-user of organization {ORGANIZATION}"
    assert verify(world.connection()) == told
    assert verify(world.connection(url=f"{URL}/main.aspx")) == told
    evidence("powerplatform-spn", "None", "verified right", "Entra and Dataverse (double)")


def test_wrong_and_expired_secrets_are_told_apart(world: World, evidence: Giver) -> None:
    wrong = refused(world.connection(clientSecret="wrong-secret-0666"))
    assert wrong.what == "Entra does not accept the client secret"
    assert "wrong-secret-0666" not in str(wrong)
    world.application.expired.add(KEY)
    assert refused(world.connection()).what == "the client secret has expired"
    evidence("powerplatform-spn", "None", "verified wrong", "Entra and Dataverse (double)")


def test_a_wrong_application_tenant_and_environment_are_told_apart(world: World) -> None:
    nobody = "99999999-2222-3333-4444-555555555555"
    assert "no application with this id" in refused(world.connection(applicationId=nobody)).what
    assert refused(world.connection(tenantId=nobody)).what == "there is no such tenant"
    other = world.connection(url="https://fabrikam.crm4.dynamics.com")
    assert refused(other).what == "the tenant does not know this environment"
    assert "is no address of an environment" in refused(world.connection(url="http://contoso")).what


def test_an_application_that_the_environment_does_not_know_or_gave_no_role_is_told(world: World) -> None:
    world.dataverse.roleless.add("0c0c-user")
    assert "no roles are assigned" in refused(world.connection()).why
    world.dataverse.users.clear()
    error = refused(world.connection())
    assert error.what == f"{URL} does not know the identity, or it has no role there"
    assert "not a member of the organization" in error.why
    assert "application user" in error.do


def test_something_else_there_is_told(world: World) -> None:
    def elsewhere(call: Call) -> Reply:
        return Reply(200, b"<html>", content="text/html")

    world.cloud.azure.services[HOST] = elsewhere
    assert refused(world.connection()).what == f"there is no environment with Dataverse at {URL}"


def test_a_certificate_that_nobody_vouches_for_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert "is not trusted" in refused(world.connection()).what


def test_a_federated_application_shows_what_sluice_has_signed(world: World, tmp_path: Path, evidence: Giver) -> None:
    home = Home(tmp_path / "home")
    database = Database.open(home)
    store = ConnectionStore(
        database, Sealer(lambda: FileKeys(home.keys / "master.json")), sources={}, issuer=lambda: ISSUER
    )
    documents = {DISCOVERY_PATH: store.federation.discovery, KEYS_PATH: store.federation.key_set}
    world.cloud.azure.services["issuer.sluice.test"] = lambda call: Reply(200, documents[call.path]())
    values = {"tenantid": TENANT, "serviceprincipalid": world.application.id}
    draft = Draft(
        name="dynamics", type="powerplatform-spn", scheme="WorkloadIdentityFederation", url=URL, values=values
    )
    try:
        record = store.create("default", draft, by="ann").record
        with pytest.raises(SluiceError, match="no federated credential of the application"):
            store_verify(store, record, by="ann")
        evidence("powerplatform-spn", "WorkloadIdentityFederation", "verified wrong", "Entra and Dataverse (double)")
        world.application.federated.append(FederatedCredential(ISSUER, "sc://local/default/dynamics"))
        assert "as user 0c0c-user" in store_verify(store, record, by="ann")
        evidence("powerplatform-spn", "WorkloadIdentityFederation", "verified right", "Entra and Dataverse (double)")
    finally:
        database.close()


def test_a_managed_identity_opens_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch, evidence: Giver
) -> None:
    azure = world.cloud.azure
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url.replace('127.0.0.1', 'localhost')}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", azure.entra.header)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    connection = world.connection("ManagedServiceIdentity")
    world.dataverse.users[azure.entra.machine.object_id] = "0d0d-host"
    assert "as user 0d0d-host" in verify(connection)
    evidence("powerplatform-spn", "ManagedServiceIdentity", "verified right", "Entra and Dataverse (double)")
    assert "  User ID:          0d0d-host" in act("PowerPlatformWhoAmi@2", connection).lines
    task = "PowerPlatformWhoAmi@2"
    evidence("powerplatform-spn", "ManagedServiceIdentity", "used", "Entra and Dataverse (double)", task=task)
    azure.entra.header = "another"
    assert refused(connection).what == "this host has no managed identity that gets a token"
    evidence("powerplatform-spn", "ManagedServiceIdentity", "verified wrong", "Entra and Dataverse (double)")


@pytest.mark.parametrize(
    ("environment", "login"),
    [
        ("https://a.crm4.dynamics.com", "https://login.microsoftonline.com"),
        ("https://a.crm9.dynamics.com", "https://login.microsoftonline.com"),
        ("https://a.crm.microsoftdynamics.us", "https://login.microsoftonline.us"),
        ("https://a.crm.appsplatform.us", "https://login.microsoftonline.us"),
        ("https://a.crm.dynamics.cn", "https://login.partner.microsoftonline.cn"),
    ],
)
def test_each_cloud_has_its_own_logins(environment: str, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_AUTHORITY_HOST", raising=False)
    assert _entra.authority(environment) == login
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "login.example.com/")
    assert _entra.authority(environment) == "https://login.example.com"


def act(task: str, connection: Connection, variables: Mapping[str, str] | None = None, **inputs: str) -> TaskOutcome:
    kind = "PowerPlatformSPN" if connection.type == "powerplatform-spn" else "PowerPlatformEnvironment"
    return run_task(
        task, inputs={"authenticationType": kind, **inputs}, connections={kind: connection}, variables=variables
    )


def test_who_am_i_tells_as_whom_it_is_logged_in(world: World, evidence: Giver) -> None:
    outcome = act("PowerPlatformWhoAmi@2", world.connection())
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert f"  Organization ID:  {ORGANIZATION}" in outcome.lines
    assert KEY not in outcome.log
    evidence("powerplatform-spn", "None", "used", "Entra and Dataverse (double)", task="PowerPlatformWhoAmi@2")


def test_the_environment_comes_from_the_step_then_from_a_variable(world: World) -> None:
    elsewhere = world.connection(url="https://nowhere.crm4.dynamics.com")
    assert act("PowerPlatformWhoAmi@2", elsewhere, Environment=URL).result == Result.SUCCEEDED
    unset = "$(BuildTools.EnvironmentUrl)"
    known = {"BuildTools.EnvironmentUrl": URL}
    assert act("PowerPlatformWhoAmi@2", elsewhere, known, Environment=unset).result == Result.SUCCEEDED
    assert "does not know this environment" in act("PowerPlatformWhoAmi@2", elsewhere, Environment=unset).message


def account(password: str = "pass-word-0001") -> Connection:
    return make_connection("generic", "person", url=URL, values={"username": "ada@contoso.com", "password": password})


def test_a_persons_account_is_a_generic_connection(world: World, evidence: Giver) -> None:
    entra = world.cloud.azure.entra
    entra.accounts["ada@contoso.com"] = "pass-word-0001"
    world.dataverse.users["ada@contoso.com"] = "0e0e-ada"
    outcome = act("PowerPlatformWhoAmi@2", account())
    assert "  User ID:          0e0e-ada" in outcome.lines
    assert "does not accept the user name" in act("PowerPlatformWhoAmi@2", account("wrong-secret-0666")).message
    entra.second_factor.add("ada@contoso.com")
    assert "needs a second factor" in act("PowerPlatformWhoAmi@2", account()).message
    task = "PowerPlatformWhoAmi@2"
    evidence("generic", "UsernamePassword", "used", "Entra and Dataverse (double)", task=task)


def test_variables_hold_what_the_connection_holds_and_are_secret(world: World) -> None:
    outcome = act("PowerPlatformSetConnectionVariables@2", world.connection())
    assert outcome.result == Result.SUCCEEDED, outcome.log
    values = {name: value.reveal() for name, value in outcome.variables.items() if isinstance(value, Secret)}
    assert values == {
        "BuildTools.ApplicationId": world.application.id,
        "BuildTools.ClientSecret": KEY,
        "BuildTools.TenantId": TENANT,
        "BuildTools.DataverseConnectionString": (
            f"AuthType=ClientSecret;url={URL};ClientId={world.application.id};ClientSecret={KEY}"
        ),
    }
    assert world.cloud.azure.calls_by_host == []  # nobody is asked


def test_variables_of_an_account(world: World) -> None:
    outcome = act("PowerPlatformSetConnectionVariables@2", account(), ApplicationId="app", RedirectUri="app://x")
    text = outcome.variables["BuildTools.DataverseConnectionString"]
    assert isinstance(text, Secret)
    assert text.reveal().startswith("AuthType=OAuth;url=https://contoso")
    assert text.reveal().endswith(";AppId=app;RedirectUri=app://x")
    without = act("PowerPlatformSetConnectionVariables@2", account())
    assert set(without.variables) == {"BuildTools.UserName", "BuildTools.Password"}


def test_an_identity_without_a_secret_gives_no_variables(world: World) -> None:
    outcome = act("PowerPlatformSetConnectionVariables@2", world.connection("ManagedServiceIdentity"))
    assert "has no client secret that scripts could be given" in outcome.message


def test_the_library_for_entra_writes_nothing_of_its_own_to_standard_error() -> None:
    code = "import logging, sluice_power_platform._entra; logging.getLogger('azure.identity').warning('unasked')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
