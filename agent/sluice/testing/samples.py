"""Made-up values for the fields of a declared connection type: valid, recognisable, and harmless."""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import urlsplit

from sluice.connections.catalogue import choose_scheme, fields_of
from sluice.connections.connection import Key
from sluice.hooks.declaration import ConnectionType, Field
from sluice.secret import Secret
from sluice.values import dataclass

GUID = "11111111-2222-4333-8444-555555555555"
_TEXTS = (
    "sample",
    "https://sample.invalid/path",
    "https://sample.invalid",
    "sample.invalid",
    GUID,
    "ada@sample.invalid",
    "1",
    "{}",
    '{"a": 1}',
    "0123456789abcdef0123456789abcdef01234567",
    "sample:sample",
)
"""Tried in turn for a field with a `validation`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A connection's made-up values, as a person would enter them: the url, and by key the public and secret values."""

    url: str
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


def make_sample(
    kind: ConnectionType,
    scheme: str = "",
    *,
    address: str = "http://sample.invalid:8080",
    given: Mapping[str, str] | None = None,
) -> Sample:
    """Values for every field that is required or secret, and for those that say where the far side is.

    `address` is where that is: it becomes the url where one is entered, and the host or port of fields marked
    `address`. `given` are values by key that cannot be made up; an empty one leaves the field out. Raises
    `LookupError` naming a field whose `validation` no made-up text fulfils.
    """
    fixed = {key.casefold(): value for key, value in (given or {}).items()}
    found: dict[Key, tuple[Field, str]] = {}
    fields = fields_of(kind, choose_scheme(kind, scheme))
    chosen = {one.key: fixed.get(one.key.casefold(), one.default) for one in fields.values()}
    for key, one in fields.items():
        wanted = (one.required or one.secret or one.address) and one.applies(chosen)
        value = fixed.get(one.key.casefold())
        if value is None and wanted and one.kind != "connection":
            value = _value(kind, one, address)
        if value:
            found[key] = one, value
    return Sample(
        url=_url(kind, address, chosen) if kind.url.entered else "",
        values={one.key: value for one, value in found.values() if not one.secret},
        secrets={one.key: Secret(value) for one, value in found.values() if one.secret},
    )


def _url(kind: ConnectionType, address: str, chosen: Mapping[str, str]) -> str:
    if chosen.get(kind.url.chosen_by) in dict(kind.url.by_value):
        return ""
    if kind.url.bare:
        return urlsplit(address).netloc
    allowed = kind.url.schemes
    own = urlsplit(address).scheme
    return address if not allowed or own in allowed else f"{allowed[0]}{address[len(own) :]}"


def _value(kind: ConnectionType, one: Field, address: str) -> str:
    parts = urlsplit(address)
    if one.choices:
        return one.default or one.choices[0]
    if one.kind == "boolean":
        return one.default or "false"
    if one.address and one.kind == "number":
        return str(parts.port or 80)
    if one.default and not one.secret and not one.address:
        return one.default
    host = f"{parts.hostname}" if one.address else ""
    unique = f"canary-{secrets.token_hex(8)}" if one.secret else ""
    texts = [text for text in (unique, host, address if one.address else "") if text] + list(_TEXTS)
    if one.kind == "number":
        texts = ["1", "80", "1000"]
    for text in texts:
        if not one.validation or re.fullmatch(one.validation, text):
            return text
    for make in (private_key, certificate):
        if re.fullmatch(one.validation, text := make()):
            return text
    both = certificate() + private_key()
    if re.fullmatch(one.validation, both):
        return both
    raise LookupError(f"no sample fits the field '{one.key}' of {kind.name}: give one, such as {{'{one.key}': '...'}}")


@functools.cache
def private_key() -> str:
    """An RSA key that nothing accepts, in PEM."""
    from cryptography.hazmat.primitives import serialization

    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return str(_key().private_bytes(encoding, form, serialization.NoEncryption()).decode())


@functools.cache
def certificate() -> str:
    """A certificate for that key, signed by itself, in PEM."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sample.invalid")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .sign(_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@functools.cache
def _key():  # type: ignore[no-untyped-def]  # noqa: ANN202  # a type of cryptography, which is imported when needed
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
