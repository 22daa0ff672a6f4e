from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from sluice.language.expressions import DateTime, ExpressionError
from sluice.language.expressions.formatting import format_pieces, format_value

MOMENT = DateTime(datetime(2009, 8, 5, 9, 7, 3, 123456, tzinfo=timezone(-timedelta(hours=3, minutes=30))))


def formatted(template: str, *values: str) -> str:
    return "".join(format_pieces(template, template, len(values), values.__getitem__, str))


@pytest.mark.parametrize(
    ("specifiers", "text"),
    [
        ("yyyy yy M MM d dd", "2009 09 8 08 5 05"),
        ("H HH m mm s ss", "9 09 7 07 3 03"),
        ("f ff fff ffff fffff ffffff fffffff", "1 12 123 1234 12345 123456 1234560"),
        ("K zzz", "-03:30 -03:30"),
        ("yyyyMMddHHmmss", "20090805090703"),
        ("\\y\\\\yy", "y\\09"),
    ],
)
def test_a_moment_is_written_by_specifiers(specifiers: str, text: str) -> None:
    assert format_value(MOMENT, specifiers) == text


@pytest.mark.parametrize(
    "specifiers", ["yyy", "y", "MMM", "ddd", "tt", "h", "-", "yyyy-MM", "z", "ffffffff", "\\", "}"]
)
def test_other_specifiers_are_refused(specifiers: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        format_value(MOMENT, specifiers)
    assert caught.value.message == (
        f"The format specifiers '{specifiers}' are not valid for objects of type 'DateTime'"
    )


def test_specifiers_are_for_moments_only() -> None:
    with pytest.raises(ExpressionError, match="'yyyy' are not valid for objects of type 'String'"):
        format_value("2009", "yyyy")


def test_a_doubled_brace_in_specifiers_is_one() -> None:
    with pytest.raises(ExpressionError, match="specifiers 'a}b'"):
        formatted("{0:a}}b}", "x")


@pytest.mark.parametrize(
    ("template", "text"),
    [("", ""), ("}}{{", "}{"), ("{0}{1}{0}", "aba"), ("{0:}", "a"), ("{{{0}}}", "{a}"), ("{000}", "a")],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    assert formatted(template, "a", "b") == text


@pytest.mark.parametrize(
    "template", ["{", "}", "a{b", "{0", "{0:x", "{ 0}", "{0 }", "{x}", "{256}", "{0000}", "{-1}", "{{}"]
)
def test_a_broken_template_is_refused(template: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        formatted(template, "a")
    assert caught.value.message == f"The following format string is invalid: {template}"


def test_an_index_past_the_values_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"references more arguments than were supplied: \{1\}"):
        formatted("{1}", "a")
