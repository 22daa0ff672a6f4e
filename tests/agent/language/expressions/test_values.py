from __future__ import annotations

from collections import UserList
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest

from sluice.language.expressions import DateTime, FilteredArray, Kind, Object, Value, Version, kind_of
from sluice.language.expressions.values import MISSING, find
from sluice.secret import Secret


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, Kind.BOOLEAN),
        (None, Kind.NULL),
        (1, Kind.NUMBER),
        (1.5, Kind.NUMBER),
        (Decimal(1), Kind.NUMBER),
        ("", Kind.STRING),
        (Text("x"), Kind.STRING),
        (Secret("x"), Kind.STRING),
        (Version((1, 2)), Kind.VERSION),
        (DateTime(datetime(2024, 1, 1, tzinfo=UTC)), Kind.DATETIME),
        ([], Kind.ARRAY),
        ((), Kind.ARRAY),
        (UserList([1]), Kind.ARRAY),
        (FilteredArray(), Kind.ARRAY),
        ({}, Kind.OBJECT),
        (MappingProxyType({}), Kind.OBJECT),
        (Object(), Kind.OBJECT),
    ],
)
def test_a_value_has_its_kind(value: Value, kind: Kind) -> None:
    assert kind_of(value) is kind


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes is not a value"):
        kind_of(b"x")


def test_an_object_ignores_case_and_keeps_the_first_spelling_and_the_last_value() -> None:
    pairs = Object([("Key", 1), ("other", 2), ("KEY", 3)])
    assert list(pairs.items()) == [("Key", 3), ("other", 2)]
    assert (pairs["kEy"], len(pairs), "OTHER" in pairs, "x" in pairs) == (3, 2, True, False)
    assert repr(pairs) == "Object({'Key': 3, 'other': 2})"


def test_finding_in_a_plain_mapping_ignores_case_but_an_exact_name_goes_first() -> None:
    mapping: dict[str, Value] = {"A": 1, "a": None}
    assert (find(mapping, "A"), find(mapping, "a"), find({"Bc": 2}, "bC")) == (1, None, 2)
    assert find(mapping, "b") is MISSING


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        DateTime(datetime(2024, 1, 1))  # noqa: DTZ001
