"""Azure as a double under its own names, and connections to it in a store of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.doubles.azure import Azure, cloud
from tests.doubles.azure_management import Management
from tests.doubles.certificates import Authority
from tests.doubles.entra import Application, FederatedCredential
from tests.doubles.web import Call, Reply

from sluice.connections.connection import ConnectionRecord, Draft
from sluice.connections.federation import DISCOVERY_PATH, KEYS_PATH
from sluice.connections.keys import FileKeys
from sluice.connections.preparation import prepare
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.connections.verification import verify
from sluice.plugin import Connection, Secret
from sluice.storage import usage
from sluice.storage.engine import Database
from sluice.storage.home import Home

TENANT = "11111111-2222-3333-4444-555555555555"
SUBSCRIPTION = "22222222-3333-4444-5555-666666666666"
ISSUER = "https://issuer.sluice.test"
KEY = "client-secret-0123456789"


@dataclass
class World:
    """The double, a store, and an application that may read; `home` is where the store's state lies."""

    azure: Azure
    management: Management
    store: ConnectionStore
    application: Application
    home: Home
    authority: Authority
    others: dict[str, int]
    """Ends of host names that real servers of this machine stand for, by their ports."""

    def create(
        self,
        scheme: str = "ServicePrincipal",
        values: Mapping[str, str] | None = None,
        *,
        name: str = "cloud",
        type: str = "azurerm",  # noqa: A002  # the field's word
        url: str = "",
        secrets: dict[str, str] | None = None,
        **more: str,
    ) -> ConnectionRecord:
        """A connection that fits the double, unless `values` (or `more`) say otherwise; one of '' is left out."""
        given = {"subscriptionId": SUBSCRIPTION, "subscriptionName": "Pay as you go", "tenantid": TENANT}
        if scheme in {"ServicePrincipal", "WorkloadIdentityFederation"}:
            given["serviceprincipalid"] = self.application.id
        if secrets is None:
            secrets = {"serviceprincipalkey": KEY} if scheme == "ServicePrincipal" else {}
        draft = Draft(
            name=name,
            type=type,
            scheme=scheme,
            url=url,
            values={key: value for key, value in {**given, **(values or {}), **more}.items() if value},
            secrets={key: Secret(value) for key, value in secrets.items()},
        )
        return self.store.create("default", draft, by="ann").record

    def federate(self, name: str = "cloud", other: Mapping[str, str] | None = None) -> None:
        """Enter in Entra what `sluice connection federation` says."""
        given = {"issuer": ISSUER, "subject": f"sc://local/default/{name}", **(other or {})}
        self.application.federated.append(FederatedCredential(**given))

    def open(self, record: ConnectionRecord) -> Connection:
        """The connection as a step receives it."""
        use = usage.Use(project_id=record.project_id, actor="ann", run_id=7, step_id="s", task="Test@1")
        return prepare(self.store.open(record.project_id, record.id, use))

    def verify(self, record: ConnectionRecord) -> str:
        return verify(self.store, record, by="ann")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    home = Home(tmp_path / "home")
    database = Database.open(home)
    sealer = Sealer(lambda: FileKeys(home.keys / "master.json"))
    store = ConnectionStore(database, sealer, sources={}, issuer=lambda: ISSUER)

    def issuer(call: Call) -> Reply:
        documents = {DISCOVERY_PATH: store.federation.discovery, KEYS_PATH: store.federation.key_set}
        return Reply(200, documents[call.path]()) if call.path in documents else Reply(404, {})

    with cloud(tmp_path, tenant=TENANT, subscription=SUBSCRIPTION) as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        # the double asks the issuer as Entra does: through the same proxy
        served.azure.services["issuer.sluice.test"] = issuer
        application = served.azure.entra.register(Application(keys={KEY}))
        served.azure.readers.update({application.id, served.azure.entra.machine.id})
        yield World(served.azure, Management(served.azure), store, application, home, served.authority, served.others)
    database.close()


def certified() -> tuple[x509.Certificate, str]:
    """A certificate of an application, and the PEM text of it and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "application")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, text.decode()


CERTIFICATE, PEM = certified()
