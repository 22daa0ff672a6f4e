"""Ports that a plugin may fill: where secrets come from and where the master key lives."""

from __future__ import annotations

from typing import Protocol

from sluice.secret import Secret


class SecretSource(Protocol):
    """Reads the secret that a reference names, at each use."""

    def __call__(self, reference: str) -> Secret:
        """The secret behind `reference` (the part after the prefix); raises `SluiceError` naming what is missing."""


class KeyProvider(Protocol):
    """Keeps master keys: 32 bytes each, known by an id."""

    def current(self) -> tuple[str, bytes]:
        """The id and the key that new secrets are sealed with; made on first use where the provider can."""

    def key(self, key_id: str) -> bytes:
        """The key of that id; raises `SealError` when it is not there."""

    def rotate(self) -> tuple[str, bytes]:
        """Make a new current key, keeping the old ones; raises `SealError` where the provider cannot."""

    def forget(self, key_id: str) -> None:
        """Remove an old key that nothing is sealed with any more; where the provider can."""
