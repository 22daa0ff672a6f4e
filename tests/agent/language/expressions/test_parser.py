from __future__ import annotations

import time

import pytest

from sluice.language.expressions import (
    DEEPEST_EXPRESSION,
    LONGEST_EXPRESSION,
    ExpressionError,
    Phase,
    check_syntax,
    parse,
)
from sluice.language.expressions.nodes import Access, Call, Literal, Name


def error_of(text: str, phase: Phase = Phase.TEMPLATE) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text, phase=phase)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("3 + 4", "Unexpected symbol: '+'", 3),
        ("variables.x == 1", "Unexpected symbol: '=='", 13),
        ("unknown", "Unrecognized value: 'unknown'", 1),
        ("eq(1, nope())", "Unrecognized value: 'nope'", 7),
        ("and(true)", "Unexpected symbol: ')'", 9),
        ("not(1, 2)", "Unexpected symbol: ','", 6),
        ("eq(1, 2", "Unclosed function: 'eq'", 1),
        ("not(eq(1, 2)", "Unclosed function: 'not'", 1),
        ("eq(", "Unclosed function: 'eq'", 1),
        ("variables[", "Unclosed indexer: '['", 10),
        ("variables['a'", "Unclosed indexer: '['", 10),
        ("variables[*", "Unclosed indexer: '['", 10),
        ("variables['a')", "Unexpected symbol: ')'", 14),
        ("variables.", "Expected a property name to follow the dereference operator '.'", 10),
        ("variables.1", "Expected a property name to follow the dereference operator '.'", 10),
        ("eq 1", "Expected '(' to follow a function: 'eq'", 1),
        ("variables(1)", "Unexpected symbol: '('", 10),
        ("true(1)", "Unexpected symbol: '('", 5),
        ("eq(1,", "Unclosed function: 'eq'", 1),
        ("", "An expression was expected", 1),
        (" \n", "An expression was expected", 1),
    ],
)
def test_a_mistake_is_named_with_its_column(text: str, message: str, position: int) -> None:
    error = error_of(text)
    assert (error.message, error.position, error.expression) == (message, position, text)
    assert f"Located at position {error.position} within expression: {text}" in str(error)


def test_an_operator_is_answered_with_the_function() -> None:
    assert "eq(a, b)" in error_of("1 == 1").do
    assert "single quotes" in error_of('"x"').do


def test_a_misspelled_name_is_answered_with_the_nearest_one() -> None:
    assert error_of("contain('a', 'b')").do == "did you mean 'contains'?"
    assert error_of("toJson('x')").do == "did you mean 'convertToJson'?"
    assert error_of("success()", Phase.CONDITION).do == "did you mean 'succeeded'?"
    assert error_of("zzzzzz()").do == ""


def test_a_wrong_count_says_how_many_arguments_there_are() -> None:
    assert error_of("and(true)").why == "'and' takes 2 or more arguments"
    assert error_of("not()").why == "'not' takes 1 argument"
    assert error_of("counter(1, 2, 3)", Phase.RUNTIME).why == "'counter' takes 0 to 2 arguments"


def test_a_text_of_the_greatest_length_is_read_and_a_longer_one_refused() -> None:
    longest = "'" + "a" * (LONGEST_EXPRESSION - 2) + "'"
    assert isinstance(parse(longest, phase=Phase.TEMPLATE).root, Literal)
    error = error_of(longest + " ")
    assert error.message == f"Exceeded max expression length {LONGEST_EXPRESSION}"
    assert len(str(error)) < 1000


@pytest.mark.parametrize("opening", ["not(", "variables["])
@pytest.mark.parametrize("depth", [DEEPEST_EXPRESSION, 2000, 10_000])
def test_nesting_too_deep_is_refused_however_deep(opening: str, depth: int) -> None:
    assert error_of(opening * depth).message in {
        f"Exceeded max expression depth {DEEPEST_EXPRESSION}",
        f"Exceeded max expression length {LONGEST_EXPRESSION}",
    }


def test_a_chain_is_no_nesting() -> None:
    root = parse("variables" + ".a" * 10_000, phase=Phase.TEMPLATE).root
    assert isinstance(root, Access)
    assert len(root.accessors) == 10_000


def test_named_values_depend_on_the_phase() -> None:
    assert "Unrecognized" in error_of("dependencies.A").message
    assert "Unrecognized" in error_of("parameters.a", Phase.RUNTIME).message
    assert "Unrecognized" in error_of("stageDependencies.A", Phase.STAGE_CONDITION).message
    assert "Unrecognized" in error_of("dependencies.A", Phase.STEP_CONDITION).message
    assert isinstance(parse("stageDependencies.A", phase=Phase.CONDITION).root, Access)


def test_functions_depend_on_the_phase() -> None:
    assert "Unrecognized" in error_of("succeeded()", Phase.RUNTIME).message
    assert "Unrecognized" in error_of("counter()", Phase.TEMPLATE).message
    assert error_of("succeeded('A')", Phase.STEP_CONDITION).why == "'succeeded' takes 0 arguments"
    assert isinstance(parse("succeeded('A', 'B')", phase=Phase.CONDITION).root, Call)


def test_a_loop_variable_is_a_named_value_even_where_a_function_has_its_name() -> None:
    assert parse("Item", phase=Phase.TEMPLATE, names=frozenset({"item"})).root == Name("item", "Item", 1)
    expression = parse("join(',', join)", phase=Phase.TEMPLATE, names=frozenset({"Join"}))
    assert isinstance(expression.root, Call)
    assert expression.root.arguments[1] == Name("join", "join", 11)


def test_a_syntax_check_leaves_names_for_later() -> None:
    check_syntax("eq(nobody.knows, 1)", phase=Phase.TEMPLATE)
    with pytest.raises(ExpressionError, match="Unexpected symbol"):
        check_syntax("3 + 4", phase=Phase.TEMPLATE)


def test_the_nodes_come_in_the_order_of_the_text() -> None:
    expression = parse("eq(variables['x'].y, format('{0}', 1))", phase=Phase.TEMPLATE)
    found = [node.position for node in expression.nodes()]
    assert found == sorted(found)


def test_a_short_expression_is_parsed_once() -> None:
    assert parse("eq(1, 2)", phase=Phase.TEMPLATE) is parse("eq(1, 2)", phase=Phase.TEMPLATE)


def test_parsing_the_longest_texts_takes_little_time() -> None:
    started = time.perf_counter()
    for text in ("'" * 20999, "not(" * 5000, "a." * 10000, "[" * 21000, "'a" * 10000, "1." * 10000, "-" * 21000):
        error_of(text)
    assert time.perf_counter() - started < 5
