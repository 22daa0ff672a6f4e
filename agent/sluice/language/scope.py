"""What template expressions can read at one place, and what a compilation may use up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from sluice.errors import PipelineError, Problem
from sluice.language.expressions import Context, Object
from sluice.language.expressions.ordinal import fold
from sluice.language.predefined_names import is_predefined
from sluice.language.reader import TRUE
from sluice.language.tree import Mapping, Scalar, Sequence
from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Dict

    from sluice.language.expressions import Value
    from sluice.language.tree import Node, Source

MAX_WORK = 600_000
MAX_TEXT = 50_000_000
_EXPRESSION_WORK = 4


class Variables(Object):
    """The variables written so far; it grows while the pipeline is expanded."""

    __slots__ = ("_fixed",)

    def __init__(self, pairs: Dict[str, Value] | Iterable[tuple[str, Value]] = ()) -> None:
        super().__init__(pairs)
        self._fixed: frozenset[str] = frozenset()

    def define(self, name: str, value: str, *, readonly: bool = False) -> None:
        """A definition; a later one wins, unless what there is is read-only or predefined."""
        key = fold(name)
        if key in self._fixed or (key in self._pairs and is_predefined(name)):
            return
        self._pairs[key] = (name, value)
        if readonly:
            self._fixed |= {key}

    def define_all(self, node: Node) -> None:
        """The definitions of an expanded `variables` block."""
        if type(node) is Mapping:
            for key, value in node.pairs:
                if type(value) is Scalar:
                    self.define(key.value, value.value)
        elif type(node) is Sequence:
            for item in node.items:
                self.define_item(item)

    def define_item(self, item: Node) -> None:
        """A definition in the list form; groups are not known yet."""
        if type(item) is not Mapping:
            return
        name, value = item.get("name"), item.get("value")
        if type(name) is Scalar and type(value) is Scalar:
            readonly = item.get("readonly")
            fixed = type(readonly) is Scalar and readonly.value.casefold() in TRUE
            self.define(name.value, value.value, readonly=fixed)

    def copy(self) -> Variables:
        """The same, for what is defined further inside."""
        copied = Variables()
        copied._pairs = dict(self._pairs)
        copied._fixed = self._fixed
        return copied


class Budget:
    """What expansion may cost: nodes and expressions are counted as work, and the texts that are made."""

    __slots__ = ("_text", "_work")

    def __init__(self) -> None:
        self._work = MAX_WORK
        self._text = MAX_TEXT

    def spend(self, work: int, node: Node) -> None:
        """Take some work, or refuse to go on."""
        self._work -= work
        if self._work < 0:
            raise PipelineError([Problem("the pipeline expands to too much", node.where, "look at its 'each' loops")])

    def spend_text(self, count: int, node: Node) -> None:
        """Take the characters of a text that an expression made."""
        self.spend(_EXPRESSION_WORK, node)
        self._text -= count
        if self._text < 0:
            raise PipelineError(
                [Problem(f"the texts of the pipeline expand to more than {MAX_TEXT:,} characters", node.where)]
            )


Chain: TypeAlias = tuple[tuple[str, str], ...]
"""Files as repository and path, outermost first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One place in the file `source`: `names` are its loop variables, `chain` the files whose inclusion led there."""

    context: Context
    variables: Variables
    source: Source
    names: frozenset[str] = frozenset()
    chain: Chain = ()

    @staticmethod
    def of(source: Source, parameters: Object, variables: Variables, *, declared: bool, chain: Chain = ()) -> Scope:
        """The scope of a file; with `declared` only declared parameters can be read."""
        context = Context(names={"parameters": parameters, "variables": variables}, refuse_undeclared=declared)
        return Scope(context, variables, source, frozenset(), (*chain, (source.repository, source.path)))

    def inner(self) -> Scope:
        """The scope of a stage or job: variables defined there stay there."""
        variables = self.variables.copy()
        return replace(self, variables=variables, context=self.context.bind("variables", variables))

    def bind(self, name: str, value: Value) -> Scope:
        """With the loop variable of an `each`."""
        return replace(self, context=self.context.bind(name, value), names=self.names | {name.lower()})
