"""Private keys: from the text that a person pasted to a key that paramiko signs with."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sluice.plugin import Secret, VerificationError

OPENSSH = "OPENSSH PRIVATE KEY"
FORMATS = {OPENSSH, "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}
CURVES = {"secp256r1", "secp384r1", "secp521r1"}
MAX_CHARACTERS = 100_000
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\n(.*?)-----END \1-----", re.DOTALL)

LoadedKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def load_private_key(secret: Secret, passphrase: Secret | None, where: str) -> paramiko.PKey:
    """The key; raises `VerificationError` telling apart: no key, an unsupported kind, a missing or wrong passphrase.

    A passphrase that the key does not need is ignored.
    """
    text = secret.reveal().replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"
    label, body = _block(text, where)
    encrypted = _is_encrypted(label, body)
    if encrypted and not passphrase:
        raise VerificationError(
            "the private key needs a passphrase",
            where=where,
            do=f"give it as the connection's password: sluice connection update {where} --secret password=-",
        )
    password = passphrase.reveal().encode() if encrypted and passphrase else None
    key = _load(label, text.encode(), password, where)
    return _for_paramiko(key, where)


def _block(text: str, where: str) -> tuple[str, str]:
    if text.startswith("PuTTY-User-Key-File"):
        raise _not_understood(where, "it is a PuTTY key", "export it in OpenSSH format with puttygen")
    # The curve's parameters may precede the key in files that openssl wrote.
    blocks = [] if len(text) > MAX_CHARACTERS else [one for one in _BLOCK.findall(text) if one[0] != "EC PARAMETERS"]
    if not blocks:
        raise _not_understood(
            where,
            "no '-----BEGIN ... PRIVATE KEY-----' block was found",
            "paste the whole key file, with its line breaks",
        )
    label, body = blocks[0]
    if label == "DSA PRIVATE KEY":
        raise _refused(where, "DSA")
    if label not in FORMATS:
        raise _not_understood(where, f"'{label}' is not a private key in OpenSSH, PEM or PKCS#8 format", "")
    return label, body


def _is_encrypted(label: str, body: str) -> bool:
    if label == OPENSSH:
        return _openssh_cipher(body) not in {"", "none"}
    return label == "ENCRYPTED PRIVATE KEY" or "Proc-Type: 4,ENCRYPTED" in body


def _openssh_cipher(body: str) -> str:
    """Name of the cipher in an OpenSSH key: after the magic, a length and the name (PROTOCOL.key)."""
    magic = b"openssh-key-v1\0"
    try:
        raw = base64.b64decode("".join(body.split()))
    except (binascii.Error, ValueError):
        return ""
    if not raw.startswith(magic):
        return ""
    start = len(magic) + 4
    length = int.from_bytes(raw[len(magic) : start], "big")
    return raw[start : start + length].decode("ascii", "replace")


def _load(label: str, text: bytes, password: bytes | None, where: str) -> LoadedKey:
    load = serialization.load_ssh_private_key if label == OPENSSH else serialization.load_pem_private_key
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about ciphers of old files, which their owner can do nothing about here
            key = load(text, password)
    except UnsupportedAlgorithm as error:
        raise _not_understood(where, "its cipher or algorithm is not supported", "") from error
    except (ValueError, TypeError) as error:
        if password is not None:
            raise VerificationError(
                "the passphrase of the private key is wrong",
                where=where,
                do=f"sluice connection update {where} --secret password=-",
            ) from error
        if b"ssh-dss" in text:
            raise _refused(where, "DSA") from error
        raise _not_understood(where, "the key is damaged or cut short", "paste the whole key file") from error
    if isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return key
    kind = (
        key.curve.name if isinstance(key, ec.EllipticCurvePrivateKey) else type(key).__name__.removesuffix("PrivateKey")
    )
    raise _refused(where, kind.strip("_"))


def _for_paramiko(key: LoadedKey, where: str) -> paramiko.PKey:
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < 1024:
            raise _refused(where, f"RSA with only {key.key_size} bits")
        return paramiko.RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(key, key.public_key()))
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text.decode()))


def _refused(where: str, kind: str) -> VerificationError:
    return VerificationError(
        f"the private key is of a kind that is not accepted: {kind}",
        where=where,
        do="make a new one: ssh-keygen -t ed25519",
    )


def _not_understood(where: str, why: str, do: str) -> VerificationError:
    return VerificationError("the format of the private key was not understood", where=where, why=why, do=do)
