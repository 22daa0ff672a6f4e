"""What expressions of stages and jobs read: variables, dependencies and their outputs (pipeline language, 6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from sluice.language.expressions import Context, DateTime, DependencyStatus, Object, Phase, Value
from sluice.language.plan import Job, Plan, Stage
from sluice.runs.executions import step_name
from sluice.runs.identifiers import DEFAULT
from sluice.runs.timeline import Timeline
from sluice.runs.variables import Scope, expanded
from sluice.secret import Secret
from sluice.storage.records import RecordRow

OpenOutputs = Callable[[str], Mapping[str, Secret]]
"""Opens the secret outputs of a job, by `step.name`."""


class Contexts:
    """Makes the contexts of one run from its timeline as it is now.

    To its jobs a stage that was denied a Permit (one of `denied`) is as canceled as if the run were.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        started: float,
        counter: Callable[[str, int], int],
        open_outputs: OpenOutputs,
        canceled: bool = False,
        denied: frozenset[str] = frozenset(),
    ) -> None:
        self._plan = plan
        self._started = DateTime(datetime.fromtimestamp(started, UTC))
        self._canceled = canceled
        self._denied = denied
        self._counter = counter
        self._open_outputs = open_outputs

    def root(self, scope: Scope) -> Context:
        """For root variables."""
        return self._context(scope, {})

    def stage(self, stage: Stage, timeline: Timeline, scope: Scope) -> Context:
        """For a stage's condition and variables."""
        dependencies = {name: self._stage_value(self._plan.stage(name), timeline) for name in stage.depends_on}
        results = {name: timeline.stage(self._plan.stage(name)).result for name in _all_before(stage, self._stages())}
        status = DependencyStatus(results=results, canceled=self._canceled, phase=Phase.STAGE_CONDITION)
        return self._context(scope, self._across(stage, timeline, Object(dependencies)), status)

    def job(self, stage: Stage, job: Job, timeline: Timeline, scope: Scope) -> Context:
        """For a job's condition, variables and strategy."""
        jobs = {other.name.casefold(): other for other in stage.jobs}
        named = [jobs[name.casefold()] for name in job.depends_on]
        dependencies = Object({other.name: self._job_value(stage, other, timeline) for other in named})
        before = _all_before(job, jobs)
        results = {name: timeline.phase(stage, jobs[name.casefold()]).result for name in before}
        canceled = timeline.is_canceled(stage, run_canceled=self._canceled)
        status = DependencyStatus(results=results, canceled=canceled or stage.name in self._denied)
        return self._context(scope, self._across(stage, timeline, dependencies), status)

    def _across(self, stage: Stage, timeline: Timeline, dependencies: Object) -> dict[str, Value]:
        stages = {
            name: Object({job.name: self._job_value(other, job, timeline) for job in other.jobs})
            for name in stage.depends_on
            for other in [self._plan.stage(name)]
        }
        return {"dependencies": dependencies, "stageDependencies": Object(stages)}

    def _context(self, scope: Scope, names: Mapping[str, Value], status: DependencyStatus | None = None) -> Context:
        pipeline = Object({"startTime": self._started})
        values = {"variables": expanded(scope), "pipeline": pipeline, **names}
        return Context(names=values, counter=self._counter, status=status)

    def _stages(self) -> Mapping[str, Stage]:
        return {stage.name.casefold(): stage for stage in self._plan.stages}

    def _stage_value(self, stage: Stage, timeline: Timeline) -> Value:
        outputs = _Outputs(
            (f"{job.name}.{key}", value) for job in stage.jobs for key, value in self._outputs(stage, job, timeline)
        )
        return Object({"result": timeline.stage(stage).result, "outputs": outputs})

    def _job_value(self, stage: Stage, job: Job, timeline: Timeline) -> Value:
        outputs = _Outputs(self._outputs(stage, job, timeline))
        return Object({"result": timeline.phase(stage, job).result, "outputs": outputs})

    def _outputs(self, stage: Stage, job: Job, timeline: Timeline) -> Iterator[tuple[str, Value]]:
        for instance in timeline.jobs(timeline.phase(stage, job)):
            for prefix in _prefixes(job, instance):
                for key, value in self._instance_outputs(instance, timeline):
                    yield f"{prefix}{key}", value

    def _instance_outputs(self, instance: RecordRow, timeline: Timeline) -> Iterator[tuple[str, str | Secret]]:
        for step in timeline.steps(instance):
            for name, value in step.outputs.items():
                yield f"{step_name(step.ref_name)}.{name}", value
        if instance.details.get("secretOutputs"):
            yield from self._open_outputs(instance.id).items()


class _Outputs(Object):
    """Outputs, gathered only when an expression reads them: secret ones stay sealed until then."""

    __slots__ = ("_source",)

    def __init__(self, source: Iterable[tuple[str, Value]]) -> None:
        self._source: Iterable[tuple[str, Value]] | None = source

    def _gather(self) -> None:
        if self._source is not None:
            super().__init__(self._source)
            self._source = None

    def __getitem__(self, key: str) -> Value:
        self._gather()
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        self._gather()
        return super().__iter__()

    def __len__(self) -> int:
        self._gather()
        return super().__len__()


def _prefixes(job: Job, instance: RecordRow) -> tuple[str, ...]:
    """How outputs of an instance are addressed: by leg or slice, by deployment or hook, or directly."""
    if job.deployment is not None:
        hook = str(instance.details.get("hook", instance.ref_name))
        if part := instance.details.get("increment") or instance.details.get("resource"):
            return (f"{hook}_{part}.",)
        return (f"{job.name}.", f"{hook}.") if hook.casefold() == "deploy" else (f"{hook}.",)
    return ("",) if instance.ref_name == DEFAULT else (f"{instance.ref_name}.",)


def _all_before(unit: Stage | Job, units: Mapping[str, Stage | Job]) -> list[str]:
    """Names of all direct and indirect dependencies."""
    found: dict[str, str] = {}
    queue = list(unit.depends_on)
    while queue:
        other = units[queue.pop().casefold()]
        if other.name.casefold() not in found:
            found[other.name.casefold()] = other.name
            queue.extend(other.depends_on)
    return list(found.values())
