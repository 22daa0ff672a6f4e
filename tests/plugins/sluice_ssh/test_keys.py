from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import Secret, VerificationError
from sluice_ssh._keys import load_private_key

FORMATS = serialization.PrivateFormat
KEY = ed25519.Ed25519PrivateKey.generate()


def text(key: object = KEY, form: serialization.PrivateFormat = FORMATS.OpenSSH, passphrase: str = "") -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    written: bytes = key.private_bytes(serialization.Encoding.PEM, form, encryption)  # type: ignore[attr-defined]
    return written.decode()


def load(given: str, passphrase: str = "") -> object:
    return load_private_key(Secret(given), Secret(passphrase) if passphrase else None, "prod")


@pytest.mark.parametrize("form", [FORMATS.OpenSSH, FORMATS.PKCS8])
def test_a_missing_and_a_wrong_passphrase_are_told_apart(form: serialization.PrivateFormat) -> None:
    encrypted = text(form=form, passphrase="right")
    with pytest.raises(VerificationError, match="needs a passphrase"):
        load(encrypted)
    with pytest.raises(VerificationError, match="passphrase of the private key is wrong"):
        load(encrypted, "wrong")
    assert load(encrypted, "right")


def test_a_passphrase_that_is_not_needed_is_ignored() -> None:
    assert load(text(), "not needed")


def test_line_ends_and_space_of_a_pasted_key_do_not_matter() -> None:
    assert load("  \r\n" + text().replace("\n", "\r\n").rstrip())


def test_curve_parameters_before_a_key_are_skipped() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert load(parameters + text(ec.generate_private_key(ec.SECP256R1()), FORMATS.TraditionalOpenSSL))


@pytest.mark.parametrize("form", [FORMATS.TraditionalOpenSSL, FORMATS.PKCS8])
def test_dsa_is_refused(form: serialization.PrivateFormat) -> None:
    with pytest.raises(VerificationError, match="not accepted: DSA"):
        load(text(dsa.generate_private_key(1024), form))


def test_an_unusual_curve_is_refused_by_name() -> None:
    with pytest.raises(VerificationError, match="not accepted: secp256k1"):
        load(text(ec.generate_private_key(ec.SECP256K1()), FORMATS.PKCS8))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "hello",
        "PuTTY-User-Key-File-3: ssh-ed25519\n",
        "ssh-ed25519 AAAA",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 200_000,
    ],
)
def test_what_is_no_key_is_not_understood(given: str) -> None:
    with pytest.raises(VerificationError, match="format of the private key was not understood"):
        load(given)


@given(st.integers(0, 300), st.integers(1, 200))
def test_a_damaged_key_is_a_clear_error_that_does_not_show_it(start: int, length: int) -> None:
    whole = text()
    damaged = whole[:start] + whole[start + length :]
    shown = ""
    try:
        load(damaged)
    except VerificationError as error:
        shown = str(error)
    lines = [line for line in damaged.splitlines() if len(line) > 20 and "-----" not in line]
    assert not any(line in shown for line in lines)


def test_an_rsa_key_loads() -> None:
    assert load(text(rsa.generate_private_key(65537, 2048), FORMATS.TraditionalOpenSSL))
