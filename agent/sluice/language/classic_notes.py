"""What is told of an imported definition: each with its place in the export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Something that has no equal in YAML, or that the export does not hold; `do` is what to do about it."""

    where: str
    what: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.do})" if self.do else "")


@dataclass(slots=True)
class Notes:
    """Collects notes."""

    found: list[Note] = field(default_factory=list)

    def add(self, where: str, what: str, do: str = "") -> None:
        """Note something, once."""
        if (note := Note(where, what, do)) not in self.found:
            self.found.append(note)


def entries(holder: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, each with its place; anything else is passed over."""
    listed = holder.get(key)
    for number, one in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(one, dict):
            yield f"{key}[{number}]", one


def child(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object within another, {} for none."""
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def texts(value: object) -> list[str]:
    """The texts of a list."""
    return [str(one) for one in value if isinstance(one, str | int)] if isinstance(value, list) else []


def is_true(value: object) -> bool:
    """Whether a setting is on: exports have them as booleans and as texts."""
    return str(value).casefold() == "true"


def whole(value: object) -> int:
    """A whole number, 0 for what is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
