"""The template language of the data sources that extensions describe: what a connection's test is made of.

`{{endpoint.key}}` and `{{{endpoint.key}}}` are the connection's url, data or parameters, `$(endpoint.key)` is their
older spelling. `{{#base64 a ":" b}}` encodes its parts, `{{#equals a b}}..{{else}}..{{/equals}}` and `notEquals` choose,
`{{#stringReplace "from" "to" text}}` replaces. Anything else is refused by name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence

from sluice.errors import SluiceError

MAX_TEMPLATE = 20_000
MAX_RESULT = 200_000
MAX_DEPTH = 20

_TAG = re.compile(r"\{\{\{([^{}]*)\}\}\}|\{\{([^{}]*)\}\}|\$\(([^()]*)\)")
_WORD = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([^\s\"']+)")
_BLOCKS = frozenset({"equals", "notequals"})

LookUp = Callable[[str], str]
"""The value of `endpoint.<key>`, '' when it has none."""


class TemplateError(SluiceError):
    """A template that cannot be filled in."""

    reference = "template-invalid"


def fill(template: str, look_up: LookUp) -> str:
    """The template's text; raises `TemplateError`, which never holds a value."""
    if len(template) > MAX_TEMPLATE:
        raise TemplateError("the extension's template is too long")
    text, _, end = _Filling(template, look_up).run(0, 0, writing=True)
    if end:
        raise TemplateError("the extension's template ends a block that it did not begin")
    if len(text) > MAX_RESULT:
        raise TemplateError("the extension's template makes too long a text")
    return text


class _Filling:
    def __init__(self, template: str, look_up: LookUp) -> None:
        self._template = template
        self._look_up = look_up

    def run(self, start: int, depth: int, *, writing: bool) -> tuple[str, int, str]:
        """The text from a place to the end of its block: the text, where that ends, and the tag that ended it."""
        if depth > MAX_DEPTH:
            raise TemplateError("the extension's template is nested too deeply")
        parts: list[str] = []
        place = start
        while tag := _TAG.search(self._template, place):
            parts.append(self._template[place : tag.start()])
            place = tag.end()
            inner = next(part for part in tag.groups() if part is not None).strip()
            if inner.startswith("/") or inner.lower() == "else":
                return "".join(parts), place, inner.lower()
            if not inner.startswith("#"):
                parts.append(self._value(inner) if writing else "")
                continue
            words = _words(inner[1:])
            if words and words[0].lower() in _BLOCKS:
                text, place = self._block(words, place, depth, writing=writing)
                parts.append(text)
            else:
                parts.append(self._function(words) if writing else "")
        parts.append(self._template[place:])
        return "".join(parts), len(self._template), ""

    def _block(self, words: Sequence[str], place: int, depth: int, *, writing: bool) -> tuple[str, int]:
        name = words[0].lower()
        operands = [self._operand(word) for word in words[1:3]]
        same = len(operands) == 2 and operands[0].casefold() == operands[1].casefold()
        holds = same == (name == "equals")
        text, place, end = self.run(place, depth + 1, writing=writing and holds)
        other = ""
        if end == "else":
            other, place, end = self.run(place, depth + 1, writing=writing and not holds)
        if end != f"/{name}":
            raise TemplateError(f"the extension's template does not end its '#{words[0]}'")
        return (text if holds else other) if writing else "", place

    def _function(self, words: Sequence[str]) -> str:
        name = words[0].lower() if words else ""
        operands = [self._operand(word) for word in words[1:]]
        if name == "base64":
            return base64.b64encode("".join(operands).encode()).decode("ascii")
        if name == "stringreplace" and len(operands) == 3:
            return operands[2].replace(operands[0], operands[1])
        raise TemplateError(f"the extension's template uses '#{name}', which Sluice does not know")

    def _operand(self, word: str) -> str:
        return word[1:] if word.startswith('"') else self._value(word)

    def _value(self, name: str) -> str:
        if name.isdecimal() or name.lower() in {"true", "false"}:
            return name
        if not name.lower().startswith("endpoint."):
            raise TemplateError(f"the extension's template names '{name}', which a connection does not have")
        return self._look_up(name[len("endpoint.") :])


def _words(text: str) -> list[str]:
    """The parts of a tag; a quoted one keeps a quote in front to tell it from a name."""
    found = []
    for double, single, plain in (match.groups() for match in _WORD.finditer(text)):
        found.append(plain if plain is not None else '"' + (single if single is not None else double))
    return found
