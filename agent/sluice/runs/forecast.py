"""Which stages a run would have, from what is known before there is a run. Pure.

It is assumed that what runs succeeds and that nobody cancels: what only a run can tell (outputs, results, counters,
variable groups that are not permitted yet) leaves a condition open.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from sluice.errors import PermissionPendingError, SluiceError
from sluice.language.expressions import (
    DEFAULT_CONDITION,
    Context,
    Expression,
    Phase,
    evaluate,
    parse,
    to_boolean,
    to_text,
)
from sluice.language.expressions.nodes import Access, Call, Literal, Name, Node
from sluice.language.plan import Plan, Stage
from sluice.runs.evaluation import Evaluation
from sluice.runs.timeline import Timeline
from sluice.runtime.request import Result
from sluice.values import dataclass

_LATER_NAMES = frozenset({"dependencies", "stagedependencies"})
_LATER_VARIABLES = frozenset(
    {
        "build.buildid",
        "build.buildnumber",
        "build.builduri",
        "build.containerid",
        "system.pipelinestarttime",
        "system.planid",
        "system.timelineid",
    }
)
_STATUS = frozenset({"canceled", "failed", "succeeded", "succeededorfailed"})


class Verdict(enum.StrEnum):
    """Whether a stage would run."""

    RUNS = "runs"
    SKIPPED = "skipped"
    OPEN = "open"
    FAILS = "fails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What would become of a stage, and why; `condition` is its condition as written ('' for the default)."""

    verdict: Verdict
    why: str
    condition: str = ""


def forecast(plan: Plan, evaluation: Evaluation, timeline: Timeline) -> Mapping[str, Forecast]:
    """What would become of each stage, by name; `timeline` is that of a run which has just been created."""
    found: dict[str, Forecast] = {}
    later = _LATER_VARIABLES | _counted(plan)
    waiting = list(plan.stages)
    while waiting:
        ready = [stage for stage in waiting if all(plan.stage(name).name in found for name in stage.depends_on)]
        for stage in ready:
            unknown = later | evaluation.locked(stage.name)
            found[stage.name] = one = _forecast(stage, evaluation, timeline, found, unknown)
            _assume(stage, one.verdict, timeline)
        waiting = [stage for stage in waiting if stage.name not in found]
    return found


def _forecast(
    stage: Stage, evaluation: Evaluation, timeline: Timeline, before: Mapping[str, Forecast], later: frozenset[str]
) -> Forecast:
    condition = stage.condition.value if stage.condition else ""
    undecided = [name for name in _named(stage, before) if before[name].verdict is Verdict.OPEN]
    try:
        context = evaluation.contexts.stage(stage, timeline, evaluation.root_scope())
        expression = parse(condition or DEFAULT_CONDITION, phase=Phase.STAGE_CONDITION)
        known = _Known(expression, context, later=later, status=not undecided)
        holds = known.truth(expression.root)
    except PermissionPendingError as error:
        return Forecast(verdict=Verdict.OPEN, why=f"known when it is permitted: {error.what}", condition=condition)
    except SluiceError as error:
        return Forecast(verdict=Verdict.FAILS, why=str(error), condition=condition)
    if holds is None:
        what = ", ".join([*known.left_open, *(f"whether '{name}' runs" for name in undecided)])
        return Forecast(verdict=Verdict.OPEN, why=f"known only in a run: it depends on {what}", condition=condition)
    verdict = Verdict.RUNS if holds else Verdict.SKIPPED
    why = _why(stage, before, known, holds=holds) + (", once a person starts it" if holds and stage.manual else "")
    return Forecast(verdict=verdict, why=why, condition=condition)


def _why(stage: Stage, before: Mapping[str, Forecast], known: _Known, *, holds: bool) -> str:
    names = _named(stage, before)
    skipped = [name for name in names if before[name].verdict is Verdict.SKIPPED]
    if stage.condition is None and not holds:
        return f"{_quoted(skipped)} does not run"
    if stage.condition is None:
        return f"when {_quoted(names)} succeeded" if names else "nothing comes before it"
    if holds:
        return "its condition holds" + (" when what comes before it succeeds" if known.asks_status and names else "")
    asks_failure = known.asks_status and names and not skipped
    return "its condition does not hold" + (" as long as what comes before it succeeds" if asks_failure else "")


def _named(stage: Stage, before: Mapping[str, Forecast]) -> list[str]:
    keys = {name.casefold() for name in stage.depends_on}
    return [name for name in before if name.casefold() in keys]


def _quoted(names: list[str]) -> str:
    return " and ".join(f"'{name}'" for name in names) or "what comes before it"


def _assume(stage: Stage, verdict: Verdict, timeline: Timeline) -> None:
    result = {Verdict.SKIPPED: Result.SKIPPED, Verdict.FAILS: Result.FAILED}.get(verdict, Result.SUCCEEDED)
    for job in stage.jobs:
        timeline.complete(timeline.phase(stage, job), result, 0.0)
    timeline.complete(timeline.stage(stage), result, 0.0)


def _counted(plan: Plan) -> frozenset[str]:
    """Root variables that a counter gives: to ask it would count."""
    return frozenset(
        variable.name.casefold()
        for variable in plan.variables
        if variable.value.value.startswith("$[") and "counter(" in variable.value.value.casefold().replace(" ", "")
    )


class _Known:
    """Evaluates a condition as far as it is known; `left_open` names what is not, `asks_status` the status functions."""

    def __init__(self, expression: Expression, context: Context, *, later: frozenset[str], status: bool) -> None:
        self._expression = expression
        self._context = context
        self._later = later
        self._status = status
        self.left_open: dict[str, None] = {}
        self.asks_status = False

    def truth(self, node: Node) -> bool | None:
        """True, false, or None where only a run can tell."""
        if isinstance(node, Call) and (name := node.function.name.casefold()) in {"and", "or", "not"}:
            parts = [self.truth(argument) for argument in node.arguments]
            if name == "not":
                return None if parts[0] is None else not parts[0]
            decisive = name == "or"
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
        if self._is_open(node):
            return None
        return to_boolean(evaluate(Expression(self._expression.text, self._expression.phase, node), self._context))

    def _is_open(self, node: Node) -> bool:
        found = False
        for one in Expression(self._expression.text, self._expression.phase, node).nodes():
            if isinstance(one, Name) and one.name in _LATER_NAMES:
                self.left_open["results and outputs of what comes before it"] = None
                found = True
            elif isinstance(one, Call) and one.function.name.casefold() in _STATUS:
                self.asks_status = True
                found = found or not self._status
            elif isinstance(one, Access) and (name := self._later_variable(one)):
                self.left_open[f"the variable '{name}'"] = None
                found = True
        return found

    def _later_variable(self, node: Access) -> str:
        if not isinstance(node.target, Name) or node.target.name != "variables" or not node.accessors:
            return ""
        first = node.accessors[0]
        if not isinstance(first, Literal):
            return "that it computes" if self._later else ""
        name = to_text(first.value)
        return str(name) if str(name).casefold() in self._later else ""
