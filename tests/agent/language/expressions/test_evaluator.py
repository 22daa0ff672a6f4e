from __future__ import annotations

import time
from typing import Any

import pytest

from sluice.language.expressions import (
    Context,
    ExpressionError,
    FilteredArray,
    MemoryExceededError,
    Phase,
    Value,
    evaluate,
    parse,
)
from sluice.secret import Secret


def value_of(text: str, phase: Phase = Phase.TEMPLATE, *, context: Context | None = None, **names: Any) -> Value:
    expression = parse(text, phase=phase, names=frozenset(names))
    return evaluate(expression, context or Context(names=names))


def test_a_name_of_any_case_is_found_in_names_of_any_case() -> None:
    assert value_of("ITEM", Item="x") == "x"
    assert value_of("Parameters.A", PARAMETERS={"a": 1}) == 1


def test_a_named_value_that_is_not_there_is_null() -> None:
    assert value_of("dependencies.A.outputs['x.y']", Phase.RUNTIME) is None


def test_a_loop_variable_is_bound_over_the_names_there_are() -> None:
    context = Context(names={"parameters": {"a": "1"}}).bind("Item", {"key": "k"})
    expression = parse("format('{0}{1}', item.key, parameters.a)", phase=Phase.TEMPLATE, names=frozenset({"item"}))
    assert evaluate(expression, context) == "k1"


def test_an_undeclared_parameter_is_an_error_where_it_is_evaluated() -> None:
    for text in ("parameters.foo", "parameters['foo'].bar", "coalesce(parameters.foo, 'x')"):
        with pytest.raises(ExpressionError) as caught:
            value_of(text, parameters={"bar": 1})
        assert caught.value.message == "Key not found 'foo'"
        assert caught.value.position == text.index("parameters") + 1
    assert value_of("and(false, parameters.foo)", parameters={}) is False
    assert value_of("parameters.obj.foo", parameters={"obj": {}}) is None
    assert value_of("parameters.*", parameters={"a": 1}) == FilteredArray((1,))


def test_an_undeclared_parameter_is_null_where_the_context_says_so() -> None:
    context = Context(names={"parameters": {}}, refuse_undeclared=False)
    assert value_of("coalesce(parameters.foo, parameters.bar, 'text')", context=context) == "text"


def test_a_declared_parameter_may_be_null() -> None:
    assert value_of("parameters.a", parameters={"a": None}) is None


def test_members_of_arrays() -> None:
    items = ["a", "b"]
    assert value_of("x[1]", x=items) == "b"
    assert value_of("x['0']", x=items) == "a"
    assert value_of("x[0.9]", x=items) == "a"
    for index in ("2", "-1", "-0.5", "'y'", "79228162514264337593543950335", "1.2.3"):
        assert value_of(f"x[{index}]", x=items) is None


def test_members_of_objects() -> None:
    pairs = {"1": "one", "": "nothing"}
    assert value_of("x[1]", x=pairs) == "one"
    assert value_of("x[y]", x=pairs, y=None) == "nothing"
    assert value_of("x[y]", x=pairs, y=[]) is None


def test_filtered_arrays_drop_what_has_no_such_member() -> None:
    data = [{"a": [1, 2]}, {"a": None}, {"b": 1}, "text", [{"a": 3}]]
    assert value_of("x.*.a", x=data) == FilteredArray(([1, 2], None))
    assert value_of("x.*.a[0]", x=data) == FilteredArray((1,))
    assert value_of("x.*.*", x=data) == FilteredArray(([1, 2], None, 1, {"a": 3}))
    assert value_of("x.*", x="text") == FilteredArray()
    assert value_of("x.*.a.b.c[9].*", x=None) == FilteredArray()


def test_an_error_names_the_innermost_call_and_the_expression() -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of("not(eq(1, lower(x)))", x=[])
    assert caught.value.what == (
        "Unable to convert from Array to String. Value: Array. "
        "Located at position 11 within expression: not(eq(1, lower(x)))"
    )


def test_a_text_made_of_a_secret_is_secret() -> None:
    secret = Secret("s3")
    for text, expected in {
        "x": "s3",
        "upper(x)": "S3",
        "format('<{0}>', x)": "<s3>",
        "format('<{0}>', lower(x))": "<s3>",
        "join(x, y)": "1s32",
        "join(',', z)": "a,s3",
        "replace('abc', 'b', x)": "as3c",
        "trim(x)": "s3",
        "coalesce('', x)": "s3",
        "iif(true, x, '')": "s3",
        "split(x, '3')[0]": "s",
        "convertToJson(z)": '[\n  "a",\n  "s3"\n]',
        "z[1]": "s3",
    }.items():
        assert value_of(text, x=secret, y=["1", "2"], z=["a", secret]) == Secret(expected), text


def test_an_answer_about_a_secret_is_none() -> None:
    names: dict[str, Any] = {"x": Secret("s3"), "z": [Secret("s3")]}
    assert value_of("eq(x, 'S3')", **names) is True
    assert value_of("length(x)", **names) == 2
    assert value_of("containsValue(z, 's3')", **names) is True
    assert value_of("format('{0}', contains(x, 's'))", **names) == "True"
    assert value_of("iif(startsWith(x, 's'), 'yes', 'no')", **names) == "yes"


def test_a_secret_is_in_no_message() -> None:
    for text in ("lt(1, x)", "format(x)", "format('{0:yyyy}', x)", "parameters[x]", "gt(1, format('{0}', x))"):
        with pytest.raises(ExpressionError) as caught:
            value_of(text, x=Secret("hunter2{"), parameters={})
        assert "hunter2" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "text",
    [
        "format('{0}{0}{0}{0}', x)",
        "join(x, y)",
        "replace(x, 'a', x)",
        "convertToJson(z)",
        "split(x, 'a')",
        "replace(replace(replace(w, 'a', w), 'a', w), 'a', w)",
        "length(join(',', z.*.*.*.*))",
    ],
)
def test_a_result_that_would_be_too_large_is_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    wide: list[Value] = ["x"] * 60
    for _ in range(5):
        wide = [wide] * 60
    with pytest.raises(MemoryExceededError) as caught:
        value_of(text, w="a" * 300, x="a" * 3_000_000, y=["", "", "", "", ""], z=wide)
    assert str(caught.value) == (
        f"The maximum allowed memory size was exceeded while evaluating the following expression: {text}"
    )
    assert time.perf_counter() - started < 5


def test_the_memory_is_set_by_the_context() -> None:
    context = Context(names={"x": "abc"}, maximum_memory=10)
    assert value_of("upper(x)", context=context.bind("x", "abc"), x=0) == "ABC"
    with pytest.raises(MemoryExceededError):
        value_of("upper(lower(x))", context=context, x=0)
