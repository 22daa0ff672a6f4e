"""Azure Classic and Azure Service Bus, tried against doubles that check certificates and signatures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

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
