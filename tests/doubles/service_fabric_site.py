"""A Service Fabric cluster with the certificates of both sides, and connections to it."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from tests.doubles.certificates import Authority
from tests.doubles.service_fabric import Cluster
from tests.doubles.web import Double, served

from sluice.plugin import Connection
from sluice.testing.connections import make_connection

PASSWORD = "pfx-pass-word-0001"  # a made-up one


class Site:
    """A cluster with its certificates, and connections to it."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self._running = running
        self._doubles: list[Double] = []
        self.server = self.authority.issue("cluster.example.com", folder)
        self.pfx = self.client_of(self.authority)

    def client_of(self, authority: Authority) -> str:
        certificate, key = authority.issue("client", self.folder)
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        sealed = serialization.BestAvailableEncryption(PASSWORD.encode())
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        return base64.b64encode(
            pkcs12.serialize_key_and_certificates(b"client", private, loaded, None, sealed)
        ).decode()

    @property
    def thumbprint(self) -> str:
        der = ssl.PEM_cert_to_DER_cert(self.server[0].read_text())
        return hashlib.sha1(der).hexdigest().upper()

    def start(self, double: Double, *, clients: bool = True, tls: bool = True) -> None:
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.server)
            if clients:
                context.load_verify_locations(self.authority.path)
                context.verify_mode = ssl.CERT_REQUIRED
        self._running.enter_context(served(double, context))
        self._doubles.append(double)

    def complaints(self) -> list[str]:
        return [complaint for double in self._doubles for complaint in double.complaints]

    def connection(self, cluster: Cluster, scheme: str = "Certificate", **values: str) -> Connection:
        given: Mapping[str, str] = {"servercertthumbprint": self.thumbprint} if scheme != "None" else {}
        if scheme == "Certificate":
            given = {"certificate": self.pfx, "certificatepassword": PASSWORD, **given}
        return make_connection(
            "servicefabric",
            "cluster",
            url="tcp://127.0.0.1:19000",
            scheme=scheme,
            values={**given, "httpGatewayEndpoint": cluster.url, **values},
        )
