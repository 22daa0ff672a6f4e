from __future__ import annotations

import pytest

from sluice.language.expressions import (
    Context,
    DependencyStatus,
    ExpressionError,
    Object,
    Phase,
    StepStatus,
    Value,
    evaluate_condition,
)
from sluice.secret import Secret


def traced(text: str, context: Context) -> list[str]:
    lines: list[str] = []
    evaluate_condition(text, context, trace=lines.append)
    return lines


def test_nothing_written_is_succeeded() -> None:
    for text in ("", "  \n"):
        assert evaluate_condition(text, Context(status=StepStatus("Succeeded"))) is True
        assert evaluate_condition(text, Context(status=StepStatus("Failed"))) is False


def test_a_condition_without_a_status_is_refused() -> None:
    with pytest.raises(ExpressionError, match="needs the status"):
        evaluate_condition("true", Context())


def test_a_stage_condition_may_not_read_the_jobs_of_other_stages() -> None:
    context = Context(status=DependencyStatus(phase=Phase.STAGE_CONDITION))
    assert evaluate_condition("eq(dependencies.A.result, '')", context) is True
    with pytest.raises(ExpressionError, match="Unrecognized value: 'stageDependencies'"):
        evaluate_condition("stageDependencies.A.B.result", context)


def test_the_trace_shows_what_was_read_and_the_result() -> None:
    names = {"variables": Object({"Build.Reason": "Man'ual", "n": "7"})}
    text = "and(succeeded(), eq(variables['Build.Reason'], 'x'), gt(variables.n, 1.5))"
    assert traced(text, Context(names=names, status=StepStatus())) == [
        f"Evaluating: {text}",
        "Expanded: and(True, eq('Man''ual', 'x'), gt(variables['n'], 1.5))",
        "Result: False",
    ]


def test_the_trace_shows_null_and_collections_by_their_kind_and_secrets_not_at_all() -> None:
    names: dict[str, Value] = {"variables": {"s": Secret("hunter2")}, "dependencies": {"A": {"outputs": {}}}}
    text = "or(eq(variables.s, ''), eq(variables.none, '-'), eq(dependencies.*, dependencies.A.outputs[*]), 'x', failed('A'))"
    context = Context(names=names, status=DependencyStatus())
    assert traced(text, context)[1] == "Expanded: or(eq(***, ''), eq(Null, '-'), eq(Array, Array), 'x', failed('A'))"


def test_the_trace_of_the_default_is_that_of_succeeded() -> None:
    assert traced("", Context(status=StepStatus())) == ["Evaluating: succeeded()", "Expanded: True", "Result: True"]


def test_the_trace_writes_what_was_never_read_as_it_was_asked() -> None:
    text = "and(false, eq(split(variables['x'], ',')[variables.i].*, 1))"
    expanded = "Expanded: and(false, eq(split(variables['x'], ',')[variables['i']][*], 1))"
    assert traced(text, Context(status=StepStatus()))[1] == expanded
