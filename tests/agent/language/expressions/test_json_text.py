from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.language.expressions import Object, Value, convert_to_json
from sluice.secret import Secret

trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(trees)
def test_the_text_reads_back_as_the_value(tree: Any) -> None:
    text = convert_to_json(tree)
    assert isinstance(text, str)
    assert json.loads(text) == tree


@given(trees)
def test_the_text_is_indented_by_two_blanks(tree: Any) -> None:
    expected = json.dumps(tree, indent=2, ensure_ascii=False)
    if not any(separator in expected for separator in "\u0085\u2028\u2029"):
        assert convert_to_json(tree) == expected


def test_scalars_have_their_json_form() -> None:
    value: Value = Object({"b": True, "n": Decimal("1.50"), "z": None, "t": 'a\u2028"\n', "e": [], "o": {}})
    assert convert_to_json(value) == (
        '{\n  "b": true,\n  "n": 1.5,\n  "z": null,\n  "t": "a\\u2028\\"\\n",\n  "e": [],\n  "o": {}\n}'
    )


def test_a_secret_inside_makes_the_whole_text_secret() -> None:
    text = convert_to_json({"a": [Secret("x")]})
    assert text == Secret('{\n  "a": [\n    "x"\n  ]\n}')


def test_deep_nesting_is_no_recursion() -> None:
    tree: list[Any] = []
    for _ in range(2000):
        tree = [tree]
    text = convert_to_json(tree)
    assert isinstance(text, str)
    assert text.count("[") == 2001
