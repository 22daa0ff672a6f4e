"""Text compared as the service does: character by character, ignoring case, without the rules of any language."""

from __future__ import annotations

# Upper-casing these would make them equal to ASCII letters, which ordinal comparison does not.
_CASELESS = frozenset("\u0131\u017f")
# The one letter whose lower case depends on what stands around it.
_FINAL_SIGMA = "\u03a3"


def _upper(character: str) -> str:
    upper = character.upper()
    return upper if len(upper) == 1 and character not in _CASELESS else character


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def fold(text: str) -> str:
    """The form that two texts share when they differ in case only; as long as `text`."""
    upper = text.upper()
    if text.isascii() or (len(upper) == len(text) and _CASELESS.isdisjoint(text)):
        return upper
    return "".join(map(_upper, text))


def lower(text: str) -> str:
    """`text` in lower case, each character for itself."""
    lowered = text.lower()
    if text.isascii() or (len(lowered) == len(text) and _FINAL_SIGMA not in text):
        return lowered
    return "".join(map(_lower, text))


def order(text: str) -> bytes:
    """A key that sorts as ordinal comparison ignoring case does: by UTF-16 code units."""
    return fold(text).encode("utf-16-be", "surrogatepass")


def length(text: str) -> int:
    """Length in UTF-16 code units, as the service counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
