"""Override parameters: what is written, and in which type it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_azure._override_parameters import override, parse, typed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("-a b", [("a", "b")]),
        ("  -a   b\n -c\td ", [("a", "b"), ("c", "d")]),
        ('-name "a b" -n 3', [("name", "a b"), ("n", "3")]),
        ("-flag -other x", [("flag", ""), ("other", "x")]),
        ("-n -5", [("n", "-5")]),
        ('-o {"a": [1, 2], "b": "x y"} -p q', [("o", '{"a": [1, 2], "b": "x y"}'), ("p", "q")]),
        ('-o "{\\"a\\": 1}"', [("o", '{\\"a\\": 1}')]),
        ("-s 'a b'", [("s", "'a b'")]),
        ('-p "-x"', [("p", "-x")]),
        ("-u https://x.example/?a=(b c)", [("u", "https://x.example/?a=(b c)")]),
    ],
)
def test_names_and_values(text: str, found: list[tuple[str, str]]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("value", "kind", "sent"),
    [
        ("3", "int", 3),
        ("true", "Bool", True),
        ('{"a": 1}', "object", {"a": 1}),
        ("[1]", "Array", [1]),
        ("nonsense", "int", "nonsense"),
        ("a\\tb", "string", "a\tb"),
        ('a \\"quoted\\" word', "securestring", 'a "quoted" word'),
        ('a "quoted" word', "string", 'a "quoted" word'),
        ("C:\\Users", "string", "C:\\Users"),
    ],
)
def test_values_are_sent_in_the_type_of_the_template(value: str, kind: str, sent: Any) -> None:
    assert typed(value, kind) == sent


def test_what_the_template_does_not_have_is_told() -> None:
    template = {"parameters": {"size": {"type": "int"}}}
    merged, unknown = override("-size 3 -colour blue", template, {"size": {"value": 1}, "kept": {"value": 2}})
    assert merged == {"size": {"value": 3}, "kept": {"value": 2}, "colour": {"value": "blue"}}
    assert unknown == ["colour"]


@given(st.text(alphabet="-ab \t\"'\\({[]})\n1", max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for name, value in parse(text):
        assert isinstance(typed(value, "string"), str)
        assert isinstance(name, str)


@given(
    st.lists(
        st.tuples(st.from_regex("[a-z]{1,8}", fullmatch=True), st.from_regex("[A-Za-z0-9 .]{0,12}", fullmatch=True))
    )
)
def test_what_is_quoted_comes_out_as_it_went_in(pairs: list[tuple[str, str]]) -> None:
    assert parse(" ".join(f'-{name} "{value}"' for name, value in pairs)) == pairs
