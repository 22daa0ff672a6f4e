"""Text as bytes: bytes that are no UTF-8 survive the way through text and back."""

from __future__ import annotations


def encode(text: str) -> bytes:
    """UTF-8; what `decode` kept of other bytes comes out as it went in, and no text makes this fail."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair, as JSON may hold
        return text.encode("utf-8", "surrogatepass")


def decode(raw: bytes) -> str:
    """UTF-8, other bytes kept."""
    return raw.decode("utf-8", "surrogateescape")
