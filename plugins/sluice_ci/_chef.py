"""Chef Infra Server: its API, and the signature on each request (version 1.3 of the protocol)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError
from sluice_ci._service import BODY, Product

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PRODUCT = Product(
    name="Chef Infra Server",
    address="the URL is that of the organization, such as https://chef.example.com/organizations/example",
    permission="let the client read and update environments and nodes of the organization",
)
SIGN = "1.3"
API = "1"
VERSION = "18.0.0"
"""The version of a Chef client that servers answer to."""
LINE = 60
"""A signature is sent in headers of so many characters."""


def verify(connection: Connection) -> str:
    """Ask for the environments; that takes a signature by the client's key."""
    chef = Chef(connection)
    environments = PRODUCT.json(connection, chef.ask("environments"))
    return (
        f"Chef Infra Server knows {connection.text('username')}; the organization has {len(environments)} environments"
    )


@dataclass(frozen=True, slots=True)
class Chef:
    """An organization of a Chef Infra Server."""

    connection: Connection

    def ask(self, path: str, *, method: str = "GET", body: object = None) -> Answer:
        """What the server answers to a signed request; raises `VerificationError` when the key signs nothing."""
        url = f"{self.connection.url.rstrip('/')}/{path}"
        sent = b"" if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "X-Chef-Version": VERSION}
        if sent:
            headers["Content-Type"] = "application/json"
        headers |= signature(self.connection, method, urlsplit(url).path, sent)
        answer = Probe(connection=self.connection, headers=headers).ask(
            url, method=method, body=sent, limit=BODY, follow=False
        )
        if answer.status == 401 and b"clock" in answer.body:
            raise VerificationError(
                "Chef Infra Server does not accept the signature: the clocks differ too much",
                where=self.connection.name,
                why=answer.shown,
                do="set this machine's clock",
            )
        return answer


def signature(connection: Connection, method: str, path: str, body: bytes) -> Mapping[str, str]:
    """The headers that say who asks, and prove it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    user = connection.text("username")
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    text = "\n".join(
        (
            f"Method:{method.upper()}",
            f"Path:{re.sub('/+', '/', path).rstrip('/') or '/'}",
            f"X-Ops-Content-Hash:{digest}",
            f"X-Ops-Sign:version={SIGN}",
            f"X-Ops-Timestamp:{now}",
            f"X-Ops-UserId:{user}",
            f"X-Ops-Server-API-Version:{API}",
        )
    )
    signed = base64.b64encode(_key(connection).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    headers = {
        "X-Ops-Sign": f"algorithm=sha256;version={SIGN}",
        "X-Ops-Userid": user,
        "X-Ops-Timestamp": now,
        "X-Ops-Content-Hash": digest,
        "X-Ops-Server-API-Version": API,
    }
    pieces = [signed[start : start + LINE] for start in range(0, len(signed), LINE)]
    return headers | {f"X-Ops-Authorization-{number}": piece for number, piece in enumerate(pieces, 1)}


def client_key(connection: Connection) -> Secret:
    r"""The client's key as a PEM text; forms put spaces or `\n` where its line ends were."""
    key = connection.secret("password")
    if not key:
        raise VerificationError("the connection has no client key", where=connection.name)
    found = re.search(
        r"(-----BEGIN (?:RSA )?PRIVATE KEY-----)(.*)(-----END (?:RSA )?PRIVATE KEY-----)", key.reveal(), re.DOTALL
    )
    if not found:
        return key
    begin, middle, end = found.groups()
    lines = middle.replace("\\n", " ").split()
    return Secret("\n".join((begin, *lines, end, "")))


def _key(connection: Connection) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(client_key(connection).reveal().encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise VerificationError(
            "the client key cannot be read", where=connection.name, do="enter the whole .pem file that Chef gave"
        )
    return key
