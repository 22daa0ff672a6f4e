"""The functions of the language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.language.expressions.casts import conceal, describe, to_boolean, to_number, to_text
from sluice.language.expressions.comparison import compare, equals, is_empty_text
from sluice.language.expressions.errors import ExpressionError
from sluice.language.expressions.formatting import format_pieces
from sluice.language.expressions.json_text import json_pieces
from sluice.language.expressions.nodes import Function, Node
from sluice.language.expressions.ordinal import fold, length, lower
from sluice.language.expressions.phase import Phase
from sluice.language.expressions.values import Kind, Value, kind_of
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.language.expressions.evaluator import Evaluation

_COLLECTIONS = frozenset({Kind.ARRAY, Kind.OBJECT})
_ITEM_BYTES = 64


def _and(evaluation: Evaluation, *arguments: Node) -> bool:
    return all(to_boolean(evaluation.value(argument)) for argument in arguments)


def _or(evaluation: Evaluation, *arguments: Node) -> bool:
    return any(to_boolean(evaluation.value(argument)) for argument in arguments)


def _xor(_: Evaluation, left: Value, right: Value) -> bool:
    return to_boolean(left) is not to_boolean(right)


def _not(_: Evaluation, value: Value) -> bool:
    return not to_boolean(value)


def _eq(_: Evaluation, left: Value, right: Value) -> bool:
    return equals(left, right)


def _ne(_: Evaluation, left: Value, right: Value) -> bool:
    return not equals(left, right)


def _lt(_: Evaluation, left: Value, right: Value) -> bool:
    return compare(left, right) < 0


def _le(_: Evaluation, left: Value, right: Value) -> bool:
    return compare(left, right) <= 0


def _gt(_: Evaluation, left: Value, right: Value) -> bool:
    return compare(left, right) > 0


def _ge(_: Evaluation, left: Value, right: Value) -> bool:
    return compare(left, right) >= 0


def _in(evaluation: Evaluation, wanted: Node, *candidates: Node) -> bool:
    value = evaluation.value(wanted)
    return any(equals(value, evaluation.value(candidate)) for candidate in candidates)


def _not_in(evaluation: Evaluation, wanted: Node, *candidates: Node) -> bool:
    return not _in(evaluation, wanted, *candidates)


def _contains(evaluation: Evaluation, text: Value, part: Value) -> bool:
    return fold(evaluation.fresh(part)) in fold(evaluation.fresh(text))


def _starts_with(evaluation: Evaluation, text: Value, part: Value) -> bool:
    return fold(evaluation.fresh(text)).startswith(fold(evaluation.fresh(part)))


def _ends_with(evaluation: Evaluation, text: Value, part: Value) -> bool:
    return fold(evaluation.fresh(text)).endswith(fold(evaluation.fresh(part)))


def _contains_value(_: Evaluation, collection: Value, wanted: Value) -> bool:
    if isinstance(collection, Mapping):
        return any(equals(wanted, item) for item in collection.values())
    if kind_of(collection) is Kind.ARRAY and isinstance(collection, Sequence):
        return any(equals(wanted, item) for item in collection)
    return False


def _coalesce(evaluation: Evaluation, *arguments: Node) -> Value:
    for argument in arguments:
        value = evaluation.value(argument)
        if value is not None and not is_empty_text(value):
            return value
    return ""


def _iif(_: Evaluation, condition: Value, then: Value, otherwise: Value) -> Value:
    return then if to_boolean(condition) else otherwise


def _format(evaluation: Evaluation, template: Node, *arguments: Node) -> str:
    values: dict[int, Value] = {}

    def argument(index: int) -> Value:
        if index not in values:
            values[index] = evaluation.value(arguments[index])
        return values[index]

    value = evaluation.value(template)
    pieces = format_pieces(evaluation.text(value), describe(value), len(arguments), argument, evaluation.text)
    return evaluation.gather(pieces)


def _join(evaluation: Evaluation, separator: Value, items: Value) -> str:
    between = evaluation.text(separator)
    kind = kind_of(items)
    if kind is Kind.ARRAY and isinstance(items, Sequence):
        texts = ("" if kind_of(item) in _COLLECTIONS else evaluation.text(item) for item in items)
        return evaluation.gather(text if index == 0 else between + text for index, text in enumerate(texts))
    return "" if kind is Kind.OBJECT else evaluation.text(items)


def _split(evaluation: Evaluation, text: Value, separator: Value) -> tuple[str, ...]:
    whole, between = evaluation.text(text), evaluation.text(separator)
    if not between:
        return (whole,)
    evaluation.charge(2 * len(whole) + _ITEM_BYTES * whole.count(between))
    return tuple(whole.split(between))


def _length(evaluation: Evaluation, value: Value) -> int:
    if kind_of(value) in _COLLECTIONS and isinstance(value, Sequence | Mapping):
        return len(value)
    return length(evaluation.text(value))


def _lower(evaluation: Evaluation, text: Value) -> str:
    return lower(evaluation.fresh(text))


def _upper(evaluation: Evaluation, text: Value) -> str:
    return fold(evaluation.fresh(text))


def _trim(evaluation: Evaluation, text: Value) -> str:
    return evaluation.fresh(text).strip()


def _replace(evaluation: Evaluation, text: Value, old: Value, new: Value) -> str:
    whole, wanted, inserted = evaluation.text(text), fold(evaluation.text(old)), evaluation.text(new)
    if not wanted:
        raise ExpressionError("The text to replace is empty")
    folded = fold(whole)
    evaluation.charge(2 * (len(whole) + folded.count(wanted) * len(inserted)))
    pieces: list[str] = []
    start = 0
    while (found := folded.find(wanted, start)) >= 0:
        pieces += (whole[start:found], inserted)
        start = found + len(wanted)
    pieces.append(whole[start:])
    return "".join(pieces)


def _convert_to_json(evaluation: Evaluation, value: Value) -> str:
    return evaluation.gather(json_pieces(value, evaluation.text))


def convert_to_json(value: Value) -> str | Secret:
    """The JSON text of `convertToJson`; a Secret if there is one in `value`."""
    secret = False

    def text(scalar: Value) -> str:
        nonlocal secret
        secret = secret or isinstance(scalar, Secret)
        shown = to_text(scalar)
        return shown.reveal() if isinstance(shown, Secret) else shown

    result = "".join(json_pieces(value, text))
    return to_text(conceal(result)) if secret else result


def _counter(evaluation: Evaluation, prefix: Value = "", seed: Value = 0) -> int:
    counter = evaluation.context.counter
    if counter is None:
        raise ExpressionError("'counter' is not available here", do="use it in a variable with $[ ]")
    if isinstance(prefix, Secret):
        raise ExpressionError("The prefix of a counter is stored, so it must not be a secret")
    return counter(evaluation.text(prefix), math.floor(to_number(seed)))


def _always(_: Evaluation) -> bool:
    return True


def _canceled(evaluation: Evaluation) -> bool:
    return evaluation.status().canceled


def _failed(evaluation: Evaluation, *names: Value) -> bool:
    return evaluation.status().failed([evaluation.text(name) for name in names])


def _succeeded(evaluation: Evaluation, *names: Value) -> bool:
    return evaluation.status().succeeded([evaluation.text(name) for name in names])


def _succeeded_or_failed(evaluation: Evaluation, *names: Value) -> bool:
    return evaluation.status().succeeded_or_failed([evaluation.text(name) for name in names])


def _table(*functions: Function) -> dict[str, Function]:
    return {function.name.lower(): function for function in functions}


_COMMON = _table(
    Function("and", 2, None, _and, lazy=True),
    Function("or", 2, None, _or, lazy=True),
    Function("xor", 2, 2, _xor),
    Function("not", 1, 1, _not),
    Function("eq", 2, 2, _eq),
    Function("ne", 2, 2, _ne),
    Function("lt", 2, 2, _lt),
    Function("le", 2, 2, _le),
    Function("gt", 2, 2, _gt),
    Function("ge", 2, 2, _ge),
    Function("in", 1, None, _in, lazy=True),
    Function("notIn", 1, None, _not_in, lazy=True),
    Function("contains", 2, 2, _contains),
    Function("startsWith", 2, 2, _starts_with),
    Function("endsWith", 2, 2, _ends_with),
    Function("containsValue", 2, 2, _contains_value),
    Function("coalesce", 2, None, _coalesce, lazy=True),
    Function("iif", 3, 3, _iif),
    Function("format", 1, None, _format, lazy=True, text=True),
    Function("join", 2, 2, _join, text=True),
    Function("split", 2, 2, _split, text=True),
    Function("length", 1, 1, _length),
    Function("lower", 1, 1, _lower, text=True),
    Function("upper", 1, 1, _upper, text=True),
    Function("trim", 1, 1, _trim, text=True),
    Function("replace", 3, 3, _replace, text=True),
    Function("convertToJson", 1, 1, _convert_to_json, text=True),
)
_STATUS = _table(
    Function("always", 0, 0, _always),
    Function("canceled", 0, 0, _canceled),
    Function("failed", 0, None, _failed),
    Function("succeeded", 0, None, _succeeded),
    Function("succeededOrFailed", 0, None, _succeeded_or_failed),
)
# The agent knows the steps of one job only, so there is nothing to name.
_STEP_STATUS = _table(*(Function(function.name, 0, 0, function.apply) for function in _STATUS.values()))

_FUNCTIONS: dict[Phase, Mapping[str, Function]] = {
    Phase.TEMPLATE: _COMMON,
    Phase.RUNTIME: {**_COMMON, **_table(Function("counter", 0, 2, _counter))},
    Phase.CONDITION: {**_COMMON, **_STATUS},
    Phase.STAGE_CONDITION: {**_COMMON, **_STATUS},
    Phase.STEP_CONDITION: {**_COMMON, **_STEP_STATUS},
    Phase.SUCCESS_CRITERIA: _COMMON,
}


def functions_of(phase: Phase) -> Mapping[str, Function]:
    """The functions of a phase by their names in lower case."""
    return _FUNCTIONS[phase]
