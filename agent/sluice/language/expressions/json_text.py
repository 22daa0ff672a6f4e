"""The JSON text of `convertToJson`: two blanks for each level, keys in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from sluice.language.expressions.values import Kind, Value, kind_of
from sluice.values import dataclass

# Line separators that JSON allows in texts, escaped because readers of lines do not expect them.
_SEPARATORS = {ord(character): f"\\u{ord(character):04x}" for character in "\u0085\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class _Open:
    """A collection that is being written."""

    entries: Iterator[tuple[str, Value]]
    closing: str


def json_pieces(root: Value, text: Callable[[Value], str]) -> Iterator[str]:
    """The JSON text of `root` in pieces; `text` casts what stands in quotes."""
    opened: list[_Open] = []
    yield _begin(root, opened, text)
    first = bool(opened)
    while opened:
        entry = next(opened[-1].entries, None)
        if entry is None:
            closing = opened.pop().closing
            yield "\n" + "  " * len(opened) + closing
            first = False
            continue
        key, value = entry
        yield ("\n" if first else ",\n") + "  " * len(opened) + key
        depth = len(opened)
        yield _begin(value, opened, text)
        first = len(opened) > depth


def quote(text: str) -> str:
    """A JSON string."""
    return json.dumps(text, ensure_ascii=False).translate(_SEPARATORS)


def _begin(value: Value, opened: list[_Open], text: Callable[[Value], str]) -> str:
    """The text of a scalar, or the bracket that opens a collection."""
    kind = kind_of(value)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        opened.append(_Open(((f"{quote(str(key))}: ", item) for key, item in value.items()), "}"))
        return "{"
    if kind is Kind.ARRAY and isinstance(value, Sequence):
        if not value:
            return "[]"
        opened.append(_Open((("", item) for item in value), "]"))
        return "["
    if kind is Kind.NULL:
        return "null"
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    return text(value) if kind is Kind.NUMBER else quote(text(value))
