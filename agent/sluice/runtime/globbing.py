"""File patterns as tasks know them: `**`, `*`, `?`, `[..]`, `{a,b}`, `@(a|b)` and its like, and a leading `!`."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from sluice.runtime.extended_globs import Segment, compile_segment, is_extended
from sluice.values import dataclass

MAX_ALTERNATIVES = 1000
"""How many patterns one pattern's braces may unfold to; a longer one is taken literally from there on."""


def find_files(root: Path, patterns: Sequence[str]) -> list[Path]:
    """The files below `root` that the patterns choose, sorted.

    Patterns are applied in order: one adds the files it matches, one with a leading `!` takes files away again. When
    all of them exclude, they start from every file. Empty patterns and those starting with `#` are skipped; an
    absolute pattern counts when it lies below `root`. Links to folders are not followed.
    """
    return [root / name for name in choose(sorted(_walk(root)), root, patterns)]


def choose(
    names: Sequence[str],
    root: Path,
    patterns: Sequence[str],
    *,
    dot: bool = True,
    braces: bool = True,
    from_all: bool = True,
) -> list[str]:
    """Those of the sorted names below `root` that the patterns choose, as `find_files` says, sorted.

    Without `dot` wildcards leave alone what begins with a dot; without `braces` these are literal. Without `from_all`
    patterns that all exclude choose nothing.
    """
    rules = [rule for pattern in patterns if (rule := _rule(root, pattern.strip(), dot=dot, braces=braces))]
    if not rules:
        return []
    chosen: set[str] = set(names) if from_all and not any(add for add, _ in rules) else set()
    for add, expressions in rules:
        pool = names if add else tuple(chosen)
        matched = {name for name in pool if any(expression.fullmatch(name) for expression in expressions)}
        chosen = chosen | matched if add else chosen - matched
    return sorted(chosen)


def matches(name: str, pattern: str) -> bool:
    """Whether a `/`-separated relative name matches one pattern without a leading `!`."""
    return any(compile_pattern(alternative).fullmatch(name) for alternative in expand_braces(pattern))


def expand_braces(pattern: str) -> list[str]:
    """Every pattern that `{a,b}` groups stand for, in the order written; braces without a comma stay literal."""
    expanded: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop(0)
        group = _first_group(text)
        if group is None or len(waiting) + len(expanded) >= MAX_ALTERNATIVES:
            expanded.append(text)
            continue
        start, end, parts = group
        waiting[:0] = [text[:start] + part + text[end:] for part in parts]
    return expanded


class Pattern(Protocol):
    """What tells whether all of a `/`-separated relative name matches."""

    def fullmatch(self, name: str, /) -> object:
        """Something true when it does, else None."""


@functools.lru_cache(maxsize=512)
def compile_pattern(pattern: str, *, dot: bool = True) -> Pattern:
    """A pattern without braces; unless `dot` is false names that start with a dot are matched like others."""
    segments = [segment for segment in pattern.split("/") if segment not in {"", "."}]
    # `**/**` is `**`: each further one would only be another way to match the same.
    segments = [one for index, one in enumerate(segments) if one != "**" or segments[index - 1 : index] != ["**"]]
    if any(map(is_extended, segments)):
        return _PathPattern(tuple(_compiled(segment, dot=dot) for segment in segments))
    visible = "" if dot else r"(?!\.)"
    expression = ""
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "**":
            expression += (".*" if dot else rf"(?:{visible}[^/]+/)*{visible}[^/]*") if last else f"(?:{visible}[^/]+/)*"
        else:
            expression += _visible_segment(segment, visible) + ("" if last else "/")
    return re.compile(expression, re.DOTALL)


@dataclass(frozen=True, slots=True)
class _PathPattern:
    """A pattern with extended groups, part by part."""

    segments: tuple[re.Pattern[str] | Segment, ...]

    def fullmatch(self, name: str) -> Literal[True] | None:
        parts = name.split("/")
        places = {0}
        for index, segment in enumerate(self.segments):
            if isinstance(segment, Segment):
                places = {at + 1 for at in places if at < len(parts) and segment.fits(parts[at])}
            elif segment.pattern.startswith(_DEEP):
                deeper = index == len(self.segments) - 1  # the last one takes a part at least
                places = {end for at in places for end in _run(segment, parts, at) if not deeper or end > at}
            else:
                places = {at + 1 for at in places if at < len(parts) and segment.fullmatch(parts[at])}
        return True if len(parts) in places else None


_DEEP = "(?#**)"
"""How the expression of `**` begins: it is for each of the parts that it takes."""


def _run(segment: re.Pattern[str], parts: Sequence[str], start: int) -> Iterator[int]:
    yield start
    for index in range(start, len(parts)):
        if not segment.fullmatch(parts[index]):
            return
        yield index + 1


def _compiled(segment: str, *, dot: bool) -> re.Pattern[str] | Segment:
    if is_extended(segment):
        return compile_segment(segment, lambda body: re.compile(_character_class(body), re.DOTALL), dot=dot)
    visible = "" if dot else r"(?!\.)"
    if segment == "**":
        return re.compile(f"{_DEEP}{visible}[^/]+", re.DOTALL)
    return re.compile(_visible_segment(segment, visible), re.DOTALL)


def _visible_segment(segment: str, visible: str) -> str:
    """One part between slashes; a dot that is written out is matched in any case."""
    return f"{'' if segment.startswith(('.', chr(92))) else visible}{_segment(segment)}"


def _rule(root: Path, pattern: str, *, dot: bool, braces: bool) -> tuple[bool, list[Pattern]] | None:
    if pattern.startswith("#"):
        return None
    body = pattern.lstrip("!")
    add = (len(pattern) - len(body)) % 2 == 0
    body = body.strip()
    if not body:
        return None
    if body.startswith(os.sep):
        prefix = f"{root.absolute()}{os.sep}"
        if not body.startswith(prefix):
            return None
        body = body[len(prefix) :]
    return add, [compile_pattern(alternative, dot=dot) for alternative in (expand_braces(body) if braces else [body])]


def _walk(root: Path) -> Iterator[str]:
    base = os.fspath(root)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(f"{base}{os.sep}{folder}") as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif not entry.is_dir():
                    yield name


def _first_group(text: str) -> tuple[int, int, list[str]] | None:
    """Where the first group of alternatives starts and ends, and its parts."""
    for start, character in enumerate(text):
        if character != "{":
            continue
        depth, parts, begin = 0, [], start + 1
        for index in range(start, len(text)):
            if text[index] == "{":
                depth += 1
            elif text[index] == "," and depth == 1:
                parts.append(text[begin:index])
                begin = index + 1
            elif text[index] == "}":
                depth -= 1
                if not depth:
                    if parts:
                        return start, index + 1, [*parts, text[begin:index]]
                    break
    return None


def _segment(segment: str) -> str:
    """One part between slashes; several stars in a row are one."""
    chunks = [""]  # between stars
    index = 0
    while index < len(segment):
        character = segment[index]
        if character == "*":
            if index == 0 or segment[index - 1] != "*":
                chunks.append("")
        elif character == "?":
            chunks[-1] += "[^/]"
        elif character == "[" and (end := segment.find("]", index + 2)) > 0:
            chunks[-1] += _character_class(segment[index + 1 : end])
            index = end
        elif character == "\\" and index + 1 < len(segment):
            index += 1
            chunks[-1] += re.escape(segment[index])
        else:
            chunks[-1] += re.escape(character)
        index += 1
    first, *rest = chunks
    if not rest:
        return first
    # The first place where a chunk fits is as good as any later one, but for the last chunk: no way back is needed.
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in rest[:-1])
    # A lone star never matches an empty segment.
    return f"{'' if first else '(?=[^/])'}{first}{middle}[^/]*{rest[-1]}"


def _character_class(body: str) -> str:
    """What stands between brackets; a range that runs backwards makes all of it literal."""
    negated = body[0] in "!^" and len(body) > 1
    members, index = "", 1 if negated else 0
    while index < len(body):
        if body[index + 1 : index + 2] == "-" and index + 2 < len(body):
            if body[index] > body[index + 2]:
                return re.escape(f"[{body}]")
            members += f"{re.escape(body[index])}-{re.escape(body[index + 2])}"
            index += 3
        else:
            members += re.escape(body[index])
            index += 1
    return f"[^/{members}]" if negated else f"(?!/)[{members}]"
