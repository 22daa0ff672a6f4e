"""The values of expressions and their kinds."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from sluice.language.expressions.ordinal import fold
from sluice.secret import Secret
from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """Two to four integer parts; a missing part is below 0, so `1.2` comes before `1.2.0`."""

    parts: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class DateTime:
    """A moment, such as `pipeline.startTime`; it knows its offset from UTC."""

    moment: datetime

    def __post_init__(self) -> None:
        if self.moment.tzinfo is None:
            raise ValueError("a DateTime needs an offset from UTC")

    def __str__(self) -> str:
        return self.moment.isoformat(" ", "seconds")


Number: TypeAlias = int | Decimal
Value: TypeAlias = (
    "bool | int | Decimal | float | str | Secret | Version | DateTime | Sequence[Value] | Mapping[str, Value] | None"
)
"""What an expression reads and gives. A Secret is a String that stays secret in every text made of it."""


class FilteredArray(tuple[Value, ...]):
    """What a wildcard selects: an access applies to each of its items."""

    __slots__ = ()


class Object(Mapping[str, Value]):
    """An ordered mapping whose keys ignore case; the spelling seen first is the one it lists."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Mapping[str, Value] | Iterable[tuple[str, Value]] = ()) -> None:
        self._pairs: dict[str, tuple[str, Value]] = {}
        for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            folded = fold(key)
            first = self._pairs.get(folded)
            self._pairs[folded] = (first[0] if first else key, value)

    def __getitem__(self, key: str) -> Value:
        return self._pairs[fold(key)][1]

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"Object({dict(self._pairs.values())!r})"


class Kind(enum.Enum):
    """The kinds of values, as messages call them."""

    BOOLEAN = "Boolean"
    NULL = "Null"
    NUMBER = "Number"
    STRING = "String"
    VERSION = "Version"
    DATETIME = "DateTime"
    ARRAY = "Array"
    OBJECT = "Object"


_KINDS: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    type(None): Kind.NULL,
    int: Kind.NUMBER,
    Decimal: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.STRING,
    Secret: Kind.STRING,
    Version: Kind.VERSION,
    DateTime: Kind.DATETIME,
    list: Kind.ARRAY,
    tuple: Kind.ARRAY,
    FilteredArray: Kind.ARRAY,
    dict: Kind.OBJECT,
    Object: Kind.OBJECT,
}


def kind_of(value: Value) -> Kind:
    """The kind of `value`; TypeError for what is no value at all."""
    kind = _KINDS.get(type(value))
    return kind if kind is not None else _kind_of_other(value)


def _kind_of_other(value: object) -> Kind:
    """Kinds of subclasses and of foreign collections."""
    if isinstance(value, str):
        return Kind.STRING
    if isinstance(value, Mapping):
        return Kind.OBJECT
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return Kind.ARRAY
    if isinstance(value, int | float | Decimal):
        return Kind.NUMBER
    raise TypeError(f"{type(value).__name__} is not a value of expressions")


MISSING = object()
"""Stands for 'no such member', which is not the same as a member that is null."""


def find(mapping: Mapping[str, Value], name: str) -> object:
    """The member of that name, ignoring case, or MISSING; an exact spelling goes first."""
    value = mapping.get(name, MISSING)
    if value is not MISSING or isinstance(mapping, Object):
        return value
    wanted = fold(name)
    for key, candidate in mapping.items():
        if fold(str(key)) == wanted:
            return candidate
    return MISSING
