"""Success criteria of checks that ask a service: an expression over `root`, the JSON that the service answered."""

from __future__ import annotations

from sluice.language.expressions import Context, ExpressionError, Phase, evaluate, parse, to_boolean
from sluice.language.expressions.values import Value

ROOT = "root"


def holds(criteria: str, root: Value) -> bool:
    """Whether the answer fulfils the criteria; raises `ExpressionError`. Bounded in time and memory."""
    expression = parse(criteria, phase=Phase.SUCCESS_CRITERIA)
    return to_boolean(evaluate(expression, Context(names={ROOT: root})))


def problem(criteria: str) -> str:
    """Why the text is no expression over `root`; '' when it is one."""
    try:
        parse(criteria, phase=Phase.SUCCESS_CRITERIA)
    except ExpressionError as error:
        return str(error)
    return ""
