"""Logging commands (`##vso[area.event key=value;]data`): found in a line, parsed and written, as the agent does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from sluice.values import dataclass

PREFIX = "##vso["
"""What begins a command; it may stand anywhere in a line."""

KEYWORD = b"##vso"
"""A line that holds this, and no command, is worth a warning."""

_KEYWORD_IN_PART = re.compile(r"##vso|#?vso(?=\[)", re.IGNORECASE)
_UNESCAPES = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"))


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `area`, `event` and the keys of `properties` are in lower case."""

    area: str
    event: str
    properties: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    @property
    def name(self) -> str:
        """`area.event`."""
        return f"{self.area}.{self.event}"

    def flag(self, key: str) -> bool:
        """True only for a property that is `true`, in any case."""
        return self.properties.get(key, "").strip().casefold() == "true"


def parse(line: str, *, unescape_percents: bool = True) -> Command | None:
    """The command in a line, or None when it holds none (text before a command is dropped)."""
    start = line.find(PREFIX)
    if start < 0:
        return None
    end = line.find("]", start)
    if end < 0:
        return None
    head, _, rest = line[start + len(PREFIX) : end].partition(" ")
    names = [part for part in head.split(".") if part]
    if len(names) != 2:
        return None
    return Command(
        names[0].lower(),
        names[1].lower(),
        _properties(rest, unescape_percents),
        unescape(line[end + 1 :], percents=unescape_percents),
    )


def unescape(text: str, *, percents: bool = True) -> str:
    """A property or the data as it was meant; with `percents`, `%AZP25` stands for a percent sign."""
    if "%" not in text:
        return text
    for escaped, plain in _UNESCAPES:
        text = text.replace(escaped, plain)
    return text.replace("%AZP25", "%") if percents else text


def escape(text: str) -> str:
    """Text for the data of a command, or for a property."""
    text = text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace("]", "%5D").replace(";", "%3B")


def write(command: Command) -> str:
    """The line that `parse` reads as this command."""
    properties = "".join(f"{key}={escape(value)};" for key, value in command.properties.items() if value)
    return f"{PREFIX}{command.name}{' ' if properties else ''}{properties}]{escape(command.data)}"


def neutralise(text: str) -> str:
    """Text from outside (a commit message, an author) that can command nothing when a step prints it.

    Nor can what becomes a command behind a `#` that the pipeline itself has in front of it.
    """
    return _KEYWORD_IN_PART.sub("**vso", text)


def _properties(text: str, unescape_percents: bool) -> dict[str, str]:
    properties: dict[str, str] = {}
    for item in text.split(";"):
        # .NET drops empty parts when it splits: `=y` has no key, `k==v` is `k=v`.
        key, _, value = item.lstrip("=").partition("=")
        value = value.lstrip("=")
        if key and value:
            properties[key.lower()] = unescape(value, percents=unescape_percents)
    return properties
