"""Between trees and the values of expressions; a structure keeps its tree, so that positions survive."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence as List
from typing import TYPE_CHECKING

from sluice.language.expressions import Object, to_string
from sluice.language.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from sluice.language.expressions import Value
    from sluice.language.tree import Node


class ObjectValue(Object):
    """An Object made from a mapping."""

    __slots__ = ("node",)

    def __init__(self, node: Mapping) -> None:
        super().__init__((key.value, value_of(value)) for key, value in node.pairs)
        self.node = node


class ArrayValue(list["Value"]):
    """An Array made from a sequence."""

    __slots__ = ("node",)

    def __init__(self, node: Sequence) -> None:
        super().__init__(value_of(item) for item in node.items)
        self.node = node


def value_of(node: Node) -> Value:
    """The value of an expanded node: texts stay Strings. The same node has the same value."""
    if type(node) is Scalar:
        return node.value
    if node.cached is None:
        node.cached = ObjectValue(node) if type(node) is Mapping else ArrayValue(node)
    return node.cached  # type: ignore[return-value]


def node_of(value: Value, at: Node) -> Node:
    """The tree of a value; what was written nowhere is given the place of `at`."""
    if isinstance(value, ObjectValue | ArrayValue):
        return value.node
    if isinstance(value, Dict):
        pairs = [(Scalar(key, at.line, at.column, at.source), node_of(each, at)) for key, each in value.items()]
        return mapping_of(pairs, at)
    if isinstance(value, List) and not isinstance(value, str):
        return sequence_of([node_of(each, at) for each in value], at)
    return Scalar(to_string(value), at.line, at.column, at.source)


def mapping_of(pairs: list[tuple[Scalar, Node]], at: Node) -> Mapping:
    """An expanded mapping: only an inclusion somewhere in it makes it dynamic."""
    dynamic = any(value.dynamic or key.value == "template" for key, value in pairs)
    return Mapping(pairs, at.line, at.column, at.source, dynamic)


def sequence_of(items: list[Node], at: Node) -> Sequence:
    """An expanded sequence, dynamic as for `mapping_of`."""
    return Sequence(items, at.line, at.column, at.source, any(item.dynamic for item in items))


def plain_value(value: Value) -> object:
    """The value as JSON has it: Booleans, whole numbers, texts, lists, dictionaries; other numbers as texts."""
    if isinstance(value, Dict):
        return {name: plain_value(each) for name, each in value.items()}
    if isinstance(value, List) and not isinstance(value, str):
        return [plain_value(each) for each in value]
    return value if value is None or isinstance(value, bool | int | str) else to_string(value)
