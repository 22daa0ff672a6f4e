from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.doubles.azure_registry import AzureRegistry
from tests.doubles.certificates import Authority
from tests.doubles.web import served

from sluice.plugin import Connection, Secret, TaskFailedError
from sluice_docker import prepare_registry

TENANT = "11111111-2222-3333-4444-555555555555"
APPLICATION = "66666666-7777-8888-9999-000000000000"


def _application() -> tuple[x509.Certificate, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "application")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, text.decode()


CERTIFICATE, PEM = _application()


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureRegistry]:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("azure", tmp_path))
    double = AzureRegistry(tenant=TENANT, application=APPLICATION, certificate=CERTIFICATE)
    with served(double, context):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", double.url)
        yield double
    assert double.complaints == []


def connection(azure: AzureRegistry, scheme: str, **parameters: str | Secret) -> Connection:
    given: dict[str, str | Secret] = {"loginServer": azure.server, "tenantid": TENANT, **parameters}
    return Connection(id="1", name="acr", type="dockerregistry", scheme=scheme, parameters=given)


def certified(azure: AzureRegistry, pem: str = PEM) -> Connection:
    return connection(
        azure,
        "ServicePrincipal",
        serviceprincipalid=APPLICATION,
        authenticationType="spnCertificate",
        servicePrincipalCertificate=Secret(pem),
    )


def logged_in(connection: Connection) -> tuple[str, str]:
    password = connection.secret("password")
    assert password is not None
    return connection.text("username"), password.reveal()


def test_a_service_principal_with_a_key_logs_in_with_it(azure: AzureRegistry) -> None:
    given = connection(azure, "ServicePrincipal", serviceprincipalid=APPLICATION, serviceprincipalkey=Secret("key-71"))
    prepared = prepare_registry(given)
    assert logged_in(prepared) == (APPLICATION, "key-71")
    assert prepared.text("registry") == azure.server
    assert azure.calls == []


def test_a_certificate_gets_a_token_of_the_registry(azure: AzureRegistry) -> None:
    azure.busy = 2
    prepared = prepare_registry(certified(azure))
    assert logged_in(prepared) == ("00000000-0000-0000-0000-000000000000", azure.refresh)
    assert azure.refresh not in repr(prepared)


def test_a_certificate_that_entra_does_not_know_is_refused(azure: AzureRegistry) -> None:
    _, other = _application()
    with pytest.raises(TaskFailedError, match="Entra gives no token") as refusal:
        prepare_registry(certified(azure, other))
    assert "PRIVATE KEY" not in str(refusal.value)


def test_a_managed_identity_gets_a_token_of_the_registry(azure: AzureRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", azure.header)
    prepared = prepare_registry(connection(azure, "ManagedServiceIdentity"))
    assert logged_in(prepared)[1] == azure.refresh


def test_a_registry_that_refuses_the_identity_is_told(azure: AzureRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", azure.header)
    given = connection(azure, "ManagedServiceIdentity", tenantid=APPLICATION)
    with pytest.raises(TaskFailedError, match=r"gives no token for this identity.*401"):
        prepare_registry(given)


def test_workload_identity_federation_says_what_is_missing(azure: AzureRegistry) -> None:
    with pytest.raises(TaskFailedError, match="WorkloadIdentityFederation"):
        prepare_registry(connection(azure, "WorkloadIdentityFederation"))


def test_other_registries_stay_as_they_are() -> None:
    given = Connection(id="1", name="r", type="dockerregistry", scheme="UsernamePassword", parameters={"username": "a"})
    assert prepare_registry(given) is given
