"""The texts that `format` understands: `{0}`, `{{`, `}}`, and `{0:yyyyMMdd}` for a DateTime."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sluice.language.expressions.errors import ExpressionError, excerpt
from sluice.language.expressions.values import DateTime, Value, kind_of

_LARGEST_INDEX = 255
_PIECE = re.compile(
    r"(?P<text>[^{}]+)"
    r"|(?P<brace>\{\{|\}\})"
    r"|\{(?P<index>[0-9]{1,3})(?::(?P<specifiers>(?:[^}]|\}\})*))?\}"
)
_SPECIFIER = re.compile(r"(?P<letter>[yMdHmsfKz])(?P=letter)*|\\(?P<escaped>.)|(?P<blank> )", re.DOTALL)


def format_pieces(
    template: str, shown: str, count: int, argument: Callable[[int], Value], text: Callable[[Value], str]
) -> Iterator[str]:
    """The pieces of a formatted text.

    `shown` stands for the template in messages, `argument` gives one of the `count` values, `text` casts it.
    """
    position = 0
    while position < len(template):
        match = _PIECE.match(template, position)
        if match is None:
            raise ExpressionError(f"The following format string is invalid: {excerpt(shown)}")
        position = match.end()
        if match["text"]:
            yield match["text"]
        elif match["brace"]:
            yield match["brace"][0]
        else:
            index = int(match["index"])
            if index > _LARGEST_INDEX:
                raise ExpressionError(f"The following format string is invalid: {excerpt(shown)}")
            if index >= count:
                raise ExpressionError(
                    f"The following format string references more arguments than were supplied: {excerpt(shown)}"
                )
            specifiers = (match["specifiers"] or "").replace("}}", "}")
            value = argument(index)
            yield format_value(value, specifiers) if specifiers else text(value)


def format_value(value: Value, specifiers: str) -> str:
    """A DateTime written by specifiers; they are not valid for anything else."""
    parts: list[str] = []
    position = 0
    while position < len(specifiers) and isinstance(value, DateTime):
        match = _SPECIFIER.match(specifiers, position)
        part = None if match is None else _part(match, value.moment)
        if match is None or part is None:
            break
        parts.append(part)
        position = match.end()
    if position < len(specifiers):
        kind = kind_of(value).value
        raise ExpressionError(
            f"The format specifiers '{excerpt(specifiers)}' are not valid for objects of type '{kind}'"
        )
    return "".join(parts)


def _part(match: re.Match[str], moment: datetime) -> str | None:
    if match["escaped"] is not None:
        return match["escaped"]
    if match["blank"]:
        return " "
    render = _DATE_PARTS.get(match[0])
    return None if render is None else render(moment)


def _offset(moment: datetime) -> str:
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _fraction(digits: int) -> Callable[[datetime], str]:
    return lambda moment: f"{moment.microsecond:06}0"[:digits]


_DATE_PARTS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda moment: f"{moment.year:04}",
    "yy": lambda moment: f"{moment.year % 100:02}",
    "MM": lambda moment: f"{moment.month:02}",
    "M": lambda moment: str(moment.month),
    "dd": lambda moment: f"{moment.day:02}",
    "d": lambda moment: str(moment.day),
    "HH": lambda moment: f"{moment.hour:02}",
    "H": lambda moment: str(moment.hour),
    "mm": lambda moment: f"{moment.minute:02}",
    "m": lambda moment: str(moment.minute),
    "ss": lambda moment: f"{moment.second:02}",
    "s": lambda moment: str(moment.second),
    **{"f" * digits: _fraction(digits) for digits in range(1, 8)},
    "K": _offset,
    "zzz": _offset,
}
