from __future__ import annotations

from typing import Any

import pytest

from sluice.language.expressions import Context, ExpressionError, Phase, Value, evaluate, parse
from sluice.secret import Secret


def value_of(text: str, phase: Phase = Phase.TEMPLATE, *, context: Context | None = None, **names: Any) -> Value:
    expression = parse(text, phase=phase, names=frozenset(names))
    return evaluate(expression, context or Context(names=names))


def test_replace_ignores_case_and_never_looks_at_what_it_put_in() -> None:
    assert value_of("replace('aAbB', 'a', 'aa')") == "aaaabB"
    assert value_of("replace('xABABx', 'abab', '')") == "xx"
    assert value_of("replace(x, 'E', '_')", x="\u00dfe\u0130E") == "\u00df_\u0130_"


def test_replacing_the_empty_text_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="The text to replace is empty"):
        value_of("replace('a', '', 'b')")


def test_splitting_takes_the_separator_as_a_whole() -> None:
    assert value_of("split('a, b,c', ', ')") == ("a", "b,c")
    assert value_of("split('abc', '')") == ("abc",)


def test_joining_takes_casts_items_and_leaves_complex_ones_empty() -> None:
    assert value_of("join('-', x)", x=[1, True, None, [2], {"a": 1}, "z"]) == "1-True----z"


def test_coalesce_gives_nothing_when_there_is_nothing() -> None:
    assert value_of("coalesce('', x)", x=None) == ""
    assert value_of("coalesce('', x)", x=False) is False


def test_unused_arguments_of_format_are_never_evaluated_and_used_ones_once() -> None:
    calls: list[tuple[str, int]] = []

    def counter(prefix: str, seed: int) -> int:
        calls.append((prefix, seed))
        return 5

    text = "format('{1}{1}', counter('unused', 1), counter('used', 2.9))"
    assert value_of(text, Phase.RUNTIME, context=Context(counter=counter)) == "55"
    assert calls == [("used", 2)]


def test_counter_has_defaults_for_both_arguments() -> None:
    context = Context(counter=lambda prefix, seed: len(prefix) + seed)
    assert value_of("counter()", Phase.RUNTIME, context=context) == 0
    assert value_of("counter(12)", Phase.RUNTIME, context=context) == 2


def test_counter_is_refused_where_nobody_counts_and_for_a_secret_prefix() -> None:
    with pytest.raises(ExpressionError, match="not available"):
        value_of("counter('a', 1)", Phase.RUNTIME)
    with pytest.raises(ExpressionError, match="must not be a secret"):
        value_of("counter(x)", Phase.RUNTIME, context=Context(names={"x": Secret("s")}, counter=max), x=0)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="Unable to convert from String to Number"):
        value_of("counter('a', 'b')", Phase.RUNTIME, context=Context(counter=lambda _, seed: seed))


def test_a_status_function_needs_a_status() -> None:
    assert value_of("always()", Phase.CONDITION) is True
    with pytest.raises(ExpressionError, match="The status is not known here"):
        value_of("failed()", Phase.CONDITION)


def test_contains_value_compares_as_eq_does_with_the_wanted_value_left() -> None:
    assert value_of("containsValue(x, 1)", x=["1.0"]) is True
    assert value_of("containsValue(x, '1')", x=["1.0"]) is False
    assert value_of("containsValue(x, y)", x={"k": None}, y=None) is True


def test_length_counts_members_or_code_units() -> None:
    assert value_of("length(x)", x="\U0001f600") == 2
    assert value_of("length(x)", x={"a": 1}) == 1
    assert value_of("length(12.50)") == 4
