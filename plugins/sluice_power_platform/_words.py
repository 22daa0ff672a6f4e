"""Words of the far side, as they may be printed."""

from __future__ import annotations


def printable(text: object, *, most: int = 300) -> str:
    """The text without what could steer a terminal, and not longer than `most` characters."""
    return "".join(one for one in str(text) if one.isprintable())[:most]
