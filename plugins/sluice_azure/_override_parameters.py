"""Override parameters as the task takes them: `-name value -other "a b"`, and the types that a template wants them in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BLANKS = " \t\r\n"
_ESCAPE = "\\"
_PARSED = frozenset({"int", "bool", "object", "secureobject", "array"})


def parse(text: str) -> list[tuple[str, str]]:
    """Names and values in order. A value in double quotes loses them; brackets and quotes hold blanks together."""
    found: list[tuple[str, str]] = []
    name = ""
    for literal, plain in _literals(text):
        if plain and literal.startswith("-") and not _is_number(literal):
            if name:
                found.append((name, ""))
            name = literal[1:]
        else:
            found.append((name, _unquoted(literal)))
            name = ""
    return [*found, *([(name, "")] if name else [])]


def typed(value: str, kind: str) -> Any:
    """A value in the type of a template's parameter; one that cannot be read stays the text that it is."""
    try:
        if kind.casefold() in _PARSED:
            return json.loads(value)
        if kind.casefold() in {"string", "securestring"}:
            return json.loads(f'"{value}"', strict=False)  # a backslash escapes, as in JSON
    except (ValueError, RecursionError):
        return value
    return value


def override(text: str, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Parameters with those of the text in their place, and the names that the template does not have."""
    known = template.get("parameters")
    declared = known if isinstance(known, dict) else {}
    merged, unknown = dict(parameters), []
    for name, value in parse(text):
        kind = declared.get(name)
        if not isinstance(kind, dict):
            unknown.append(name)
            merged[name] = {"value": value}
        else:
            merged[name] = {"value": typed(value, str(kind.get("type", "")))}
    return merged, unknown


def _literals(text: str) -> Iterator[tuple[str, bool]]:
    """The parts between blanks, and whether nothing in them was quoted, escaped or in brackets."""
    at = 0
    while at < len(text):
        if text[at] in _BLANKS:
            at += 1
            continue
        end, plain = _end(text, at)
        yield text[at:end], plain
        at = end


def _end(text: str, at: int) -> tuple[int, bool]:
    plain = True
    waiting: list[str] = []  # what closes what is open
    while at < len(text):
        letter = text[at]
        if letter == _ESCAPE:
            plain = False
            at += 1
        elif waiting and letter == waiting[-1]:
            waiting.pop()
        elif waiting and waiting[-1] in {'"', "'"}:
            pass
        elif letter in {'"', "'"} or letter in _CLOSING:
            plain = False
            waiting.append(_CLOSING.get(letter, letter))
        elif letter in _BLANKS and not waiting:
            return at, plain
        at += 1
    return min(at, len(text)), plain


def _unquoted(literal: str) -> str:
    is_quoted = len(literal) >= 2 and literal[0] == literal[-1] == '"'
    return literal[1:-1] if is_quoted else literal


def _is_number(literal: str) -> bool:
    try:
        float(literal)
    except ValueError:
        return False
    return True
