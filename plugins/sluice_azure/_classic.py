"""Azure Classic: the service-management API, with an account or a management certificate."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import tempfile
from collections.abc import Iterator

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError, basic

VERSION = "2016-06-01"
_SEEN = 64 * 1024


def verify(connection: Connection) -> str:
    """Ask for the regions that the subscription may use, which takes its credentials."""
    subscription = connection.text("subscriptionId")
    url = f"{connection.url.rstrip('/')}/{subscription}/services/WebSpaces?properties=georegions"
    headers = {"x-ms-version": VERSION}
    if connection.scheme.casefold() == "certificate":
        with certificate_file(connection) as path:
            probe = Probe(connection=connection, headers=headers, client_certificate=path)
            answer = probe.ask(url, limit=_SEEN)
        who = "the management certificate"
    else:
        password = connection.secret("password") or Secret("")
        authorization = basic(connection.text("username"), password)
        answer = Probe(connection=connection, headers=headers, authorization=authorization).ask(url, limit=_SEEN)
        who = f"the account {connection.text('username')}"
    if not answer.ok or b"<Name>" not in answer.body:
        raise _refused(connection, answer, who)
    return f"{answer.origin} accepts {who} for the subscription {subscription}"


def _refused(connection: Connection, answer: Answer, who: str) -> VerificationError:
    if answer.status in {401, 403}:
        what = f"{answer.origin} does not accept {who} for the subscription"
        do = "classic deployments and their certificates are retired: use a connection of Azure Resource Manager"
        return VerificationError(what, where=connection.name, why=answer.shown, do=do)
    if answer.status == 404:
        what = f"{answer.origin} has no such subscription"
        return VerificationError(what, where=connection.name, why=answer.shown, do="check subscriptionId")
    what = f"there is no service-management API at {answer.origin}"
    return VerificationError(what, where=connection.name, why=answer.shown)


@contextlib.contextmanager
def certificate_file(connection: Connection) -> Iterator[str]:
    """A path at which a TLS library reads the certificate and its key, for as long as this lasts.

    In memory where the system can: a process that is killed leaves nothing behind then.
    """
    pem = _pem(connection)
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, pem)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="azure-classic-") as folder:
        path = os.path.join(folder, "certificate.pem")  # noqa: PTH118  # a text is what the library takes
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        yield path


def _pem(connection: Connection) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    secret = connection.secret("certificate")
    text = secret.reveal().strip() if secret else ""
    if "-----BEGIN" in text:
        if "PRIVATE KEY-----" not in text:
            raise _unfit(connection, "it holds no private key")
        return text.encode()
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(base64.b64decode("".join(text.split())), None)
    except (ValueError, binascii.Error):
        raise _unfit(connection, "it is no PKCS#12 file without a password") from None
    if key is None or certificate is None:
        raise _unfit(connection, "it holds no private key, or no certificate")
    form = serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    )


def _unfit(connection: Connection, why: str) -> VerificationError:
    return VerificationError(
        "the management certificate cannot be used",
        where=connection.name,
        why=why,
        do="take ManagementCertificate from the publish-settings file",
    )
