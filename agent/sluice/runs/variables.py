"""Variables of a run by scope: which value wins, and what `$[ ]` and macros make of it. Pure.

Precedence, lowest first: predefined, given when the run was queued, root YAML, stage YAML, job YAML, matrix leg. In a
block later definitions win, and a variable group counts where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sluice.errors import PermissionPendingError
from sluice.language import macros
from sluice.language.expressions import Context, ExpressionError, Object, Phase, Value, evaluate, parse, to_text
from sluice.language.plan import Text, Variable
from sluice.language.predefined_names import is_predefined
from sluice.runtime.request import JobVariable
from sluice.secret import Secret

Scope = dict[str, JobVariable]
"""Variables by casefolded name."""


Groups = Callable[[Variable], Iterable[JobVariable]]
"""What comes in where a block names a variable group."""


def no_groups(_: Variable) -> Iterable[JobVariable]:
    """Where groups are not read."""
    return ()


def scope_of(variables: Iterable[JobVariable]) -> Scope:
    """Variables as a scope; later ones win."""
    return {variable.name.casefold(): variable for variable in variables}


def extend(
    scope: Scope, block: Iterable[Variable], context: Callable[[Scope], Context], groups: Groups = no_groups
) -> Scope:
    """The scope with a block of YAML variables on top, `$[ ]` values evaluated in file order.

    What is read-only below the block keeps its value, predefined variables too. Raises `ExpressionError` with the place of the value when one cannot be
    evaluated.
    """
    extended = dict(scope)
    for variable in block:
        if variable.group:
            for one in groups(variable):
                put(extended, one)
        elif not is_fixed(extended, variable.name):
            value = runtime_value(variable.value, lambda: context(extended))
            put(extended, JobVariable(name=variable.name, value=value, readonly=variable.readonly))
    return extended


def put(scope: Scope, variable: JobVariable) -> None:
    """Define a variable, unless one of that name is read-only."""
    if not is_fixed(scope, variable.name):
        scope[variable.name.casefold()] = variable


def is_fixed(scope: Scope, name: str) -> bool:
    """Whether what a scope says of that name stays: it is read-only, or predefined."""
    known = scope.get(name.casefold())
    return (known is not None and known.readonly) or is_predefined(name)


def runtime_expression(text: str) -> str | None:
    """The expression of a text that is wholly `$[ ... ]`; None for any other text."""
    stripped = text.strip()
    return stripped[2:-1] if stripped.startswith("$[") and stripped.endswith("]") else None


def runtime_value(text: Text, context: Callable[[], Context]) -> str | Secret:
    """A text as it is, or the value of its `$[ ]` as a text."""
    expression = runtime_expression(text.value)
    if expression is None:
        return text.value
    return to_text(evaluate_at(expression, text, context()))


def evaluate_at(expression: str, text: Text, context: Context) -> Value:
    """Evaluate a runtime expression; an error names the place in the pipeline."""
    try:
        return evaluate(parse(expression, phase=Phase.RUNTIME), context)
    except ExpressionError as error:
        error.where = error.where or text.where
        raise


def expanded(scope: Scope) -> Object:
    """The variables as expressions read them: macros between them expanded."""
    return Object(macros.resolve_all({variable.name: variable.value for variable in scope.values()}).values)


def expand(text: str, values: Mapping[str, Value]) -> str | Secret:
    """A text with its macros replaced; unknown ones are left as they stand."""

    def look_up(name: str) -> str | Secret | None:
        value = values.get(name)
        return value if isinstance(value, str | Secret) else None

    return macros.expand(text, look_up)


class Guarded(Object):
    """Variables of which some must not be read yet: that raises `PermissionPendingError`."""

    __slots__ = ("_locked",)

    def __init__(self, variables: Object, locked: frozenset[str]) -> None:
        super().__init__(variables)
        self._locked = locked

    def __getitem__(self, key: str) -> Value:
        if key.casefold() in self._locked:
            raise _locked()
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        raise _locked()


def _locked() -> PermissionPendingError:
    return PermissionPendingError("a condition reads a variable group that the pipeline may not use yet")
