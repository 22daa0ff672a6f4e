"""Macros: `$(name)` in inputs, and in the values of variables.

A macro starts with `$(` and ends with the next `)`. Where nothing has that name it stays as it stands and the search
goes on one character later, so `$(a$(b))` tries `a$(b` and then `b`. Text that was put in is not searched again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from sluice.errors import SluiceError
from sluice.secret import Secret
from sluice.values import dataclass

PREFIX = "$("
SUFFIX = ")"
MAXIMUM_DEPTH = 50
"""So many variables may stand inside one another, as in the agent."""
LONGEST_TEXT = 16 * 1024 * 1024
"""Characters that an expanded text may have."""
LARGEST_TOTAL = 64 * 1024 * 1024
"""Characters that the expanded values of all variables may have together."""

# Keeps a text of nothing but prefixes from being copied once for each of them.
_LONGEST_NAME = 1024


class MacroError(SluiceError):
    """A text that its macros would make too long."""

    reference = "macro-too-large"


@dataclass(frozen=True, slots=True)
class Resolved:
    """Variables after recursive expansion, and what could not be expanded."""

    values: Mapping[str, str | Secret]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reference:
    """The place of a variable in a value; `name` is in lower case."""

    name: str


_Parts: TypeAlias = tuple[str | _Reference, ...]
_Answer = TypeVar("_Answer")


def expand(text: str, lookup: Callable[[str], str | Secret | None]) -> str | Secret:
    """`text` with the macros that `lookup` knows replaced, in one pass; a Secret as soon as one of them was.

    `lookup` gets names as written and ignores their case itself. MacroError if the result would be longer than
    LONGEST_TEXT.
    """
    if PREFIX not in text:
        return text
    pieces: list[str] = []
    secret = False
    length = 0
    scanned: Iterator[str | Secret] = _scan(text, lookup)
    for piece in scanned:
        secret = secret or isinstance(piece, Secret)
        pieces.append(piece.reveal() if isinstance(piece, Secret) else piece)
        length += len(pieces[-1])
        if length > LONGEST_TEXT:
            raise MacroError(
                f"the text is longer than {LONGEST_TEXT} characters once its macros are expanded",
                do="read large contents from a file instead",
            )
    expanded = "".join(pieces)
    return Secret(expanded) if secret else expanded


def names_in(text: str) -> tuple[str, ...]:
    """Every name that a macro of `text` may mean, in order, whether or not there is such a variable."""
    names: list[str] = []

    def lookup(name: str) -> None:
        names.append(name)

    for _ in _scan(text, lookup):
        pass
    return tuple(names)


def _scan(text: str, lookup: Callable[[str], _Answer | None]) -> Iterator[str | _Answer]:
    """The written parts of `text`, and between them what `lookup` answers for its macros."""
    written = 0
    prefix = text.find(PREFIX)
    suffix = -1
    while prefix >= 0:
        start = prefix + len(PREFIX)
        if suffix < start:
            suffix = text.find(SUFFIX, start)
            if suffix < 0:
                break
        value = lookup(text[start:suffix]) if 0 < suffix - start <= _LONGEST_NAME else None
        if value is None:
            prefix = text.find(PREFIX, prefix + 1)
            continue
        yield text[written:prefix]
        yield value
        written = suffix + len(SUFFIX)
        prefix = text.find(PREFIX, written)
    yield text[written:]


def resolve_all(variables: Mapping[str, str | Secret]) -> Resolved:
    """Every variable with the macros in its value replaced by other variables, and theirs by others.

    Where that goes in a circle, deeper than MAXIMUM_DEPTH, or grows too long, the value is left as it was written and
    a warning says so. A value with a secret part is a Secret. Names ignore case.
    """
    if not any(PREFIX in _revealed(value) for value in variables.values()):
        return Resolved(dict(variables), ())
    names = {name.lower(): name for name in variables}
    parts = {folded: _parts(variables[name], names) for folded, name in names.items()}
    order, circular = _innermost_first(parts)
    problems = dict.fromkeys(circular, "A cyclical reference was detected.")
    problems.update(_too_deep(order, parts, circular))
    texts = {folded: variables[name] for folded, name in names.items()}
    room = LARGEST_TOTAL
    for folded in order:
        references = _references(parts[folded])
        if folded in problems or not references:
            continue
        longest = min(LONGEST_TEXT, room)
        joined = None if any(name in problems for name in references) else _join(parts[folded], texts, longest)
        if joined is None:
            problems[folded] = f"The expanded value is longer than {longest} characters."
            continue
        room -= len(joined)
        secret = any(isinstance(texts[name], Secret) for name in (folded, *references))
        texts[folded] = Secret(joined) if secret else joined
    warnings = tuple(
        f"Unable to expand variable '{name}'. {problems[folded]}"
        for folded, name in names.items()
        if folded in problems
    )
    return Resolved({name: texts[name.lower()] for name in variables}, warnings)


def _too_deep(order: Sequence[str], parts: Mapping[str, _Parts], circular: Container[str]) -> dict[str, str]:
    """What is wrong with the variables that stand on too many others."""
    depths: dict[str, int] = {}
    for folded in order:
        depths[folded] = 1 + max((depths.get(name, 0) for name in _references(parts[folded])), default=0)
    problem = f"The max expansion depth ({MAXIMUM_DEPTH}) was exceeded."
    return {folded: problem for folded, depth in depths.items() if depth > MAXIMUM_DEPTH and folded not in circular}


def _parts(value: str | Secret, names: Container[str]) -> _Parts:
    def lookup(name: str) -> _Reference | None:
        folded = name.lower()
        return _Reference(folded) if folded in names else None

    text = _revealed(value)
    return tuple(_scan(text, lookup)) if PREFIX in text else (text,)


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _references(parts: _Parts) -> tuple[str, ...]:
    return tuple(part.name for part in parts if isinstance(part, _Reference))


def _innermost_first(parts: Mapping[str, _Parts]) -> tuple[list[str], set[str]]:
    """All variables, each after those that it refers to, and the ones that lead into a circle."""
    order: dict[str, None] = {}
    circular: set[str] = set()
    for root in parts:
        path = {} if root in order else {root: iter(_references(parts[root]))}
        while path:
            name, rest = next(reversed(path.items()))
            for reference in rest:
                if reference in path or reference in circular:
                    circular.add(name)
                elif reference not in order:
                    path[reference] = iter(_references(parts[reference]))
                    break
            else:
                del path[name]
                order[name] = None
                if name in circular and path:
                    circular.add(next(reversed(path)))
    return list(order), circular


def _join(parts: _Parts, texts: Mapping[str, str | Secret], longest: int) -> str | None:
    """The parts in one text, or None where it would be too long."""
    pieces: list[str] = []
    for part in parts:
        text = texts[part.name] if isinstance(part, _Reference) else part
        piece = text.reveal() if isinstance(text, Secret) else text
        longest -= len(piece)
        if longest < 0:
            return None
        pieces.append(piece)
    return "".join(pieces)
