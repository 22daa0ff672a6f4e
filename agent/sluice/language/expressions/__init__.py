"""The expression language of Azure Pipelines: parse, evaluate, cast.

    expression = parse("eq(variables['Build.Reason'], 'Manual')", phase=Phase.RUNTIME)
    value = evaluate(expression, Context(names={"variables": Object({"Build.Reason": "Manual"})}))

Whatever the text, `parse` answers an Expression or raises ExpressionError; whatever the values, `evaluate` answers a
Value or raises ExpressionError. Both are bounded in time and memory.
"""

from __future__ import annotations

from sluice.language.expressions.casts import (
    as_number,
    as_string,
    as_version,
    to_boolean,
    to_number,
    to_string,
    to_text,
    to_version,
)
from sluice.language.expressions.conditions import DEFAULT_CONDITION, evaluate_condition
from sluice.language.expressions.context import MAXIMUM_MEMORY, Context
from sluice.language.expressions.errors import ExpressionError, MemoryExceededError
from sluice.language.expressions.evaluator import evaluate
from sluice.language.expressions.functions import convert_to_json
from sluice.language.expressions.nodes import Expression
from sluice.language.expressions.parser import DEEPEST_EXPRESSION, LONGEST_EXPRESSION, check_syntax, parse
from sluice.language.expressions.phase import Phase
from sluice.language.expressions.status import DependencyStatus, Status, StepStatus
from sluice.language.expressions.values import DateTime, FilteredArray, Kind, Object, Value, Version, kind_of

__all__ = [
    "DEEPEST_EXPRESSION",
    "DEFAULT_CONDITION",
    "LONGEST_EXPRESSION",
    "MAXIMUM_MEMORY",
    "Context",
    "DateTime",
    "DependencyStatus",
    "Expression",
    "ExpressionError",
    "FilteredArray",
    "Kind",
    "MemoryExceededError",
    "Object",
    "Phase",
    "Status",
    "StepStatus",
    "Value",
    "Version",
    "as_number",
    "as_string",
    "as_version",
    "check_syntax",
    "convert_to_json",
    "evaluate",
    "evaluate_condition",
    "kind_of",
    "parse",
    "to_boolean",
    "to_number",
    "to_string",
    "to_text",
    "to_version",
]
