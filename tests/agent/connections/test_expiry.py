"""When certificates and tokens expire, read from the values themselves."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from sluice.connections.connection import Key
from sluice.connections.expiry import DAY, declared, phrase, read_all
from sluice.errors import UsageError
from sluice.secret import Secret
from sluice.storage.expiries import Expiry

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "depot")])
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(ends: datetime) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - timedelta(days=9)).not_valid_after(ends)
    return builder.sign(KEY, hashes.SHA256())


def pem(ends: datetime) -> str:
    return certificate(ends).public_bytes(Encoding.PEM).decode()


def token(claims: object) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in ({}, claims))
    return f"{'.'.join(parts)}.signature"


FIRST, LATER = datetime(2027, 1, 31, tzinfo=UTC), datetime(2028, 1, 31, tzinfo=UTC)
AT = FIRST.timestamp()


def test_of_a_chain_the_certificate_counts_that_expires_first() -> None:
    chain = pem(LATER) + "text between\n" + pem(FIRST)
    assert read_all({("data", "certificate"): chain}) == (Expiry(AT, "certificate", "certificate"),)


@pytest.mark.parametrize("encryption", [NoEncryption(), BestAvailableEncryption(b"opens it")])
def test_a_key_store_is_opened_with_the_password_beside_it(encryption: KeySerializationEncryption) -> None:
    content = pkcs12.serialize_key_and_certificates(b"depot", KEY, certificate(FIRST), None, encryption)
    values: dict[Key, Secret] = {
        ("parameters", "keystore"): Secret(base64.encodebytes(content).decode()),
        ("parameters", "keystorePassword"): Secret("opens it"),
    }
    assert read_all(values) == (Expiry(AT, "keystore", "certificate"),)
    wrong = read_all({**values, ("parameters", "keystorePassword"): Secret("another")})
    assert bool(wrong) is isinstance(encryption, NoEncryption)


def test_a_kubeconfig_tells_of_the_certificate_in_it() -> None:
    text = base64.b64encode(pem(FIRST).encode()).decode()
    config = f"users:\n- name: me\n  user:\n    client-certificate-data: {text}\n"
    assert read_all({("data", "kubeconfig"): Secret(config)}) == (Expiry(AT, "kubeconfig", "certificate"),)


def test_a_token_says_itself_when_it_expires() -> None:
    assert read_all({("parameters", "apitoken"): Secret(token({"exp": AT}))}) == (Expiry(AT, "apitoken", "token"),)


@pytest.mark.parametrize("claims", [{}, {"exp": True}, {"exp": "soon"}, {"exp": -1}, {"exp": 1e300}, [], None, "exp"])
def test_a_token_that_does_not_say_so_does_not_expire(claims: object) -> None:
    assert read_all({("parameters", "apitoken"): token(claims)}) == ()


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_whatever_cannot_be_read_does_not_expire(text: str) -> None:
    for value in (text, f"-----BEGIN CERTIFICATE-----{text}", f"a.{text}.c", f"client-certificate-data: {text}"):
        assert read_all({("data", "field"): value}) == ()


def test_a_date_is_the_beginning_of_its_day() -> None:
    assert declared("2027-01-31") == Expiry(AT, "", "declared")
    assert declared("") is None
    with pytest.raises(UsageError, match=r"'31\.1\.2027' is no date"):
        declared("31.1.2027")


def test_how_long_it_is_still_good_is_told_in_words() -> None:
    told = [phrase(AT, AT - after) for after in (2 * DAY, DAY, 1, 0, -DAY, -9 * DAY)]
    assert told == [
        "expires in 2 days",
        "expires in 1 day",
        "expires today",
        "expired today",
        "expired 1 day ago",
        "expired 9 days ago",
    ]
