"""Reads when a certificate or a token expires, from the value itself; a person can declare a date instead."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from sluice.connections.connection import Key
from sluice.errors import UsageError
from sluice.secret import Secret
from sluice.storage.expiries import DECLARED, Expiry

DAY = 24 * 3600.0
SOON_DAYS = 30
"""How many days ahead a run warns."""

MAX_BYTES = 256 * 1024
_MOST_CERTIFICATES = 64
_PEM = "-----BEGIN CERTIFICATE-----"
_IN_KUBECONFIG = re.compile(r"client-certificate-data:\s*[\"']?([A-Za-z0-9+/=]+)")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")
_BASE64 = re.compile(r"MI[A-Za-z0-9+/\s]+=*\s*")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def read_all(values: Mapping[Key, str | Secret]) -> tuple[Expiry, ...]:
    """What expires of a connection's values, one each at most; whatever cannot be read does not expire."""
    texts = {key: value.reveal() if isinstance(value, Secret) else value for key, value in values.items()}
    passwords = [text for key, text in texts.items() if "pass" in key[1].casefold()]
    found = (_read(key[1], text, passwords) for key, text in texts.items() if len(text) <= MAX_BYTES)
    return tuple({one.field: one for one in found if one is not None}.values())


def declared(text: str) -> Expiry | None:
    """The date that a person declares (`2027-01-31`, the beginning of that day in UTC); None for ''."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"'{text}' is no date", do="write it as 2027-01-31; '' takes it away") from None
    return Expiry(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp(), DECLARED, "declared")


def phrase(at: float, now: float) -> str:
    """How long something is still good, in words."""
    days = int(abs(at - now) // DAY)
    count = "1 day" if days == 1 else f"{days} days"
    if at <= now:
        return "expired today" if not days else f"expired {count} ago"
    return "expires today" if not days else f"expires in {count}"


def _read(field: str, text: str, passwords: Iterable[str]) -> Expiry | None:
    if _PEM in text:
        return _certificate(field, _of_pem(text.encode("utf-8", "replace")))
    if found := _IN_KUBECONFIG.search(text):
        with contextlib.suppress(binascii.Error):
            return _certificate(field, _of_pem(base64.b64decode(found[1], validate=True)))
    if token := _TOKEN.fullmatch(text.strip()):
        return _token(field, token[1])
    if len(text) > 200 and _BASE64.fullmatch(text.strip()):
        with contextlib.suppress(binascii.Error):
            return _certificate(field, _of_pkcs12(base64.b64decode("".join(text.split()), validate=True), passwords))
    return None


def _certificate(field: str, ends: list[float]) -> Expiry | None:
    return Expiry(min(ends), field, "certificate") if ends else None


def _of_pem(text: bytes) -> list[float]:
    from cryptography import x509

    ends: list[float] = []
    for piece in text.split(b"-----BEGIN CERTIFICATE-----")[1 : _MOST_CERTIFICATES + 1]:
        body = piece.partition(b"-----END CERTIFICATE-----")[0]
        with contextlib.suppress(ValueError), _quiet():
            der = base64.b64decode(b"".join(body.split()), validate=True)
            ends.append(x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp())
    return ends


def _of_pkcs12(content: bytes, passwords: Iterable[str]) -> list[float]:
    from cryptography.hazmat.primitives.serialization import pkcs12

    for password in (None, b"", *(one.encode() for one in passwords)):
        with contextlib.suppress(ValueError, TypeError), _quiet():
            _, certificate, others = pkcs12.load_key_and_certificates(content, password)
            return [one.not_valid_after_utc.timestamp() for one in (certificate, *others) if one is not None]
    return []


def _token(field: str, payload: str) -> Expiry | None:
    with contextlib.suppress(ValueError, RecursionError):  # bad base64, no UTF-8, no JSON: no such token
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        ends = claims.get("exp") if isinstance(claims, dict) else None
        if isinstance(ends, int | float) and not isinstance(ends, bool) and 0 < ends < _LATEST:
            return Expiry(float(ends), field, "token")
    return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Old certificates make the library warn: that they are old is all that is asked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
