"""Host keys: what is pinned, what the host shows, and whether they agree. Pure, and without paramiko."""

from __future__ import annotations

import base64
import binascii
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.plugin import Connection, TrustNeededError, VerificationError

ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Key types that may be pinned, each with the signature algorithms that prove it; the best type first."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key: its type and its binary form."""

    type: str
    blob: bytes

    @property
    def line(self) -> str:
        """As it is pinned: `type base64`."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """The short form that OpenSSH shows: `SHA256:...`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def pinned_keys(connection: Connection) -> tuple[HostKey, ...]:
    """The keys that the connection pins; raises `VerificationError` naming the line that is none.

    A line may be one of a `known_hosts` file, whose first word (the host) is skipped, or of a `.pub` file.
    """
    lines = [line.strip() for line in connection.text("HostKey").splitlines()]
    return tuple(_parse(connection, line) for line in lines if line and not line.startswith("#"))


def preferred_algorithms(pins: Sequence[HostKey]) -> tuple[str, ...]:
    """The host key algorithms to ask for: those of pinned keys first, so that the host shows a key we know."""
    pinned = {pin.type for pin in pins}
    types = sorted(ALGORITHMS, key=lambda name: name not in pinned)
    return tuple(algorithm for name in types for algorithm in ALGORITHMS[name])


def check_host_key(connection: Connection, pins: Sequence[HostKey], shown: HostKey, address: str) -> None:
    """Return when the shown key is pinned; raises `TrustNeededError` when none is, `VerificationError` otherwise."""
    if shown in pins:
        return
    if not pins:
        raise TrustNeededError(
            f"{connection.name}: the host {address} is not known yet: it shows the {shown.type} key {shown.fingerprint}",
            field="HostKey",
            value=shown.line,
            fingerprint=shown.fingerprint,
            do="compare the fingerprint with what the host's administrator says (on the host: "
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then pin it with: "
            f"sluice connection verify {shlex.quote(connection.name)} --trust {shown.fingerprint}",
        )
    known = ", ".join(f"{pin.type} {pin.fingerprint}" for pin in pins)
    raise VerificationError(
        f"the host key of {address} is not the pinned one",
        where=connection.name,
        why=f"pinned is {known}, but the host shows {shown.type} {shown.fingerprint}. Somebody may be listening in "
        "between: nothing was sent",
        do="ask the host's administrator; only when the key was changed on purpose: "
        f"sluice connection update {connection.name} --set HostKey='{shown.line}'",
    )


def _parse(connection: Connection, line: str) -> HostKey:
    words = line.split()
    position = next((index for index, word in enumerate(words[:2]) if word in ALGORITHMS), None)
    if position is None or position + 1 >= len(words):
        raise _not_a_key(connection, line, f"a line is 'type base64', with one of the types {', '.join(ALGORITHMS)}")
    try:
        blob = base64.b64decode(words[position + 1], validate=True)
    except (binascii.Error, ValueError):
        raise _not_a_key(connection, line, "the key is no base64") from None
    name = words[position].encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        raise _not_a_key(connection, line, "the key is not of the type that the line names")
    return HostKey(words[position], blob)


def _not_a_key(connection: Connection, line: str, why: str) -> VerificationError:
    return VerificationError(
        f"the pinned HostKey is not a public key: '{line[:60]}'",
        where=connection.name,
        why=why,
        do=f"sluice connection update {connection.name} --set HostKey='ssh-ed25519 AAAA...'",
    )
