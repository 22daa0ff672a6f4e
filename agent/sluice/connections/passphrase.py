"""Master keys in a file that a passphrase opens: whoever has the file alone has nothing.

The key of the file is made of the passphrase by scrypt, which takes memory, so that guesses are dear.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sluice.connections.keys import KEY_BYTES, FileKeys
from sluice.errors import SealError

PASSPHRASE_VARIABLE = "SLUICE_PASSPHRASE"  # noqa: S105  # the variable's name
PASSPHRASE_FILE_VARIABLE = "SLUICE_PASSPHRASE_FILE"  # noqa: S105  # as above
MINIMUM = 12
"""Characters of a new passphrase at least."""

COST, BLOCK, PARALLEL = 2**17, 8, 1
"""128 MiB of memory for each guess, about half a second."""

_SALT_BYTES = 16
_NONCE_BYTES = 12
_MAX_COST = 2**20
_MAX_PASSPHRASE = 4096

Passphrase = Callable[[bool], bytes]
"""Answers the passphrase; asked with true when a new one is chosen."""


class PassphraseKeys(FileKeys):
    """Master keys that a passphrase opens. The keys of a plain key file beside it are taken over when it is made.

    `cost` is what scrypt takes for a file that is written; the file says what it took.
    """

    def __init__(self, folder: Path, passphrase: Passphrase, *, cost: int = COST) -> None:
        super().__init__(folder / "master.passphrase.json")
        self._plain = FileKeys(folder / "master.json")
        self._passphrase = passphrase
        self._cost = cost
        self._known: dict[tuple[bytes, int, int, int], bytes] = {}

    def _first(self) -> tuple[str, dict[str, bytes]]:
        ids = self._plain.ids()
        if not ids:
            return super()._first()
        current, _ = self._plain.current()
        return current, {key_id: self._plain.key(key_id) for key_id in ids}

    def _closed(self, keys: Mapping[str, bytes]) -> Mapping[str, object]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt = next((known[0] for known in self._known), b"") or secrets.token_bytes(_SALT_BYTES)
        cipher = AESGCM(self._key_of(salt, self._cost, BLOCK, PARALLEL, new=not self._known))
        sealed = {}
        for name, key in keys.items():
            nonce = os.urandom(_NONCE_BYTES)
            sealed[name] = _text(nonce + cipher.encrypt(nonce, key, _bound(name)))
        kdf = {"name": "scrypt", "salt": _text(salt), "n": self._cost, "r": BLOCK, "p": PARALLEL}
        return {"kdf": kdf, "keys": sealed}

    def _opened(self, content: Mapping[str, Any]) -> dict[str, bytes | None]:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt, cost, block, parallel = _parameters(content.get("kdf"))
        cipher = AESGCM(self._key_of(salt, cost, block, parallel, new=False))
        found: dict[str, bytes | None] = {}
        for name, text in content["keys"].items():
            raw = _bytes(text)
            try:
                key = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(name))
            except (InvalidTag, ValueError):
                self._known.clear()
                raise SealError(
                    "the passphrase is not the one of the master key",
                    where=str(self._path),
                    why="or the key file was changed",
                    do=f"give it on the terminal, or in the file that {PASSPHRASE_FILE_VARIABLE} names",
                ) from None
            found[name] = key if len(key) == KEY_BYTES else None
        return found

    def _key_of(self, salt: bytes, cost: int, block: int, parallel: int, *, new: bool) -> bytes:
        parameters = (salt, cost, block, parallel)
        if parameters not in self._known:
            memory = 128 * cost * block * parallel + 2**25
            passphrase = self._passphrase(new)
            self._known[parameters] = hashlib.scrypt(
                passphrase, salt=salt, n=cost, r=block, p=parallel, maxmem=memory, dklen=KEY_BYTES
            )
        return self._known[parameters]


def given_passphrase(environment: Mapping[str, str], *, new: bool) -> bytes:
    """The passphrase: of the file that `SLUICE_PASSPHRASE_FILE` names, of `SLUICE_PASSPHRASE`, or asked on the terminal.

    Raises `SealError` where there is none (everything sealed stays closed), and for a new one that is short.
    """
    if file := environment.get(PASSPHRASE_FILE_VARIABLE):
        text = _read(Path(file))
    elif not (text := environment.get(PASSPHRASE_VARIABLE, "")):
        text = _asked(new=new)
    if new and len(text) < MINIMUM:
        raise SealError(f"the passphrase is shorter than {MINIMUM} characters", do="choose a longer one")
    return text.encode()


def _read(file: Path) -> str:
    try:
        with file.expanduser().open(encoding="utf-8") as opened:
            text = opened.read(_MAX_PASSPHRASE).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "") if isinstance(error, OSError) else "it is no text"
        raise SealError(f"the file of the passphrase '{file}' cannot be read", why=why) from error
    if not text:
        raise SealError(f"the file of the passphrase '{file}' is empty")
    return text


def _asked(*, new: bool) -> str:
    if not sys.stdin.isatty():
        raise SealError(
            "the master key is locked: it opens with a passphrase",
            do=f"run this on a terminal, or name a file with the passphrase in {PASSPHRASE_FILE_VARIABLE}",
        )
    from getpass import getpass

    text = getpass("Passphrase of the master key: ")
    if new and text != getpass("Repeat the passphrase: "):
        raise SealError("the two passphrases do not match", do="nothing was stored: try again")
    return text


def _parameters(kdf: object) -> tuple[bytes, int, int, int]:
    """Salt and costs of a file; ValueError for what would take more than any file of ours."""
    if not isinstance(kdf, dict) or kdf.get("name") != "scrypt":
        raise ValueError("not made by scrypt")
    costs = [one for one in (kdf.get("n"), kdf.get("r"), kdf.get("p")) if type(one) is int and 0 < one <= _MAX_COST]
    if len(costs) != 3:
        raise ValueError("not the parameters of scrypt")
    cost, block, parallel = costs
    if cost & (cost - 1) or cost < 2 or cost * block * parallel > _MAX_COST * BLOCK:  # a power of two
        raise ValueError("parameters of scrypt that nobody needs")
    return _bytes(kdf.get("salt")), cost, block, parallel


def _bound(name: str) -> bytes:
    return b"sluice master key " + name.encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
