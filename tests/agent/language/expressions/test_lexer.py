from __future__ import annotations

from decimal import Decimal

import pytest

from sluice.language.expressions.lexer import TokenKind, tokens
from sluice.language.expressions.values import Version


def kinds(text: str) -> list[str]:
    return [token.kind.value for token in tokens(text)]


def test_every_piece_of_a_call_is_a_token_with_its_column() -> None:
    found = [(token.text, token.position) for token in tokens("eq( a.b ,'x''y')")]
    assert found == [("eq", 1), ("(", 3), ("a", 5), (".", 6), ("b", 7), (",", 9), ("'x''y'", 10), (")", 16), ("", 17)]


def test_a_period_starts_a_number_only_where_a_value_may_start() -> None:
    assert kinds(".5") == ["literal", "end"]
    assert kinds("(.5") == ["(", "literal", "end"]
    assert kinds("[.5") == ["[", "literal", "end"]
    assert kinds(",.5") == [",", "literal", "end"]
    assert kinds("a.5") == ["word", ".", "literal", "end"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0012", -12),
        ("1.", Decimal(1)),
        ("-.50", Decimal("-0.5")),
        ("79228162514264337593543950335", 79228162514264337593543950335),
        ("1.2.3", Version((1, 2, 3))),
        ("1.2.3.2147483647", Version((1, 2, 3, 2147483647))),
        ("'a''b'", "a'b"),
        ("tRUE", True),
    ],
)
def test_a_literal_has_its_value(text: str, value: object) -> None:
    (literal, _) = tokens(text)
    assert (literal.kind, literal.value) == (TokenKind.LITERAL, value)


@pytest.mark.parametrize(
    "text",
    [
        "79228162514264337593543950336",
        "9" * 20000,
        "1.2.3.2147483648",
        "1.2." + "9" * 20000,
        "-",
        "1-2",
        "-1.2.3",
        "+1",
        "a-b",
        "'open",
        '"x"',
        "==",
        "\u0661",
        "caf\u00e9",
    ],
)
def test_what_is_no_token_is_unexpected_as_a_whole(text: str) -> None:
    (token, _) = tokens(text)
    assert (token.kind, token.text) == (TokenKind.UNEXPECTED, text)
