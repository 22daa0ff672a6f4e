"""What an expression is evaluated against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace

from sluice.language.expressions.status import Status
from sluice.language.expressions.values import Value
from sluice.values import dataclass

MAXIMUM_MEMORY = 20 * 1024 * 1024
"""Bytes that the results of one evaluation may take together; the documented limit of template parsing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Named values (any case; one that is missing is null) and what the functions need.

    `counter` answers the next number for a prefix and a seed. `status` is there for conditions. With
    `refuse_undeclared` reading a parameter that is not there is an error, else it is null. `maximum_memory` is in
    bytes.
    """

    names: Mapping[str, Value] = field(default_factory=dict)
    counter: Callable[[str, int], int] | None = None
    status: Status | None = None
    refuse_undeclared: bool = True
    maximum_memory: int = MAXIMUM_MEMORY

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", {name.lower(): value for name, value in self.names.items()})

    def bind(self, name: str, value: Value) -> Context:
        """The same with one more named value, such as the loop variable of `each`."""
        return replace(self, names={**self.names, name.lower(): value})
