from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sluice.language.expressions import (
    DateTime,
    ExpressionError,
    FilteredArray,
    Object,
    Value,
    Version,
    as_number,
    as_string,
    as_version,
    to_boolean,
    to_number,
    to_string,
    to_text,
    to_version,
)
from sluice.language.expressions.casts import LARGEST_NUMBER, conceal
from sluice.secret import Secret

MOMENT = DateTime(datetime(2024, 3, 5, 7, 8, 9, 500000, tzinfo=UTC))


@pytest.mark.parametrize("value", [None, "", 0, Decimal("0.0"), 0.0, False, Secret("")])
def test_empty_things_are_false(value: Value) -> None:
    assert to_boolean(value) is False


@pytest.mark.parametrize("value", ["false", "0", -1, 0.1, [], {}, Object(), Version((0, 0)), MOMENT, Secret("false")])
def test_everything_else_is_true(value: Value) -> None:
    assert to_boolean(value) is True


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("", 0),
        (" +1,0,00.50 ", Decimal("1000.5")),
        ("1.", 1),
        (".5", Decimal("0.5")),
        ("-0", 0),
        ("1,", 1),
        (True, 1),
        (None, 0),
        (1.1, Decimal("1.1")),
        (Secret("7"), 7),
        ("0." + "0" * 30 + "1", 0),
        (str(LARGEST_NUMBER), LARGEST_NUMBER),
        ("0" * 30000 + "1", 1),
    ],
)
def test_a_number_is_read(value: Value, number: object) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        " ", ",1", ".", "1 2", "1e3", "0x1", "$1", "1-", "--1", "\u0661", "\xa01",
        str(LARGEST_NUMBER + 1), "9" * 30000, 10**40, float("nan"), float("inf"), Decimal("NaN"), Decimal("1e50"),
        Version((1, 2)), MOMENT, [], {},
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(value: Value) -> None:
    assert as_number(value) is None
    with pytest.raises(ExpressionError, match=r"Unable to convert from \w+ to Number"):
        to_number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (False, "False"),
        (None, ""),
        (Decimal("1.50"), "1.5"),
        (Decimal("1e3"), "1000"),
        (Decimal("0.12345678"), "0.1234568"),
        (Decimal("0.00000005"), "0.0000001"),
        (Decimal("-0.00000001"), "0"),
        (0.1, "0.1"),
        (-LARGEST_NUMBER, str(-LARGEST_NUMBER)),
        (Version((1, 2, 3)), "1.2.3"),
        (MOMENT, "2024-03-05 07:08:09+00:00"),
    ],
)
def test_a_value_has_its_text(value: Value, text: str) -> None:
    assert to_string(value) == text


@pytest.mark.parametrize(("value", "kind"), [([], "Array"), (FilteredArray(), "Array"), ({"a": 1}, "Object")])
def test_a_collection_has_no_text(value: Value, kind: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        to_string(value)
    assert caught.value.message == f"Unable to convert from {kind} to String. Value: {kind}"


def test_a_number_out_of_range_has_no_text() -> None:
    assert as_string(10**5000) is None
    with pytest.raises(ExpressionError, match="from Number to String"):
        to_string(float("inf"))


@pytest.mark.parametrize(
    ("value", "parts"),
    [("1.2", (1, 2)), ("01.2.3.004", (1, 2, 3, 4)), (Decimal("1.5"), (1, 5)), (Secret("1.2"), (1, 2)), ("0.0", (0, 0))],
)
def test_a_version_is_read(value: Value, parts: tuple[int, ...]) -> None:
    assert to_version(value).parts == parts


@pytest.mark.parametrize("value", ["1", "1.2.3.4.5", "1.a", " 1.2", "1.-2", "2147483648.0", "1." + "9" * 9999, 1, True, None, [], {}, MOMENT])  # fmt: skip
def test_what_is_no_version_is_refused(value: Value) -> None:
    assert as_version(value) is None
    with pytest.raises(ExpressionError, match="to Version"):
        to_version(value)


def test_a_secret_is_not_in_the_message() -> None:
    with pytest.raises(ExpressionError) as caught:
        to_number(Secret("hunter2"))
    assert caught.value.message == "Unable to convert from String to Number. Value: ***"


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ExpressionError) as caught:
        to_number("x" * 100_000)
    assert len(str(caught.value)) < 1000


def test_a_secret_stays_one_as_text() -> None:
    secret = Secret("x")
    assert to_text(secret) is secret
    assert to_text(True) == "True"
    with pytest.raises(TypeError):
        to_string(secret)


def test_every_text_in_a_value_can_be_made_secret() -> None:
    assert conceal(("a", ["b"], 1, FilteredArray(("c",)))) == (Secret("a"), (Secret("b"),), 1, (Secret("c"),))
