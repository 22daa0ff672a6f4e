"""Azure Classic and Azure Service Bus, tried against doubles that check certificates and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from tests.doubles.azure import CLASSIC
from tests.doubles.web import Call, Reply
from tests.plugins.sluice_azure.conftest import SUBSCRIPTION

from sluice.errors import VerificationError
from sluice.plugin import Secret, basic

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

REGIONS = b"<GeoRegions><GeoRegion><Name>West Europe</Name></GeoRegion></GeoRegions>"
SAS_KEY = "c2FzLWtleS0wMTIzNDU2Nzg5"


class ServiceManagement:
    """The API of classic Azure: a management certificate that it knows, or an account."""

    def __init__(self, world: World) -> None:
        self.azure = world.azure
        self.certificates: set[bytes] = set()
        self.account = basic("ann@example.com", Secret("password-0123")).reveal()
        world.azure.services[CLASSIC] = self.answer

    def answer(self, call: Call) -> Reply:
        if not call.headers.get("x-ms-version"):
            return Reply(400, b"<Error><Code>MissingOrIncorrectVersionHeader</Code></Error>")
        if call.certificate not in self.certificates and call.headers.get("authorization") != self.account:
            return Reply(403, b"<Error><Code>ForbiddenError</Code></Error>")
        if call.path != f"/{SUBSCRIPTION}/services/WebSpaces" or call.query != {"properties": "georegions"}:
            return Reply(404, b"<Error><Code>ResourceNotFound</Code></Error>")
        return Reply(200, REGIONS, content="application/xml")


@pytest.fixture
def management(world: World) -> ServiceManagement:
    return ServiceManagement(world)


def refused(world: World, record: ConnectionRecord) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        world.verify(record)
    return caught.value


def classic(world: World, scheme: str, name: str, secrets: dict[str, str], **values: str) -> ConnectionRecord:
    return world.create(scheme, type="azure", name=name, secrets=secrets, values={"tenantid": "", **values})


def client(world: World, folder: Path, name: str) -> tuple[bytes, str, str]:
    """A certificate (DER), and it with its key as PEM and as the publish-settings file has it."""
    paths = world.authority.issue(name, folder)
    certificate = x509.load_pem_x509_certificate(paths[0].read_bytes())
    key = serialization.load_pem_private_key(paths[1].read_bytes(), None)
    packed = pkcs12.serialize_key_and_certificates(
        None,
        key,  # type: ignore[arg-type]  # an EC key, as the authority makes them
        certificate,
        None,
        serialization.NoEncryption(),
    )
    pem = paths[0].read_text() + paths[1].read_text()
    return certificate.public_bytes(serialization.Encoding.DER), pem, base64.b64encode(packed).decode()


def test_a_management_certificate_is_shown(
    world: World, management: ServiceManagement, tmp_path: Path, evidence: Giver
) -> None:
    der, pem, packed = client(world, tmp_path, "manager")
    management.certificates.add(der)
    for number, text in enumerate((pem, packed)):
        record = classic(world, "Certificate", f"c{number}", {"certificate": text})
        assert "accepts the management certificate for the subscription" in world.verify(record)
    evidence("azure", "Certificate", "verified right", "Azure (double)")
    _, other, _ = client(world, tmp_path, "stranger")
    error = refused(world, classic(world, "Certificate", "other", {"certificate": other}))
    assert "does not accept the management certificate" in error.what
    assert "PRIVATE KEY" not in str(error)
    evidence("azure", "Certificate", "verified wrong", "Azure (double)")


def test_what_is_no_certificate_is_told_as_that(world: World, management: ServiceManagement, tmp_path: Path) -> None:
    alone = client(world, tmp_path, "manager")[1].partition("-----BEGIN PRIVATE")[0]
    assert refused(world, classic(world, "Certificate", "c", {"certificate": alone})).why == "it holds no private key"
    junk = classic(world, "Certificate", "d", {"certificate": "MIIabcdefghijklmnop="})
    assert "no PKCS#12 file" in refused(world, junk).why


def test_an_account_is_checked(world: World, management: ServiceManagement, evidence: Giver) -> None:
    given = {"username": "ann@example.com"}
    record = classic(world, "UsernamePassword", "a", {"password": "password-0123"}, **given)
    assert "accepts the account ann@example.com" in world.verify(record)
    evidence("azure", "UsernamePassword", "verified right", "Azure (double)")
    wrong = classic(world, "UsernamePassword", "b", {"password": "wrong-0123456"}, **given)
    assert "does not accept the account" in refused(world, wrong).what
    evidence("azure", "UsernamePassword", "verified wrong", "Azure (double)")


class Queues:
    """The queues of a namespace, described to whoever signs with the right key and has the right Manage."""

    def __init__(self, world: World) -> None:
        self.host = "ns.servicebus.windows.net"
        self.manages = True
        world.azure.services[self.host] = self.answer

    def answer(self, call: Call) -> Reply:
        kind, _, text = call.headers.get("authorization", "").partition(" ")
        parts = {name: values[0] for name, values in parse_qs(text).items()}
        if kind != "SharedAccessSignature" or not self._signed(call, parts):
            return Reply(401, b"<Error><Code>401</Code><Detail>InvalidSignature</Detail></Error>")
        if not self.manages:
            return Reply(
                401,
                b"<Error><Code>401</Code><Detail>Unauthorized access. 'Manage' claim(s) are required</Detail></Error>",
            )
        if call.path != "/orders":
            return Reply(200, b"<feed></feed>", content="application/atom+xml")
        return Reply(200, b"<entry><content><QueueDescription/></content></entry>", content="application/atom+xml")

    def _signed(self, call: Call, parts: dict[str, str]) -> bool:
        resource = f"https://{self.host}{call.path}"
        expires = parts.get("se", "0")
        text = f"{quote_plus(resource)}\n{expires}".encode()
        right = base64.b64encode(hmac.new(SAS_KEY.encode(), text, hashlib.sha256).digest()).decode()
        return (
            parts.get("sr") == resource
            and parts.get("sig") == right
            and time.time() < int(expires) <= time.time() + 600
        )


def bus(world: World, name: str, key: str = SAS_KEY, queue: str = "orders") -> ConnectionRecord:
    text = f"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={key}"
    return world.create(
        "None",
        {"subscriptionId": "", "subscriptionName": "", "tenantid": ""},
        type="AzureServiceBus",
        name=name,
        secrets={"serviceBusConnectionString": text},
        serviceBusQueueName=queue,
    )


def test_a_connection_string_is_checked_against_its_queue(world: World, evidence: Giver) -> None:
    queues = Queues(world)
    assert "has the queue 'orders'" in world.verify(bus(world, "right"))
    evidence("AzureServiceBus", "None", "verified right", "Azure (double)")
    assert (
        "does not accept the connection string" in refused(world, bus(world, "wrong", key="d3Jvbmcta2V5LTAxMjM=")).what
    )
    assert "has no queue 'nothing'" in refused(world, bus(world, "lost", queue="nothing")).what
    evidence("AzureServiceBus", "None", "verified wrong", "Azure (double)")
    queues.manages = False
    assert "knows the key; it may not look" in world.verify(bus(world, "sender"))
