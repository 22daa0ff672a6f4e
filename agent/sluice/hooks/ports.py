"""Ports that a plugin may fill: where secrets come from and where the master key lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol, runtime_checkable

from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.values import dataclass


class SecretSource(Protocol):
    """Reads the secret that a reference names, at each use."""

    def __call__(self, reference: str) -> Secret:
        """The secret behind `reference` (the part after the prefix); raises `SluiceError` naming what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What was made for one use and is taken back after it; `seconds` is how long it would live otherwise.

    `id` is what the source takes it back by: it is stored, so it is no secret itself.
    """

    id: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What references name, by reference; and what of it is leased."""

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    leases: tuple[Lease, ...] = ()


@runtime_checkable
class SecretStore(Protocol):
    """A secret source that reads several references at once, through a connection, or makes secrets for one use.

    A source that is one of these is asked this way rather than called.
    """

    def check(self, reference: str) -> None:
        """Raise `SluiceError` for a text that can be no reference of this source; nobody is asked."""

    def read(self, references: Sequence[str], connection: Connection | None) -> Reading:
        """The secrets behind references, which are those of one connection: two that name one lease share it.

        A reference comes without its prefix and without its end `?connection=NAME`; `connection` is the one of that
        name, which the pipeline needs a permit for as well. Raises `SluiceError` naming what is missing, and has taken
        back by then what it had leased.
        """

    def revoke(self, lease: str) -> None:
        """Take a lease back; one that has ended is no error. Raises `SluiceError` when it cannot be done now."""


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
