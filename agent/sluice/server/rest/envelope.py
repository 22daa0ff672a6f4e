"""The forms that all answers share: dates, people, links, and JSON itself."""

from __future__ import annotations

import functools
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sluice.storage.names import name_key

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_PEOPLE = uuid.UUID("6f1c1f0e-5b3f-4b0e-9d8c-0d1e6c7d2a11")
"""The name space of ids for people that are known by their name only."""


def encode(data: Any) -> bytes:
    """A value as JSON."""
    return _ENCODER.encode(data).encode("utf-8", "replace")


def as_date(seconds: float | None) -> str | None:
    """A time as clients read it: UTC with a `Z`, to the millisecond; None for none."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@functools.lru_cache(maxsize=4096)
def _of_name(name: str) -> str:
    """The id that stands for a name."""
    return str(uuid.uuid5(_PEOPLE, name_key(name)))


def identity_ref(base: str, name: str, *, identity: str = "") -> dict[str, Any]:
    """Who did something. What is stored of people is their name, so without an `identity` the id stands for the name."""
    found = identity or _of_name(name)
    return {
        "displayName": name,
        "url": f"{base}/_apis/Identities/{found}",
        "_links": {"avatar": {"href": f"{base}/_apis/GraphProfile/MemberAvatars/{found}"}},
        "id": found,
        "uniqueName": name,
        "imageUrl": f"{base}/_apis/GraphProfile/MemberAvatars/{found}",
        "descriptor": f"sluice.{found}",
    }
