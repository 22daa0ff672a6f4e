"""Equality and order: the kind of the left value decides."""

from __future__ import annotations

from sluice.language.expressions.casts import (
    as_number,
    as_string,
    as_version,
    to_boolean,
    to_number,
    to_version,
    unable,
)
from sluice.language.expressions.ordinal import fold, order
from sluice.language.expressions.values import DateTime, Kind, Value, kind_of
from sluice.secret import Secret


def equals(left: Value, right: Value) -> bool:
    """`eq`: the right value cast to the kind of the left one; false where there is no cast."""
    kind = kind_of(left)
    if kind is Kind.STRING:
        return _same_text(left, right)
    if kind is Kind.BOOLEAN:
        return left is to_boolean(right)
    if kind is Kind.NUMBER:
        number = as_number(right)
        return number is not None and as_number(left) == number
    if kind is Kind.NULL:
        return right is None or is_empty_text(right)
    if kind is Kind.VERSION:
        return left == as_version(right)
    if kind is Kind.DATETIME:
        return left == right
    return left is right


def _same_text(left: Value, right: Value) -> bool:
    first, second = as_string(left), as_string(right)
    if first is None or second is None:
        return False
    return first == second or (len(first) == len(second) and fold(first) == fold(second))


def is_empty_text(value: Value) -> bool:
    """Whether it is the empty String."""
    return isinstance(value, str | Secret) and not value


def compare(left: Value, right: Value) -> int:
    """`lt`, `le`, `gt`, `ge`: below 0, 0 or above 0; ExpressionError where there is no cast."""
    kind = kind_of(left)
    if kind is Kind.STRING:
        return _compare_texts(left, right)
    if kind is Kind.BOOLEAN:
        return to_boolean(left) - to_boolean(right)
    if kind is Kind.VERSION:
        first, second = to_version(left).parts, to_version(right).parts
        return (first > second) - (first < second)
    if isinstance(left, DateTime):
        if not isinstance(right, DateTime):
            raise unable(right, Kind.DATETIME)
        return (left.moment > right.moment) - (left.moment < right.moment)
    smaller, larger = to_number(left), to_number(right)
    return (smaller > larger) - (smaller < larger)


def _compare_texts(left: Value, right: Value) -> int:
    first, second = as_string(left), as_string(right)
    if first is None or second is None:
        raise unable(right if second is None else left, Kind.STRING)
    first_key, second_key = order(first), order(second)
    return (first_key > second_key) - (first_key < second_key)
