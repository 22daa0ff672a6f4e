"""From tree to value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from sluice.language.expressions.casts import as_number, as_string, conceal, unable
from sluice.language.expressions.context import Context
from sluice.language.expressions.errors import ExpressionError, MemoryExceededError, excerpt
from sluice.language.expressions.nodes import Access, Call, Expression, Literal, Node
from sluice.language.expressions.status import Status
from sluice.language.expressions.values import MISSING, FilteredArray, Kind, Value, find, kind_of
from sluice.secret import Secret

_ITEM_BYTES = 8


def evaluate(expression: Expression, context: Context) -> Value:
    """The value of `expression`, or ExpressionError; a text made of a Secret is a Secret."""
    return Evaluation(expression, context).result()


class Evaluation:
    """One evaluation: what it may still use, and whether the text being made holds a secret."""

    __slots__ = ("_expression", "_remaining", "_secret", "context")

    def __init__(self, expression: Expression, context: Context) -> None:
        self.context = context
        self._expression = expression
        self._remaining = context.maximum_memory
        self._secret = False

    def result(self) -> Value:
        """The value of the whole expression."""
        return self.value(self._expression.root)

    def value(self, node: Node) -> Value:
        """The value of one node."""
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Access):
            return self._access(node)
        return self.context.names.get(node.name)

    def text(self, value: Value) -> str:
        """`value` cast to String; what is being made of it becomes secret with it."""
        if isinstance(value, str):
            return value
        text = as_string(value)
        if text is None:
            raise unable(value, Kind.STRING)
        if isinstance(value, Secret):
            self._secret = True
        return text

    def fresh(self, value: Value) -> str:
        """`text`, where a copy of that length is going to be made."""
        text = self.text(value)
        self.charge(2 * len(text))
        return text

    def gather(self, pieces: Iterable[str]) -> str:
        """The pieces in one text, if it is not too large."""
        gathered: list[str] = []
        for piece in pieces:
            self.charge(2 * len(piece))
            gathered.append(piece)
        return "".join(gathered)

    def charge(self, count: int) -> None:
        """Take `count` bytes from what the evaluation may use."""
        self._remaining -= count
        if self._remaining < 0:
            raise MemoryExceededError

    def status(self) -> Status:
        """What the status functions ask."""
        if self.context.status is None:
            raise ExpressionError("The status is not known here")
        return self.context.status

    def _call(self, node: Call) -> Value:
        function = node.function
        outer, self._secret = self._secret, False
        try:
            if function.lazy:
                result = function.apply(self, *node.arguments)
            else:
                result = function.apply(self, *[self.value(argument) for argument in node.arguments])
            return conceal(result) if self._secret and function.text else result
        except ExpressionError as error:
            error.locate(node.position, self._expression.text)
            raise
        finally:
            self._secret = outer

    def _access(self, node: Access) -> Value:
        value = self.value(node.target)
        strict = node.of_parameters and self.context.refuse_undeclared
        try:
            for accessor in node.accessors:
                if accessor is None:
                    value = self._all(value)
                else:
                    key = self.value(accessor)
                    value = self._declared(value, key) if strict else self._member(value, key)
                strict = False
        except ExpressionError as error:
            error.locate(node.position, self._expression.text)
            raise
        return value

    def _declared(self, parameters: Value, key: Value) -> Value:
        """A parameter by its name; one that nobody declared is an error."""
        name = as_string(key)
        found = find(parameters, name) if isinstance(parameters, Mapping) and name is not None else MISSING
        if found is MISSING:
            shown = "***" if isinstance(key, Secret) else excerpt(name or "")
            raise ExpressionError(f"Key not found '{shown}'", do="declare it under parameters")
        return found  # type: ignore[return-value]

    def _member(self, value: Value, key: Value) -> Value:
        if isinstance(value, FilteredArray):
            members = [_get(item, key) for item in value]
            return self._filtered(member for member in members if member is not MISSING)
        found = _get(value, key)
        return None if found is MISSING else found  # type: ignore[return-value]

    def _all(self, value: Value) -> FilteredArray:
        """What `*` selects; of a filtered array, what it selects of each item."""
        if isinstance(value, FilteredArray):
            return self._filtered(member for item in value for member in _members(item))
        return self._filtered(_members(value))

    def _filtered(self, members: Iterable[object]) -> FilteredArray:
        kept: list[object] = []
        for member in members:
            self.charge(_ITEM_BYTES)
            kept.append(member)
        return FilteredArray(kept)  # type: ignore[arg-type]


def _members(value: Value) -> Iterable[Value]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, Sequence) and kind_of(value) is Kind.ARRAY else ()


def _get(value: Value, key: Value) -> object:
    """The member of a collection, or MISSING."""
    if isinstance(value, Mapping):
        name = as_string(key)
        return MISSING if name is None else find(value, name)
    if isinstance(value, Sequence) and kind_of(value) is Kind.ARRAY:
        number = as_number(key)
        if number is not None and 0 <= number < len(value):
            return value[math.floor(number)]
    return MISSING
