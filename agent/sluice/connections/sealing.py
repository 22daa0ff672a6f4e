"""Seals secrets: AES-256-GCM with a fresh data key for each record and version, wrapped by the master key.

What a sealed text belongs to (identity, version, and for a connection its public side) is bound to it as associated
data: a ciphertext that was swapped, put back from an older version, or whose record was edited does not open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from sluice.errors import SealError
from sluice.values import dataclass

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from sluice.hooks.ports import KeyProvider

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed text as it is stored: the master key's id, the wrapped data key, the ciphertext."""

    key_id: str
    wrapped_key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What a sealed text belongs to.

    `kind` keeps connections and other records apart, `public` is what is stored beside it in the clear and must not
    be edited without the key.
    """

    kind: str
    id: str
    version: int
    public: bytes = b""

    def bound(self) -> bytes:
        """Everything as one text, which no two identities share: each part is preceded by its length."""
        parts = (
            b"sluice text",
            self.kind.encode(),
            self.id.encode(),
            str(self.version).encode(),
            hashlib.sha256(self.public).digest(),
        )
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Sealer:
    """Seals and opens with the keys of a provider.

    Seal inside the write transaction that stores the result: rotation relies on nothing being on its way then.
    """

    def __init__(self, provider: Callable[[], KeyProvider]) -> None:
        self._provide = provider
        self._provider: KeyProvider | None = None
        self._ciphers: dict[bytes, AESGCM] = {}

    @property
    def provider(self) -> KeyProvider:
        """The key provider, chosen when first needed."""
        if self._provider is None:
            self._provider = self._provide()
        return self._provider

    def seal(self, identity: Identity, text: bytes) -> Sealed:
        """Seal a text under a fresh data key and the current master key."""
        return self.seal_under(self.provider.current(), identity, text)

    def seal_under(self, master: tuple[str, bytes], identity: Identity, text: bytes) -> Sealed:
        """As `seal`, under a master key that was asked for once for many texts."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, key = master
        data_key = os.urandom(_KEY_BYTES)
        sealed = _encrypt(AESGCM(data_key), text, identity.bound())
        return Sealed(key_id, _encrypt(self._cipher(key), data_key, _bound_key(sealed)), sealed)

    def open(self, identity: Identity, sealed: Sealed) -> bytes:
        """The text; raises `SealError` when it does not belong to that identity, or was changed in any way."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        name = f"{identity.kind} {identity.id}"
        data_key = self._data_key(sealed, name)
        return _decrypt(AESGCM(data_key), sealed.sealed, identity.bound(), name)

    def rewrap(self, sealed: Sealed, master: tuple[str, bytes], name: str) -> Sealed:
        """The same ciphertext with its data key wrapped by another master key; `name` is for the error."""
        key_id, key = master
        data_key = self._data_key(sealed, name)
        return Sealed(key_id, _encrypt(self._cipher(key), data_key, _bound_key(sealed.sealed)), sealed.sealed)

    def seal_blob(self, identity: str, version: int, text: bytes) -> Sealed:
        """Seal bytes that are no connection's, such as a job's progress."""
        return self.seal(blob_identity(identity, version), text)

    def open_blob(self, identity: str, version: int, sealed: Sealed) -> bytes:
        """Open what `seal_blob` sealed for the same identity and version; raises `SealError`."""
        return self.open(blob_identity(identity, version), sealed)

    def _data_key(self, sealed: Sealed, name: str) -> bytes:
        cipher = self._cipher(self.provider.key(sealed.key_id))  # never the current one, which might be made for it
        data_key = _decrypt(cipher, sealed.wrapped_key, _bound_key(sealed.sealed), name)
        if len(data_key) != _KEY_BYTES:
            raise _tampered(name)
        return data_key

    def _cipher(self, key: bytes) -> AESGCM:
        if (cipher := self._ciphers.get(key)) is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            if len(key) != _KEY_BYTES:
                raise SealError("the key provider gave a master key that is not 32 bytes long")
            cipher = self._ciphers[key] = AESGCM(key)
        return cipher


def blob_identity(identity: str, version: int) -> Identity:
    """The identity that blobs are sealed for."""
    return Identity("blob", identity, version)


def _bound_key(sealed: bytes) -> bytes:
    # a wrapped key belongs to one ciphertext, which belongs to one identity: rotation need not know the latter
    return b"sluice key" + hashlib.sha256(sealed).digest()


def _encrypt(cipher: AESGCM, text: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + cipher.encrypt(nonce, text, bound)


def _decrypt(cipher: AESGCM, raw: bytes, bound: bytes, name: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    start = len(_FORMAT)
    if len(raw) < start + _NONCE_BYTES + _TAG_BYTES or raw[:start] != _FORMAT:
        raise _tampered(name)
    try:
        return cipher.decrypt(raw[start : start + _NONCE_BYTES], raw[start + _NONCE_BYTES :], bound)
    except InvalidTag:
        raise _tampered(name) from None


def _tampered(name: str) -> SealError:
    return SealError(
        f"the secrets of {name} cannot be opened",
        why="the record was changed outside of Sluice, or is sealed with another key of the same id",
        do="enter its secrets again, or restore the database from a backup",
    )
