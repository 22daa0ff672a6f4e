"""How an expression came to its value, in the words of the agent's log."""

from __future__ import annotations

from sluice.language.expressions.casts import describe, to_boolean
from sluice.language.expressions.context import Context
from sluice.language.expressions.evaluator import Evaluation
from sluice.language.expressions.nodes import Call, Expression, Literal, Name, Node
from sluice.language.expressions.values import MISSING, Kind, Value, kind_of
from sluice.secret import Secret


class TracedEvaluation(Evaluation):
    """An evaluation that remembers the value of every node it came to."""

    __slots__ = ("_seen",)

    def __init__(self, expression: Expression, context: Context) -> None:
        super().__init__(expression, context)
        self._seen: dict[int, Value] = {}

    def value(self, node: Node) -> Value:
        value = super().value(node)
        self._seen[id(node)] = value
        return value

    def lines(self, result: Value) -> tuple[str, ...]:
        """What was asked, what it came to, and the result as a condition; secrets show as `***`."""
        return (
            f"Evaluating: {self._expression.text}",
            f"Expanded: {self._expanded(self._expression.root)}",
            f"Result: {to_boolean(result)}",
        )

    def _expanded(self, node: Node) -> str:
        """The node with what it read in place of names; what was never looked at stays as written."""
        if isinstance(node, Literal):
            return node.text
        if isinstance(node, Call) and node.arguments:
            return f"{node.function.name}({', '.join(map(self._expanded, node.arguments))})"
        seen = self._seen.get(id(node), MISSING)
        return _written(node) if seen is MISSING else _literal(seen)  # type: ignore[arg-type]


def _literal(value: Value) -> str:
    if value is None:
        return "Null"
    quoted = kind_of(value) is Kind.STRING and not isinstance(value, Secret)
    text = describe(value)
    return "'" + text.replace("'", "''") + "'" if quoted else text


def _written(node: Node) -> str:
    if isinstance(node, Literal | Name):
        return node.text
    if isinstance(node, Call):
        return f"{node.function.name}({', '.join(map(_written, node.arguments))})"
    return _written(node.target) + "".join(map(_accessor, node.accessors))


def _accessor(accessor: Node | None) -> str:
    if accessor is None:
        return "[*]"
    if isinstance(accessor, Literal) and isinstance(accessor.value, str):
        return f"[{_literal(accessor.value)}]"
    return f"[{_written(accessor)}]"
