"""Casts between kinds.

`as_...` answers None where there is no cast (Null aside, which always has one to Number and String); `to_...` raises.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from sluice.language.expressions.errors import ExpressionError, excerpt
from sluice.language.expressions.values import DateTime, FilteredArray, Kind, Number, Value, Version, kind_of
from sluice.secret import Secret

LARGEST_NUMBER = 79228162514264337593543950335
"""Numbers are 96-bit decimals with at most 28 decimals."""

_MOST_DIGITS = len(str(LARGEST_NUMBER))
_LARGEST_PART = 2147483647
_LONGEST_PART = 10
_WIDE = Context(prec=64)
_SMALLEST_STEP = Decimal("1e-28")
_PRINTED_STEP = Decimal("1e-7")
_BLANKS = "\t\n\v\f\r "
_NUMBER_TEXT = re.compile(r"[+-]?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)\Z")
_VERSION_TEXT = re.compile(r"[0-9]+(?:\.[0-9]+){1,3}\Z")


def unable(value: Value, target: Kind) -> ExpressionError:
    """The error for a cast that does not exist; a secret is not repeated in it."""
    return ExpressionError(
        f"Unable to convert from {kind_of(value).value} to {target.value}. Value: {excerpt(describe(value))}"
    )


def describe(value: Value) -> str:
    """A short text for messages and traces: collections by their kind, secrets as `***`."""
    if isinstance(value, Secret):
        return str(value)
    text = as_string(value)
    return text if text is not None else kind_of(value).value


def to_boolean(value: Value) -> bool:
    """False for null, 0 and the empty String; everything else is true, the text 'false' too."""
    if isinstance(value, bool):
        return value
    if value is None:
        return False
    if isinstance(value, str | Secret | int | float | Decimal):
        return bool(value)
    return True


def plain_number(text: str) -> Number | None:
    """The number written in plain decimal notation (checked before), None where it is out of range."""
    whole, period, _ = text.partition(".")
    if len(whole.lstrip("+-").lstrip("0")) > _MOST_DIGITS:
        return None
    if period:
        return _in_range(_WIDE.create_decimal(text))
    return as_number(int(text)) if len(whole) <= _MOST_DIGITS else _in_range(_WIDE.create_decimal(text))


def _in_range(number: Decimal) -> Decimal | None:
    if not number.is_finite() or abs(number) > LARGEST_NUMBER:
        return None
    exponent = number.as_tuple().exponent
    return number.quantize(_SMALLEST_STEP, context=_WIDE) if isinstance(exponent, int) and exponent < -28 else number


def as_number(value: Value) -> Number | None:
    """The number that `value` stands for; an empty String and null are 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -LARGEST_NUMBER <= value <= LARGEST_NUMBER else None
    if isinstance(value, Decimal):
        return _in_range(value)
    if isinstance(value, float):
        return _in_range(Decimal(repr(value)))
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, str):
        return _parse_number(value)
    return 0 if value is None else None


def _parse_number(text: str) -> Number | None:
    if not text:
        return 0
    text = text.strip(_BLANKS)
    if _NUMBER_TEXT.match(text) is None:
        return None
    return plain_number(text.replace(",", ""))


def to_number(value: Value) -> Number:
    """`as_number`, or the error that names the kinds."""
    number = as_number(value)
    if number is None:
        raise unable(value, Kind.NUMBER)
    return number


def as_string(value: Value) -> str | None:
    """The text of a value; collections have none. The text of a Secret is revealed: keep it secret."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int | float | Decimal):
        number = as_number(value)
        return None if number is None else _print_number(number)
    if isinstance(value, Version | DateTime):
        return str(value)
    return value.reveal() if isinstance(value, Secret) else None


def _print_number(number: Number) -> str:
    if isinstance(number, int):
        return str(number)
    rounded = number.quantize(_PRINTED_STEP, rounding=ROUND_HALF_UP, context=_WIDE)
    text = format(rounded, "f").rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_string(value: Value) -> str:
    """`as_string`, or the error that names the kinds; a Secret is a TypeError, see `to_text`."""
    if isinstance(value, Secret):
        raise TypeError("a Secret has no plain text here; use to_text")
    text = as_string(value)
    if text is None:
        raise unable(value, Kind.STRING)
    return text


def to_text(value: Value) -> str | Secret:
    """The text of a result: a Secret stays one."""
    return value if isinstance(value, Secret) else to_string(value)


def as_version(value: Value) -> Version | None:
    """The version that `value` stands for: its text must have two to four integer parts."""
    if isinstance(value, Version):
        return value
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal):
        value = as_string(value)
    return parse_version(value) if isinstance(value, str) else None


def parse_version(text: str) -> Version | None:
    """The version that `text` spells, if it is one."""
    if _VERSION_TEXT.match(text) is None:
        return None
    parts = [part.lstrip("0") for part in text.split(".")]
    if any(len(part) > _LONGEST_PART for part in parts):
        return None
    numbers = tuple(int(part or "0") for part in parts)
    return Version(numbers) if max(numbers) <= _LARGEST_PART else None


def to_version(value: Value) -> Version:
    """`as_version`, or the error that names the kinds."""
    version = as_version(value)
    if version is None:
        raise unable(value, Kind.VERSION)
    return version


def conceal(value: Value) -> Value:
    """`value` with every text in it made a Secret."""
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, list | tuple):
        concealed = tuple(conceal(item) for item in value)
        return FilteredArray(concealed) if isinstance(value, FilteredArray) else concealed
    return value
