"""Conditions: whether a step, job or stage runs."""

from __future__ import annotations

from collections.abc import Callable

from sluice.language.expressions.casts import to_boolean
from sluice.language.expressions.context import Context
from sluice.language.expressions.errors import ExpressionError
from sluice.language.expressions.evaluator import evaluate
from sluice.language.expressions.parser import parse
from sluice.language.expressions.trace import TracedEvaluation

DEFAULT_CONDITION = "succeeded()"


def evaluate_condition(text: str, context: Context, *, trace: Callable[[str], None] | None = None) -> bool:
    """Whether the condition holds; '' is `succeeded()`. The status in `context` tells what kind of condition it is.

    `trace` gets the lines that explain the answer.
    """
    if context.status is None:
        raise ExpressionError("A condition needs the status of what comes before")
    expression = parse(text if text.strip() else DEFAULT_CONDITION, phase=context.status.phase)
    if trace is None:
        return to_boolean(evaluate(expression, context))
    evaluation = TracedEvaluation(expression, context)
    result = evaluation.result()
    for line in evaluation.lines(result):
        trace(line)
    return to_boolean(result)
