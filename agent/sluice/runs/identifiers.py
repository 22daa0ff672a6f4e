"""Ids of timeline records, derived from the identifier as the service derives them (task runtime, section 8.2)."""

from __future__ import annotations

import functools
import hashlib
import uuid

DEFAULT = "__default"
_NAMESPACE = bytes.fromhex("53371b7fd4614b5dc5e227335323df24")


def record_id(identifier: str) -> str:
    """The GUID of a stage, phase, job or step: a SHA-1 over its lower-cased identifier, in .NET byte order."""
    digest = hashlib.sha1(  # noqa: S324  # the documented derivation, not a protection
        _NAMESPACE + identifier.lower().encode("utf-16-be")
    ).digest()
    raw = bytearray(digest[:16])
    raw[7] = (raw[7] & 0x0F) | 0x50
    return str(uuid.UUID(bytes_le=bytes(raw)))


@functools.lru_cache(maxsize=4096)  # asked for each job of a stage whenever the run is advanced
def join(*parts: str) -> str:
    """A dotted identifier; the implicit stage's name is left out."""
    shown = parts[1:] if parts[0] == DEFAULT and len(parts) > 1 else parts
    return ".".join(shown)


def attempted(identifier: str, attempt: int) -> str:
    """The identifier of an element's n-th attempt; the first has no number."""
    return identifier if attempt == 1 else f"{identifier}.{attempt}"


def shown(identifier: str) -> str:
    """An identifier as people read and write it: without the names of implicit elements."""
    return ".".join(part for part in identifier.split(".") if part != DEFAULT) or identifier
