"""What the parts of the builder share: the reader, the problems, the tasks, and the names that resources have."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from sluice.language.expressions import ExpressionError, Phase, parse
from sluice.language.offsets import place_of
from sluice.language.reader import Reader, text_of
from sluice.language.tree import Scalar
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Text
    from sluice.language.problems import Problems
    from sluice.language.reader import Fields
    from sluice.language.tasks import TaskCatalogue
    from sluice.language.tree import Node

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(slots=True)
class Build:
    """One compilation; the sets hold the aliases of `resources`, in lower case.

    An `incomplete` tree lacks what could not be expanded, so nothing is said of what it does not have. With `extends` a
    template may have read what means nothing by itself.
    """

    problems: Problems
    tasks: TaskCatalogue
    reader: Reader
    incomplete: bool = False
    extends: bool = False
    repositories: set[str] = field(default_factory=lambda: {"self", "none"})
    containers: set[str] = field(default_factory=set)
    pipelines: set[str] = field(default_factory=set)

    def condition(self, fields: Fields, phase: Phase) -> Text | None:
        """The `condition`, None for the default; what cannot be evaluated is a problem."""
        node = fields.get("condition")
        if type(node) is not Scalar or not node.value.strip():
            return None
        if "$(" in node.value:
            self.problems.note("a macro is not expanded in a condition", node)
        self._check(node.value, phase, node)
        return text_of(node)

    def note_context(self, fields: Fields) -> None:
        """Note a `templateContext` that nobody can have read."""
        node = fields.get("templateContext")
        if node is not None and not self.extends:
            self.problems.note(
                "'templateContext' is not acted on: the pipeline extends no template that reads it", node
            )

    def check_runtime(self, node: Scalar) -> None:
        """Check a `$[ ]` expression that is the whole text of a node."""
        self._check(node.value.strip()[2:-1], Phase.RUNTIME, node, 2)

    def check_later(self, *texts: Text | None) -> None:
        """Check those of the values that are `$[ ]` expressions."""
        for text in texts:
            if text is not None and text.value.startswith("$["):
                error = _error_in(text.value.strip()[2:-1], Phase.RUNTIME)
                if error is not None:
                    self.problems.add_at(error.what, text.where, do=error.do)

    def _check(self, text: str, phase: Phase, node: Scalar, start: int = 0) -> None:
        error = _error_in(text, phase)
        if error is not None:
            where = place_of(node, start + max(error.position - 1, 0))
            self.problems.add_at(error.what, where, do=error.do)


def _error_in(text: str, phase: Phase) -> ExpressionError | None:
    try:
        parse(text, phase=phase)
    except ExpressionError as error:
        return error
    return None


class Names:
    """Gives names to what was written without one, and finds names that occur twice; case does not count."""

    def __init__(self, what: str, problems: Problems) -> None:
        self._what = what
        self._problems = problems
        self._taken: dict[str, Node] = {}
        self._counts: dict[str, int] = {}

    def take(self, name: str, node: Node) -> None:
        """Record a name that was written."""
        first = self._taken.get(name.casefold())
        if first is None:
            self._taken[name.casefold()] = node
        elif first is node:
            self._problems.add(f"{self._what} '{name}' comes out more than once of what is written here", node)
        else:
            self._problems.add(f"{self._what} '{name}' exists already (first at {first.where})", node)

    def make(self, base: str, node: Node) -> str:
        """A name that is still free: the base and a number."""
        while True:
            number = self._counts.get(base, 0) + 1
            self._counts[base] = number
            name = f"{base}{number}"
            if name.casefold() not in self._taken:
                self._taken[name.casefold()] = node
                return name
