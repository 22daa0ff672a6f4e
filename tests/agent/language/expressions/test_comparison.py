from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.language.expressions import DateTime, ExpressionError, Value, Version
from sluice.language.expressions.comparison import compare, equals
from sluice.secret import Secret

EARLY = DateTime(datetime(2024, 1, 1, tzinfo=UTC))
LATE = DateTime(datetime(2024, 1, 2, tzinfo=UTC))

texts = st.text()
numbers = st.integers(-(10**28), 10**28) | st.decimals(-(10**6), 10**6, places=6)
versions = st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=4).map(lambda parts: Version(tuple(parts)))
same_kind = st.one_of(
    *(st.tuples(one, one, one) for one in (texts, numbers, versions, st.booleans())),
)


@given(same_kind)
def test_values_of_one_kind_are_in_order(values: tuple[Value, Value, Value]) -> None:
    first, second, third = values
    assert compare(first, second) == -compare(second, first)
    assert (compare(first, second) == 0) is equals(first, second)
    if compare(first, second) <= 0 and compare(second, third) <= 0:
        assert compare(first, third) <= 0


@given(st.one_of(texts, numbers, versions, st.booleans(), st.none()))
def test_a_value_equals_itself(value: Value) -> None:
    assert equals(value, value)


def test_a_collection_equals_only_the_very_same_one() -> None:
    items: list[Value] = []
    assert equals(items, items)
    assert not equals(items, [])
    assert not equals({}, {})
    assert not equals(None, items)


def test_moments_compare_with_moments_only() -> None:
    shifted = DateTime(EARLY.moment.astimezone(timezone(timedelta(hours=2))))
    assert equals(EARLY, shifted)
    assert not equals(EARLY, str(EARLY))
    assert compare(EARLY, LATE) < 0 < compare(LATE, EARLY)
    with pytest.raises(ExpressionError, match="Unable to convert from String to DateTime"):
        compare(EARLY, "2024")


def test_a_secret_compares_by_its_text() -> None:
    assert equals(Secret("Abc"), "aBC")
    assert equals("abc", Secret("ABC"))
    assert equals(None, Secret(""))
    assert equals(1, Secret("1.0"))
    assert compare(Secret("b"), "A") > 0
    with pytest.raises(ExpressionError) as caught:
        compare(1, Secret("hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_left_value_that_has_no_order_is_taken_as_a_number() -> None:
    assert compare(None, Decimal("0.5")) < 0
    with pytest.raises(ExpressionError, match="Array to Number"):
        compare([], 1)


@pytest.mark.parametrize(("left", "right"), [("a", []), (1, "x"), (Version((1, 2)), True)])
def test_order_without_a_cast_is_an_error_where_equality_is_false(left: Value, right: Value) -> None:
    assert not equals(left, right)
    with pytest.raises(ExpressionError, match="Unable to convert"):
        compare(left, right)
