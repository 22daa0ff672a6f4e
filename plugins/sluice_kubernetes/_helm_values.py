"""Values as `helm --set` takes them, written to a file instead: a command line is for everybody on the machine to read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.plugin import TaskFailedError

_INTEGER = re.compile(r"0|-?[1-9]\d{0,17}")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_PART = re.compile(r"((?:\\.|[^.\[\]\\])*)((?:\[\d{1,5}\])*)(\.|$)")
MAX_INDEX = 65_536
"""As Helm has it: a longer list is a mistake."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and its value as written; `as_text` leaves it a text whatever it looks like (`--set-string`)."""

    name: str
    value: str
    as_text: bool = False


def write_values(folder: Path, pairs: Sequence[Pair], where: str) -> list[str]:
    """The arguments that give Helm these values: a file of its own, readable by this user only."""
    if not pairs:
        return []
    path = folder / "values.yaml"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(values_of(pairs, where), file)  # which is YAML, and leaves no text to be taken for a number
    return ["-f", str(path)]


def split_pairs(text: str, where: str, *, as_text: bool = False) -> list[Pair]:
    """`a=1,b.c={x,y}` as pairs: commas within braces, or after a backslash, do not separate."""
    pairs = []
    for piece in _pieces(text):
        if not piece.strip():
            continue
        name, has_value, value = piece.partition("=")
        if not has_value:
            raise TaskFailedError("values are written NAME=VALUE, between commas", where=where)
        pairs.append(Pair(name.strip(), value, as_text))
    return pairs


def values_of(pairs: Sequence[Pair], where: str) -> dict[str, Any]:
    """The values as Helm would have them: nested by the dots of their names; numbers, true, false and null by their look."""
    found: dict[str, Any] = {}
    for pair in pairs:
        steps = _steps(pair.name, where)
        at: Any = found
        for number, step in enumerate(steps):
            is_last = number == len(steps) - 1
            following: Any = _value(pair) if is_last else [] if isinstance(steps[number + 1], int) else {}
            at = _put(at, step, following, replace=is_last, where=where)
    return found


def _put(at: Any, step: str | int, value: Any, *, replace: bool, where: str) -> Any:
    if isinstance(step, int):
        if not isinstance(at, list):
            raise TaskFailedError("a value is a list in one place and none in another", where=where)
        at.extend([None] * (step + 1 - len(at)))
    elif not isinstance(at, dict):
        raise TaskFailedError("a value has parts in one place and none in another", where=where)
    known = at[step] if isinstance(step, int) else at.get(step)
    if replace or known is None:
        at[step] = value
    return at[step]


def _steps(name: str, where: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 0
    while True:
        match = _PART.match(name, position)
        if match is None or not (match[1] or match[2]):
            raise TaskFailedError(f"'{name[:80]}' is no name of a value", where=where)
        if match[1]:
            steps.append(re.sub(r"\\(.)", r"\1", match[1]))
        indexes = [int(one) for one in re.findall(r"\d+", match[2])]
        if any(index > MAX_INDEX for index in indexes):
            raise TaskFailedError(f"'{name[:80]}' has an index above {MAX_INDEX}", where=where)
        steps += indexes
        position = match.end()
        if not match[3]:
            return steps


def _value(pair: Pair) -> Any:
    text = pair.value
    if text.startswith("{") and text.endswith("}"):
        return [_scalar(one, pair.as_text) for one in _pieces(text[1:-1])]
    return _scalar(text, pair.as_text)


def _scalar(text: str, as_text: bool) -> Any:
    if as_text:
        return re.sub(r"\\(.)", r"\1", text)
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return re.sub(r"\\(.)", r"\1", text)


def _pieces(text: str) -> Iterator[str]:
    """Between commas, but for those within braces or after a backslash; backslashes stay."""
    depth, begun, index = 0, 0, 0
    while index < len(text):
        letter = text[index]
        if letter == "\\":
            index += 1
        elif letter in "{}":
            depth = max(0, depth + (1 if letter == "{" else -1))
        elif letter == "," and not depth:
            yield text[begun:index]
            begun = index + 1
        index += 1
    yield text[begun:]
