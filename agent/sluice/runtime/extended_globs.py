"""Extended patterns of files: `?(a|b)`, `*(a|b)`, `+(a|b)`, `@(a|b)`, `!(a|b)` within a part of a path.

Matched with sets of places instead of an expression with ways back, so that no pattern takes long: the time grows with
the length of the pattern and the square of the length of the name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from sluice.values import dataclass

Places = frozenset[int]
"""Places in a name, between its characters."""

MAX_DEPTH = 20
"""How deep groups may nest; what lies deeper is literal."""

_GROUP = re.compile(r"[?*+@!]\(")


@dataclass(frozen=True, slots=True)
class _One:
    """Exactly one character."""

    fits: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Any:
    """Any number of characters."""


@dataclass(frozen=True, slots=True)
class _Group:
    kind: str
    parts: tuple[_Sequence, ...]


_Sequence = tuple[_One | _Any | _Group, ...]


def is_extended(segment: str) -> bool:
    """Whether a part of a pattern has such a group."""
    found = _GROUP.search(segment)
    return found is not None and _closing(segment, found.end()) is not None


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a pattern between two slashes; `dot` says whether wildcards match a dot at the beginning of a name."""

    items: _Sequence
    dot: bool

    def fits(self, name: str) -> bool:
        """Whether it matches all of a name."""
        if name.startswith(".") and not self.dot and not _begins_with_dot(self.items):
            return False
        return bool(name) and len(name) in _ends(self.items, name, frozenset({0}))


def compile_segment(segment: str, character_class: Callable[[str], re.Pattern[str]], *, dot: bool) -> Segment:
    """Read a part of a pattern; `character_class` makes an expression of what stands between brackets."""
    return Segment(_read(segment, character_class, 0), dot)


def _read(text: str, character_class: Callable[[str], re.Pattern[str]], depth: int) -> _Sequence:
    items: list[_One | _Any | _Group] = []
    index = 0
    while index < len(text):
        character = text[index]
        end = _closing(text, index + 2) if _GROUP.match(text, index) and depth < MAX_DEPTH else None
        bracket = text.find("]", index + 2) if character == "[" else -1
        if end is not None:
            parts = _alternatives(text[index + 2 : end])
            items.append(_Group(character, tuple(_read(part, character_class, depth + 1) for part in parts)))
            index = end
        elif bracket > 0:
            items.append(_One(_fits(character_class(text[index + 1 : bracket]))))
            index = bracket
        elif character == "*":
            items.append(_Any())
        elif character == "?":
            items.append(_One(bool))
        else:
            if character == "\\" and index + 1 < len(text):
                index += 1
            items.append(_One(text[index].__eq__))
        index += 1
    return tuple(items)


def _fits(expression: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda character: expression.fullmatch(character) is not None


def _closing(text: str, start: int) -> int | None:
    """Where the group that begins before `start` ends."""
    depth = 1
    for index in range(start, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if not depth:
            return index
    return None


def _alternatives(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _ends(items: Iterable[_One | _Any | _Group], name: str, starts: Places) -> Places:
    """Where a match that begins at any of the places may end."""
    for item in items:
        if not starts:
            break
        if isinstance(item, _One):
            starts = frozenset(at + 1 for at in starts if at < len(name) and item.fits(name[at]))
        elif isinstance(item, _Any):
            starts = frozenset(range(min(starts), len(name) + 1))
        else:
            starts = _group_ends(item, name, starts)
    return starts


def _group_ends(group: _Group, name: str, starts: Places) -> Places:
    if group.kind == "!":
        return frozenset(
            end
            for start in starts
            for end in frozenset(range(start, len(name) + 1)) - _one_of(group.parts, name, frozenset({start}))
        )
    once = _one_of(group.parts, name, starts)
    if group.kind == "@":
        return once
    if group.kind == "?":
        return starts | once
    reached, new = once, once
    while new:
        new = _one_of(group.parts, name, new) - reached
        reached |= new
    return reached if group.kind == "+" else starts | reached


def _one_of(parts: Sequence[_Sequence], name: str, starts: Places) -> Places:
    return frozenset().union(*(_ends(part, name, starts) for part in parts))


def _begins_with_dot(items: _Sequence) -> bool:
    """Whether a dot at the beginning is written out, in at least one of a group's parts."""
    if not items:
        return False
    first = items[0]
    if isinstance(first, _Group):
        return first.kind != "!" and any(_begins_with_dot(part) for part in first.parts)
    return isinstance(first, _One) and first.fits is not bool and first.fits(".") and not first.fits("/")
