"""Whatever comes in, an answer or an ExpressionError comes out."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.language.expressions import (
    Context,
    DateTime,
    DependencyStatus,
    Expression,
    ExpressionError,
    Phase,
    Version,
    check_syntax,
    evaluate,
    kind_of,
    parse,
    to_boolean,
)
from sluice.language.expressions.functions import functions_of
from sluice.secret import Secret

NAMES = ("parameters", "variables", "dependencies", "stageDependencies", "pipeline", "item")
FUNCTIONS = sorted({function.name for phase in Phase for function in functions_of(phase).values()})

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.text().map(Secret),
    st.just(Version((1, 2, 3))),
    st.just(DateTime(datetime(2024, 1, 1, tzinfo=UTC))),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abK"), inner, max_size=3),
    max_leaves=8,
)
fragments = st.sampled_from(
    [
        *NAMES,
        *FUNCTIONS,
        *"()[],.*' -0",
        "''",
        "'a'",
        "'{0}'",
        "'{0:yyyy}'",
        "1.5",
        "1.2.3",
        "true",
        ".a",
        "['b']",
        "[*]",
    ]
)
literals = st.sampled_from(["true", "0", "-1.5", "1.2.3", "''", "'a'", "'1'", "'{0}{1}'", "'{0:yy}'", "'b,a'"])


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, min_size=0, max_size=3).map(",".join)
    call = st.builds("{}({})".format, st.sampled_from(FUNCTIONS), arguments)
    member = st.sampled_from([".a", ".K", "[0]", "['b']", ".*", "[*].k"])
    return st.one_of(call, call, st.builds("{}{}".format, call | st.sampled_from(NAMES), member))


expressions = st.recursive(literals | st.sampled_from(NAMES), calls, max_leaves=8)


def parsed(text: str, phase: Phase) -> Expression | ExpressionError:
    try:
        return parse(text, phase=phase, names=frozenset({"item"}))
    except ExpressionError as error:
        return error


@given(st.one_of(st.text(), st.lists(fragments, max_size=30).map("".join)), st.sampled_from(Phase))
def test_any_text_is_parsed_or_refused(text: str, phase: Phase) -> None:
    with suppress(ExpressionError):
        check_syntax(text, phase=phase)
    expression = parsed(text, phase)
    if isinstance(expression, ExpressionError):
        assert 1 <= expression.position <= len(text) + 1
    else:
        assert all(1 <= node.position <= len(text) for node in expression.nodes())


@settings(max_examples=300)
@given(expressions, st.sampled_from(Phase), st.fixed_dictionaries(dict.fromkeys(NAMES, values)))
def test_any_expression_over_any_values_has_a_value_or_is_refused(
    text: str, phase: Phase, names: dict[str, Any]
) -> None:
    context = Context(names=names, counter=lambda _, seed: seed, status=DependencyStatus(), refuse_undeclared=False)
    with suppress(ExpressionError):
        value = evaluate(parse(text, phase=phase, names=frozenset({"item"})), context)
        kind_of(value)
        assert isinstance(to_boolean(value), bool)


@given(expressions, st.fixed_dictionaries(dict.fromkeys(NAMES, values)))
def test_an_expression_has_one_value(text: str, names: dict[str, Any]) -> None:
    context = Context(names=names)
    with suppress(ExpressionError):
        expression = parse(f"convertToJson({text})", phase=Phase.TEMPLATE, names=frozenset({"item"}))
        assert evaluate(expression, context) == evaluate(expression, context)
