"""The tags that Azure Pipelines gives a meaning in log lines: `##[group]`, `##[error]` and so on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sluice.values import dataclass

MARK: Final = "##["
# The line feed in front lets the search jump from one literal to the next instead of trying every line's start.
_TAGGED: Final = re.compile(r"\n##\[(group|endgroup|section|command|error|warning|debug)\]([^\n]*)")
_PLACED: Final = re.compile(r"\s*[^\s(][^(\n]*\(\d*,\d*\): (?:error|warning)\b")
"""An issue with a place, as the agent writes it: `src/app.py(3,5): error E1: ...`."""
_PREFIXES: Final = {
    "group": "> ",
    "section": "* ",
    "command": "$ ",
    "error": "error: ",
    "warning": "warning: ",
    "debug": "debug: ",
}


@dataclass(frozen=True, slots=True)
class Tag:
    """A line that begins with a tag: which one, and the rest of the line."""

    name: str
    text: str

    def readable(self) -> str:
        """The line for a screen without colours; '' for the end of a group."""
        if says_its_kind(self.name, self.text):
            return self.text.strip()
        return _PREFIXES[self.name] + self.text.strip() if self.name in _PREFIXES else ""

    def heading_of(self, step: str) -> bool:
        """Whether this only announces the step's start or end, which the view says itself."""
        return self.name == "section" and self.text.strip() in {f"Starting: {step}", f"Finishing: {step}"}


def says_its_kind(name: str, text: str) -> bool:
    """Whether a line says itself, after its place, that it is an error or a warning."""
    return name in {"error", "warning"} and _PLACED.match(text) is not None


def split(text: str) -> Iterator[str | Tag]:
    """Whole lines as blocks of ordinary lines and single tagged lines, in order."""
    if MARK not in text:
        yield text
        return
    source = "\n" + text
    position = 1
    for match in _TAGGED.finditer(source):
        start = match.start() + 1
        if start > position:
            yield source[position:start]
        yield Tag(match[1], match[2])
        position = match.end() + 1
    if position < len(source):
        yield source[position:]
