"""The tree of a parsed expression: immutable, positions are columns counted from 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from sluice.language.expressions.phase import Phase
from sluice.language.expressions.values import Value
from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments it takes (`maximum` None: any number) and what it does.

    `apply` gets the evaluation, then the values of the arguments, or, when `lazy`, their nodes. With `text` the result
    is made of the texts of the arguments, so it is a Secret if one of those was.
    """

    name: str
    minimum: int
    maximum: int | None
    apply: Callable[..., Value]
    lazy: bool = False
    text: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression."""

    value: Value
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Name:
    """A named value, in lower case."""

    name: str
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: Function
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Access:
    """Members read from a value, one after the other; None stands for the wildcard.

    `of_parameters`: the first member is the name of a parameter.
    """

    target: Name | Call
    accessors: tuple[Node | None, ...]
    of_parameters: bool
    position: int


Node: TypeAlias = Literal | Name | Call | Access


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    text: str
    phase: Phase
    root: Node

    def nodes(self) -> Iterator[Node]:
        """Every node, in the order of the text."""
        waiting: list[Node] = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, Call):
                waiting.extend(reversed(node.arguments))
            elif isinstance(node, Access):
                waiting.extend(accessor for accessor in reversed(node.accessors) if accessor is not None)
                waiting.append(node.target)
