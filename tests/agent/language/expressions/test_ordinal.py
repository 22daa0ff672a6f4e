from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.language.expressions.ordinal import fold, length, lower, order


@given(st.text())
def test_folding_keeps_the_length_and_changes_nothing_when_done_again(text: str) -> None:
    assert len(fold(text)) == len(lower(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(), st.text())
def test_texts_are_folded_character_by_character(first: str, second: str) -> None:
    assert fold(first + second) == fold(first) + fold(second)
    assert lower(first + second) == lower(first) + lower(second)


def test_letters_that_would_become_several_or_ascii_are_left_alone() -> None:
    assert fold("\u00df\u0131\u017f\u00e9") == "\u00df\u0131\u017f\u00c9"
    assert lower("\u03a3\u03a3") == "\u03c3\u03c3"
    assert lower("\u0130A") == "\u0130a"


def test_order_and_length_count_code_units() -> None:
    assert order("_") > order("a")
    assert order("\U0001f600") < order("\uffee")
    assert (length("ab"), length("\u00e9"), length("\U0001f600")) == (2, 1, 2)
