"""Azure Key Vault references against a contract double, over TLS as Azure is."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.doubles.azure_key_vault import AzureKeyVault as Double
from tests.doubles.certificates import Authority
from tests.doubles.web import served

from sluice.plugin import Connection, Secret, SluiceError
from sluice_secrets import AzureKeyVault

TENANT = "11111111-2222-3333-4444-555555555555"
APPLICATION = "66666666-7777-8888-9999-000000000000"
KEY = "spn-key-0123456789"
SOURCE = AzureKeyVault()


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("azure", tmp_path))
    double = Double(tenant=TENANT, application=APPLICATION, key=KEY)
    double.stored = {"deploy-token": {"v1": "first-token", "v2": "second-token"}}
    with served(double, context):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", double.url)
        monkeypatch.setenv("SLUICE_AZUREKEYVAULT_ADDRESS", double.url)
        yield double
    assert double.complaints == []


def subscription(key: str = KEY, **values: str) -> Connection:
    return Connection(
        id="1",
        name="azure",
        type="azurerm",
        scheme="ServicePrincipal",
        parameters={
            "tenantid": TENANT,
            "serviceprincipalid": APPLICATION,
            "serviceprincipalkey": Secret(key),
            "authenticationType": "spnKey",
        },
        data={"environment": "AzureCloud", **values},
    )


def read(reference: str, connection: Connection | None) -> str:
    return SOURCE.read([reference], connection).secrets[reference].reveal()


def refusal(reference: str, connection: Connection | None) -> str:
    with pytest.raises(SluiceError) as raised:
        read(reference, connection)
    assert KEY not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("depot-vault/deploy-token", "second-token"),
        ("depot-vault/deploy-token/v1", "first-token"),
        ("https://depot-vault.vault.azure.net/secrets/deploy-token", "second-token"),
        ("https://depot-vault.vault.azure.net/secrets/deploy-token/v1", "first-token"),
    ],
)
def test_a_secret_is_read_by_name_or_by_its_identifier(azure: Double, reference: str, value: str) -> None:
    assert read(reference, subscription()) == value


def test_several_secrets_are_read_with_one_token(azure: Double) -> None:
    found = SOURCE.read(["v-1/deploy-token", "v-1/deploy-token/v1"], subscription())
    assert [one.reveal() for one in found.secrets.values()] == ["second-token", "first-token"]
    assert len([call for call in azure.calls if call.path.endswith("/token")]) == 1


def test_the_identity_of_the_machine_reads_where_no_connection_is_named(
    azure: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/identity")
    monkeypatch.setenv("IDENTITY_HEADER", azure.header)
    assert read("depot-vault/deploy-token", None) == "second-token"
    managed = replace(subscription(), scheme="ManagedServiceIdentity", parameters={"tenantid": TENANT})
    assert read("depot-vault/deploy-token", managed) == "second-token"


def test_a_federated_connection_reads_with_an_identity_token(azure: Double) -> None:
    azure.assertions.add("identity-token-1")
    parameters = {"tenantid": TENANT, "serviceprincipalid": APPLICATION}
    federated = replace(subscription(), scheme="WorkloadIdentityFederation", parameters=parameters)
    federated = replace(federated, federation=lambda: Secret("identity-token-1"))
    assert read("depot-vault/deploy-token", federated) == "second-token"


def test_reasons_are_told_apart(azure: Double) -> None:
    assert "no such secret" in refusal("depot-vault/none", subscription())
    azure.forbidden.add("deploy-token")
    assert "may not get secrets" in refusal("depot-vault/deploy-token", subscription())
    said = refusal("depot-vault/deploy-token", subscription("wrong-key-4711"))
    assert "AADSTS7000215" in said
    assert "wrong-key-4711" not in said
    ssh = replace(subscription(), type="ssh")
    assert "read it through an azurerm connection" in refusal("depot-vault/deploy-token", ssh)
    assert "is not known" in refusal("depot-vault/deploy-token", subscription(environment="AzureStack"))


@pytest.mark.parametrize(
    "reference",
    [
        "https://depot-vault.vault.azure.net.evil.example/secrets/x",
        "https://depot-vault.vault.azure.cn/secrets/x",
        "https://evil.example/secrets/x",
    ],
)
def test_the_token_goes_to_no_other_host(azure: Double, reference: str) -> None:
    assert refusal(reference, subscription())
    assert azure.calls == []


@pytest.mark.parametrize(
    "reference",
    ["x", "/x", "depot-vault", "depot-vault/", "de/../pot/x", "v/x y", "http://v1x.vault.azure.net/secrets/x", "vault/a/b/c"],
)  # fmt: skip
def test_what_is_no_key_vault_reference_is_refused(azure: Double, reference: str) -> None:
    assert "a key vault reference is" in refusal(reference, subscription())
    with pytest.raises(SluiceError, match="a key vault reference is"):
        SOURCE.check(reference)


def test_the_library_for_entra_writes_nothing_of_its_own_to_standard_error() -> None:
    code = "import logging, sluice_secrets._azure; logging.getLogger('azure.identity').warning('unasked')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
