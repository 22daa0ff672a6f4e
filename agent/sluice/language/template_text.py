"""Finds the `${{ }}` in texts, and reads the directives among them."""

from __future__ import annotations

import re
from typing import TypeAlias

from sluice.values import dataclass

_START = "${{"
_DIRECTIVE = re.compile(r"(if|elseif|else|each|insert)(?![A-Za-z0-9_.\[])\s*", re.DOTALL)
_EACH = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s+in(?![A-Za-z0-9_])\s*", re.DOTALL)


class TemplateTextError(Exception):
    """A text whose `${{` cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """An expression in a text; `start` is the offset of its first character there."""

    expression: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Directive:
    """A key such as `${{ if E }}`: its word, its expression and where that starts, and the loop variable of `each`."""

    word: str
    expression: str = ""
    variable: str = ""
    start: int = 0


Part: TypeAlias = str | Embedded


def split(text: str) -> list[Part]:
    """The text in pieces: plain ones and expressions. Raises `TemplateTextError` where one is not closed."""
    parts: list[Part] = []
    position = 0
    while (start := text.find(_START, position)) >= 0:
        if start > position:
            parts.append(text[position:start])
        end = _end(text, start + len(_START))
        inside = text[start + len(_START) : end]
        blanks = len(inside) - len(inside.lstrip())
        parts.append(Embedded(inside.strip(), start + len(_START) + blanks))
        position = end + 2
    if position < len(text):
        parts.append(text[position:])
    return parts


def _end(text: str, position: int) -> int:
    """Where the `}}` of an expression stands; texts in quotes may hold one."""
    while True:
        close = text.find("}}", position)
        if close < 0:
            raise TemplateTextError("'${{' without '}}'")
        quote = text.find("'", position, close)
        if quote < 0:
            return close
        position = text.find("'", quote + 1) + 1
        if position == 0:
            raise TemplateTextError("'${{' with a text in quotes that does not end")


def directive(text: str) -> Directive | None:
    """The directive that a key is, None for any other key."""
    parts = split(text)
    if len(parts) != 1 or not isinstance(parts[0], Embedded):
        return None
    body, start = parts[0].expression, parts[0].start
    found = _DIRECTIVE.match(body)
    if found is None:
        return None
    word = found.group(1)
    rest = body[found.end() :]
    start += found.end()
    if word in {"else", "insert"}:
        if rest:
            raise TemplateTextError(f"'{word}' takes no expression")
        return Directive(word)
    if word != "each":
        if not rest:
            raise TemplateTextError(f"'{word}' needs an expression")
        return Directive(word, rest, start=start)
    each = _EACH.match(rest)
    if each is None:
        raise TemplateTextError("'each' is written '${{ each NAME in EXPRESSION }}'")
    return Directive(word, rest[each.end() :], each.group(1), start + each.end())
