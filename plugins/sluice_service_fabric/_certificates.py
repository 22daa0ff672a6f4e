"""Certificates of both sides: the client's own, and how the cluster's is known."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.plugin import Connection, Tls, VerificationError

if TYPE_CHECKING:
    import ssl

_NO_HEX = re.compile(r"[^0-9a-f]")  # dialogs of Windows copy marks that nobody sees


def tls_of(connection: Connection) -> tuple[Tls, bool]:
    """What TLS with the cluster takes, and whether thumbprints stand for any authority.

    Raises `VerificationError` for a certificate that cannot be read, or when nothing says how the cluster's is known.
    """
    shows = _client(connection) if connection.scheme.casefold() == "certificate" else None
    if connection.text("certLookup", "Thumbprint").casefold() == "commonname":
        names = _listed(connection, "servercertcommonname", "common name")
        return Tls(shows=shows, any_name=True, accepts=_by_common_name(names)), False
    thumbprints = [_NO_HEX.sub("", one.casefold()) for one in _listed(connection, "servercertthumbprint", "thumbprint")]
    return Tls(shows=shows, accepts=_by_thumbprint(thumbprints)), True


def pfx(connection: Connection) -> bytes:
    """The client's .pfx file."""
    stored = connection.secret("certificate")
    if not stored:
        raise VerificationError("the connection has no client certificate", where=connection.name)
    try:
        return base64.b64decode("".join(stored.reveal().split()), validate=True)
    except binascii.Error:
        raise _unreadable(connection, "it is no base64") from None


def _listed(connection: Connection, key: str, what: str) -> list[str]:
    found = [one.strip() for one in connection.text(key).split(",") if one.strip()]
    if not found:
        raise VerificationError(
            f"nothing says how the cluster's certificate is known: the connection has no {what}",
            where=connection.name,
            do=f"sluice connection update {connection.name} --set {key}=...",
        )
    return found


def _by_thumbprint(wanted: list[str]) -> Callable[[bytes], str]:
    def accepts(der: bytes) -> str:
        shown = hashlib.sha1(der, usedforsecurity=False).hexdigest()  # a thumbprint is that, whatever we think of it
        return "" if shown in wanted else f"its thumbprint is {shown.upper()}, which the connection does not list"

    return accepts


def _by_common_name(wanted: list[str]) -> Callable[[bytes], str]:
    def accepts(der: bytes) -> str:
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        shown = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(one.value) for one in shown]
        if {one.casefold() for one in names} & {one.casefold() for one in wanted}:
            return ""
        readable = "".join(one for one in ", ".join(names) if one.isprintable())[:200]
        return f"its common name is '{readable}', which the connection does not list"

    return accepts


def _client(connection: Connection) -> Callable[[ssl.SSLContext], None]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    password = connection.secret("certificatepassword")
    given = password.reveal().encode() if password else None
    try:
        key, certificate, further = pkcs12.load_key_and_certificates(pfx(connection), given)
    except ValueError as error:
        known = "its password is wrong" if "password" in str(error).casefold() else "it is no PKCS #12 file"
        raise _unreadable(connection, known) from None
    if key is None or certificate is None:
        raise _unreadable(connection, "it has no key, or no certificate for it")
    phrase = secrets.token_bytes(32).hex().encode()
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(phrase),
    )
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *further))

    def show(context: ssl.SSLContext) -> None:
        # OpenSSL takes keys from files only: what lies there for a moment is encrypted under a phrase of this process
        fd, name = tempfile.mkstemp(prefix="sluice-client-")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(sealed + chain)
            context.load_cert_chain(name, password=phrase)
        finally:
            Path(name).unlink()

    return show


def _unreadable(connection: Connection, why: str) -> VerificationError:
    return VerificationError("the client certificate cannot be read", where=connection.name, why=why)
