"""What the pipeline says about its stages and jobs, evaluated against the timeline as it is now. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sluice.errors import Location, PipelineError, Problem
from sluice.language.expressions import Object, Value, as_number, evaluate_condition, to_text
from sluice.language.jobs import is_leg_name
from sluice.language.plan import Deployment, Job, Stage, Strategy, Text, Variable
from sluice.runs.contexts import Contexts
from sluice.runs.deployments import Target, batch_size, chosen_resources, deployment_instances
from sluice.runs.executions import names_of
from sluice.runs.identifiers import DEFAULT
from sluice.runs.phases import Instance
from sluice.runs.timeline import Timeline
from sluice.runs.variables import (
    Groups,
    Guarded,
    Scope,
    evaluate_at,
    expand,
    expanded,
    extend,
    no_groups,
    put,
    runtime_expression,
)
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.values import dataclass

MAX_INSTANCES = 256
"""The most jobs that a stage may have (documented)."""

_TRUE = frozenset({"true", "y", "yes", "on"})
_FALSE = frozenset({"false", "n", "no", "off", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Evaluates for one run; `root` holds the variables that hold for all of it, root YAML variables included.

    Where variable groups come in at the root, `root` is what lies below the root YAML variables and `block` are these.
    `target` answers where a job deploys to. `groups` answers what comes in; the variables that `locked` names for a stage must not be read by the conditions of stages.
    """

    contexts: Contexts
    root: Scope
    block: tuple[Variable, ...] = ()
    groups: Groups = no_groups
    locked: Callable[[str], frozenset[str]] = lambda _: frozenset()
    target: Callable[[Job], Target] = lambda _: Target()

    def stage_runs(self, stage: Stage, timeline: Timeline) -> bool:
        """Whether the stage's condition holds.

        Raises `PermissionPendingError` when it reads of a variable group that nobody has permitted yet.
        """
        context = self.contexts.stage(stage, timeline, self.root_scope())
        if self.block and stage.condition is not None and (locked := self.locked(stage.name)):
            variables = context.names["variables"]
            assert isinstance(variables, Object)  # noqa: S101  # tells mypy; contexts are made like that
            context = context.bind("variables", Guarded(variables, locked))
        return evaluate_condition(_text(stage.condition), context)

    def job_runs(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        """Whether the job's condition holds. It may not read what the job's own `$[ ]` variables compute."""
        scope = self.stage_scope(stage, timeline)
        static = [variable for variable in job.variables if runtime_expression(variable.value.value) is None]
        scope = extend(scope, static, lambda now: self.contexts.job(stage, job, timeline, now), self.groups)
        return evaluate_condition(_text(job.condition), self.contexts.job(stage, job, timeline, scope))

    def root_scope(self) -> Scope:
        """The variables that hold for all of the run."""
        return extend(self.root, self.block, self.contexts.root, self.groups) if self.block else self.root

    def stage_scope(self, stage: Stage, timeline: Timeline) -> Scope:
        """The variables of a stage."""
        return extend(
            self.root_scope(), stage.variables, lambda now: self.contexts.stage(stage, timeline, now), self.groups
        )

    def job_scope(self, stage: Stage, job: Job, timeline: Timeline, leg: Mapping[str, str] | None = None) -> Scope:
        """The variables of a job, or of one instance with its leg's."""
        scope = self.stage_scope(stage, timeline)
        scope = extend(scope, job.variables, lambda now: self.contexts.job(stage, job, timeline, now), self.groups)
        for name, value in (leg or {}).items():
            put(scope, JobVariable(name=name, value=value))
        return scope

    def instances(self, stage: Stage, job: Job, timeline: Timeline) -> tuple[list[Instance], int]:
        """The instances of a job, and how many may run at once (0: all)."""
        if job.deployment is not None:
            return self._deployment(stage, job, job.deployment, timeline), 0
        if job.strategy is None or (job.strategy.matrix is None and job.strategy.parallel is None):
            return [_instance(job, DEFAULT, job.display_name, {})], 0
        scope = self.job_scope(stage, job, timeline)
        legs = self._legs(stage, job, job.strategy, timeline, scope)
        _limit(job, len(legs))
        total = len(legs)
        instances = [
            _instance(
                job, name, f"{job.display_name} {name}", {"leg": leg, "position": position, "total": total, **more}
            )
            for position, (name, leg, more) in enumerate(legs, start=1)
        ]
        return instances, self._max_parallel(stage, job, job.strategy, timeline, scope)

    def _deployment(self, stage: Stage, job: Job, deployment: Deployment, timeline: Timeline) -> list[Instance]:
        target = self.target(job)
        values = expanded(self.job_scope(stage, job, timeline))
        increments = [str(expand(text, values)).strip() for text in deployment.increments]
        for increment in increments:
            if not increment.isdecimal() or not 0 < int(increment[:9]) <= 100:
                raise _problem(f"an increment is a percentage from 1 to 100, not '{increment}'", job.where)
        at_once = 0
        if deployment.max_parallel is not None and deployment.strategy == "rolling":
            count = len(chosen_resources(job, deployment, target))
            value = self.text(stage, job, deployment.max_parallel, timeline, self.job_scope(stage, job, timeline))
            try:
                at_once = batch_size(value, count)
            except ValueError:
                where = deployment.max_parallel.where
                raise _problem(f"'maxParallel' is a number or a percentage, not '{value}'", where) from None
        instances = deployment_instances(job, deployment, target, increments=increments, at_once=at_once)
        _limit(job, len(instances))
        return instances

    def continues_on_error(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        """The job's `continueOnError`."""
        return self.flag(stage, job, job.continue_on_error, timeline)

    def flag(self, stage: Stage, job: Job, text: Text | None, timeline: Timeline) -> bool:
        """A boolean of a job: a text, a macro or a `$[ ]`."""
        if text is None:
            return False
        value = self.text(stage, job, text, timeline, self.job_scope(stage, job, timeline)).strip().casefold()
        if value not in _TRUE | _FALSE:
            raise _problem(f"'{value}' is neither true nor false", text.where)
        return value in _TRUE

    def minutes(self, stage: Stage, job: Job, text: Text | None, timeline: Timeline, default: float) -> float:
        """A number of minutes of a job; `default` where it is not written."""
        if text is None:
            return default
        value = self.text(stage, job, text, timeline, self.job_scope(stage, job, timeline))
        number = as_number(value)
        if number is None or number < 0:
            raise _problem(f"'{value}' is no number of minutes", text.where)
        return float(number)

    def _legs(
        self, stage: Stage, job: Job, strategy: Strategy, timeline: Timeline, scope: Scope
    ) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
        if strategy.parallel is not None:
            count = self._count(stage, job, strategy.parallel, timeline, scope)
            _limit(job, count)
            return [(f"job{number}", {}, {}) for number in range(1, count + 1)]
        matrix = strategy.matrix
        if isinstance(matrix, Text):
            legs = self._runtime_matrix(stage, job, matrix, timeline, scope)
        else:
            _check_names(matrix or {}, job.where)
            legs = {name: {key: text.value for key, text in leg.items()} for name, leg in (matrix or {}).items()}
        # at least one instance is always made (documented)
        return [(name, leg, {}) for name, leg in legs.items()] or [(DEFAULT, {}, {})]

    def _runtime_matrix(
        self, stage: Stage, job: Job, matrix: Text, timeline: Timeline, scope: Scope
    ) -> dict[str, dict[str, str]]:
        value: Value = matrix.value
        if expression := runtime_expression(matrix.value):
            value = evaluate_at(expression, matrix, self.contexts.job(stage, job, timeline, scope))
        if isinstance(value, Secret):
            raise _problem("a secret cannot be a matrix: its values would be shown as job names", matrix.where)
        if isinstance(value, str):
            value = _parse_matrix(value, matrix.where)
        if not isinstance(value, Mapping):
            return {}
        _check_names(value, matrix.where)
        return {name: _leg(name, leg, matrix.where) for name, leg in value.items()}

    def _max_parallel(self, stage: Stage, job: Job, strategy: Strategy, timeline: Timeline, scope: Scope) -> int:
        if strategy.max_parallel is None:
            return 0
        return self._count(stage, job, strategy.max_parallel, timeline, scope)

    def _count(self, stage: Stage, job: Job, text: Text, timeline: Timeline, scope: Scope) -> int:
        value = self.text(stage, job, text, timeline, scope)
        number = as_number(value)
        if number is None or number < 0 or number != int(number):
            raise _problem(f"'{value}' is no whole number", text.where)
        return int(number)

    def text(self, stage: Stage, job: Job, text: Text, timeline: Timeline, scope: Scope) -> str:
        """A text of a job that is evaluated when the job starts: with macros, or a `$[ ]`; a secret shows as ***."""
        value: str | Secret
        if expression := runtime_expression(text.value):
            value = to_text(evaluate_at(expression, text, self.contexts.job(stage, job, timeline, scope)))
        else:
            value = expand(text.value, expanded(scope))
        return str(value)


def _limit(job: Job, count: int) -> None:
    if count > MAX_INSTANCES:
        raise _problem(f"job '{job.name}' has {count} instances; {MAX_INSTANCES} are allowed", job.where)


def _check_names(legs: Iterable[str], where: Location) -> None:
    """Legs become parts of identifiers, which ignore case and have their own use for periods."""
    seen: dict[str, str] = {}
    for name in legs:
        if not name or not is_leg_name(name):
            raise _problem(f"'{name}' is no name for a leg of a matrix", where)
        other = seen.setdefault(name.replace(".", "_").casefold(), name)
        if other != name:
            raise _problem(f"the legs '{other}' and '{name}' of the matrix are too alike", where)


def _parse_matrix(text: str, where: Location) -> Value:
    """The JSON text of a runtime matrix; single quotes are fine, as the documentation uses them."""
    if not text.strip():
        return Object()
    for attempt in (text, text.replace("'", '"')):
        try:
            parsed: Value = json.loads(attempt)
        except ValueError:
            continue
        return parsed
    raise _problem("the matrix is not the JSON text of a mapping of mappings", where)


def _leg(name: str, leg: object, where: Location) -> dict[str, str]:
    if not isinstance(leg, Mapping):
        raise _problem(f"leg '{name}' of the matrix is no mapping of variables", where)
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in leg.items()}


def _instance(job: Job, name: str, display_name: str, details: Mapping[str, Any]) -> Instance:
    return Instance(name=name, display_name=display_name, steps=names_of(job.steps), details=details)


def _text(text: Text | None) -> str:
    return text.value if text else ""


def _problem(what: str, where: Location) -> PipelineError:
    return PipelineError([Problem(what, where)])
