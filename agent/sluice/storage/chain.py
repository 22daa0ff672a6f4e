"""The hash chain of the audit log. Pure: what is hashed, and what a broken chain looks like."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from collections.abc import Iterable

from sluice.values import dataclass

GENESIS = "0" * 64
"""What the first entry has in place of the hash before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit log. `details` is the JSON text as it is stored; `at` seconds since the epoch."""

    sequence: int
    at: float
    actor: str
    action: str
    category: str
    project_id: int
    resource_id: str
    resource_version: int
    details: str


@dataclass(frozen=True, slots=True)
class Link:
    """An entry with its place in the chain."""

    entry: Entry
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: whoever keeps it elsewhere can tell later that nothing before it was touched."""

    sequence: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """The head that was printed as `sequence:hash`; raises ValueError."""
        sequence, _, digest = text.strip().partition(":")
        if not (sequence.isascii() and sequence.isdecimal() and len(digest) == len(GENESIS)):
            raise ValueError("not the end of an audit log")
        int(digest, 16)
        return cls(int(sequence), digest)


def link_hash(entry: Entry, previous: str, key: bytes = b"") -> str:
    """HMAC-SHA-256 over the entry as canonical JSON and the hash of the entry before it; without a key, SHA-256."""
    text = _CANONICAL.encode({name: getattr(entry, name) for name in _SORTED})
    linked = f"{previous}\n{text}".encode("ascii")
    if key:
        keyed = keyed_hash(key)
        keyed.update(b"sluice audit link\n" + linked)
        return keyed.hexdigest()
    return hashlib.sha256(linked).hexdigest()


def keyed_hash(key: bytes) -> hmac.HMAC:
    """A HMAC-SHA-256 to be fed: to take in the key anew each time would cost more than the rest."""
    return _begun(key).copy()


@functools.lru_cache(maxsize=4)
def _begun(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod=hashlib.sha256)


_CANONICAL = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)
_SORTED = tuple(sorted(Entry.__slots__))


@dataclass(frozen=True, slots=True)
class Breach:
    """Where the chain is broken, and how."""

    sequence: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """How a chain's links are made: under `key`, but up to `taken_over` without one.

    With `unchecked` those before are of a key that is lost: that they follow each other up to that end is all there is.
    """

    key: bytes = b""
    taken_over: Head = Head()
    unchecked: bool = False

    def fits(self, link: Link) -> bool:
        """Whether a link's hash is its entry's."""
        before = link.entry.sequence <= self.taken_over.sequence
        if before and self.unchecked:
            return True
        return hmac.compare_digest(link.hash.encode(), self._hash(link, b"" if before else self.key).encode())

    def _hash(self, link: Link, key: bytes) -> str:
        return link_hash(link.entry, link.previous, key)


_KEYLESS = Linking()
_EMPTY = Head()


def find_breach(
    links: Iterable[Link], *kept: Head, linking: Linking = _KEYLESS, start: Head = _EMPTY
) -> tuple[Breach | None, Head]:
    """The first breach of a chain read in order from behind `start`, if any, and how far the chain is whole.

    `kept` are heads that were noted outside the database: the chain has to reach and agree with each.
    """
    kept = (*kept, linking.taken_over)
    head = start
    for link in links:
        entry = link.entry
        if entry.sequence != head.sequence + 1:
            return Breach(head.sequence + 1, "entries are missing"), head
        if link.previous != head.hash:
            return Breach(entry.sequence, "it does not follow the entry before it"), head
        if not linking.fits(link):
            return Breach(entry.sequence, "it was changed"), head
        head = Head(entry.sequence, link.hash)
        if any(one.sequence == head.sequence and one.hash != head.hash for one in kept):
            return Breach(entry.sequence, "it is not the entry that was there before"), head
    if any(one.sequence > head.sequence for one in kept):
        return Breach(head.sequence + 1, "entries were cut off the end"), head
    return None, head
