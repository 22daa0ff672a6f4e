"""Makes the request that a job is dispatched with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from sluice.errors import PipelineError, Problem
from sluice.language.downloads import download_path
from sluice.language.expressions import Value
from sluice.language.plan import Container, Deployment, Hook, Job, Stage, Step, Text
from sluice.language.tasks import TaskCatalogue, TaskDefinition
from sluice.runs.checkouts import opening, with_named
from sluice.runs.containers import JobContainers, containers_of, places, starting, target_of
from sluice.runs.deployments import variables_of
from sluice.runs.evaluation import Evaluation
from sluice.runs.executions import ALWAYS, execution_of, step_name, titled
from sluice.runs.identifiers import DEFAULT
from sluice.runs.predefined import JobFacts, job_variables
from sluice.runs.step_waits import answer_of, decision_of
from sluice.runs.timeline import STARTED_BY, Timeline
from sluice.runs.variables import expand, expanded, scope_of
from sluice.runtime.request import (
    ConnectionInput,
    Execution,
    JobProgress,
    JobRepository,
    JobRequest,
    JobVariable,
    StepRequest,
)
from sluice.storage.records import RecordRow
from sluice.values import dataclass

JOB_MINUTES = 60.0
"""Documented default of `timeoutInMinutes` of a job."""
CANCEL_MINUTES = 5.0
"""Documented default of `cancelTimeoutInMinutes`."""

_BOOLEANS = {"true": True, "y": True, "yes": True, "on": True, "false": False, "n": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the job runs on its host: the work folder, the job's workspace in it, and the repository's files.

    `private` folders are never copied with the repository; `repositories` are the others that it may check out, and
    `given` is what the run knows of them, by lower-case alias; `containers` are those that the pipeline lists.
    """

    work: Path
    workspace: Path
    repository: Path | None
    private: tuple[Path, ...] = ()
    repositories: tuple[JobRepository, ...] = ()
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A job instance in its run."""

    run_id: int
    stage: Stage
    job: Job
    stage_record: RecordRow
    phase: RecordRow
    record: RecordRow
    steps: tuple[RecordRow, ...]

    @property
    def plan_steps(self) -> tuple[Step, ...]:
        """The steps as written: the job's, or those of the deployment's hook."""
        if self.job.deployment is None:
            return self.job.steps
        return self._hook(self.job.deployment).steps

    @property
    def is_agentless(self) -> bool:
        """Whether it needs no agent (`pool: server`); the hook of a deployment may have a pool of its own."""
        deployment = self.job.deployment
        pool = (self._hook(deployment).pool if deployment is not None else None) or self.job.pool
        return pool is not None and pool.server

    def _hook(self, deployment: Deployment) -> Hook:
        name = self.record.details.get("hook", self.record.ref_name)
        return next(hook for hook in deployment.hooks if hook.name == name)


def build_request(
    position: Position,
    *,
    evaluation: Evaluation,
    timeline: Timeline,
    catalogue: TaskCatalogue,
    place: Place,
    progress: JobProgress | None,
    decided: Mapping[str, Any],
    server: Sequence[JobVariable] = (),
) -> JobRequest:
    """The request of one attempt of a job; raises `SluiceError` when its variables cannot be evaluated.

    `decided` is what people answered to steps, as the run's options have it; `server` are the variables by which they
    reach the server.
    """
    stage, job, record = position.stage, position.job, position.record
    scope = evaluation.job_scope(stage, job, timeline, record.details.get("leg"))
    own = dict(job_variables(_facts(position)))
    if job.deployment is not None:
        own |= variables_of(job.deployment, record.details)
    fixed = [*(JobVariable(name=name, value=value, readonly=True) for name, value in own.items()), *server]
    scope |= scope_of(fixed)
    values = expanded(scope)
    written = {step.name: step for step in position.plan_steps}
    repositories = with_named(place.repositories, position.plan_steps, place.given)
    containers = containers_of(
        place.containers, job, position.plan_steps, lambda text: evaluation.text(stage, job, text, timeline, scope)
    )
    steps = (
        replace(
            _step(row, written[step_name(row.ref_name)], catalogue, values, containers),
            answer=answer_of(record.details, row.id, decision_of(decided, record.id, row.id)),
        )
        for row in position.steps
    )
    named = places(place.containers, job)
    return JobRequest(
        run_id=position.run_id,
        id=record.id,
        identifier=record.identifier,
        display_name=_shown(record.name, values),
        work=place.work,
        workspace=place.workspace,
        repository=place.repository,
        private=place.private,
        repositories=repositories,
        containers=containers.containers,
        attempt=record.attempt,
        variables=tuple(scope.values()),
        steps=tuple(starting(opening(step, repositories), containers, named) for step in steps),
        timeout_seconds=60 * evaluation.minutes(stage, job, job.timeout_minutes, timeline, JOB_MINUTES),
        cancel_timeout_seconds=60
        * evaluation.minutes(stage, job, job.cancel_timeout_minutes, timeline, CANCEL_MINUTES),
        workspace_clean=job.workspace_clean,
        server=position.is_agentless,
        progress=_attempted(progress, fixed) if progress else None,
    )


def _facts(position: Position) -> JobFacts:
    stage, phase, record = position.stage_record, position.phase, position.record
    plain = record.ref_name == DEFAULT
    return JobFacts(
        stage=position.stage.name,
        stage_display_name=position.stage.display_name,
        stage_id=stage.id,
        stage_attempt=stage.attempt,
        phase=position.job.name,
        phase_display_name=position.job.display_name,
        phase_id=phase.id,
        job=position.job.name if plain else record.ref_name,
        job_display_name=record.name,
        job_id=record.id,
        job_identifier=record.identifier,
        job_attempt=record.attempt,
        position=int(record.details.get("position", 1)),
        total=int(record.details.get("total", 1)),
        started_by=str(stage.details.get(STARTED_BY, "")),
    )


def _attempted(progress: JobProgress, fixed: Iterable[JobVariable]) -> JobProgress:
    """Progress that an earlier attempt may have made, with what this attempt is called and what it shows."""
    return replace(progress, variables=tuple((scope_of(progress.variables) | scope_of(fixed)).values()))


def _shown(name: str, values: Mapping[str, Value]) -> str:
    """A display name with its macros replaced, unless that would show a secret."""
    text = expand(name, values)
    return text if isinstance(text, str) else name


def _step(
    record: RecordRow,
    step: Step,
    catalogue: TaskCatalogue,
    values: Mapping[str, Value],
    containers: JobContainers,
) -> StepRequest:
    catalogue.check_planned(step.package)
    definition = catalogue.find_planned(step.task.value, step.package)
    target = step.target
    execution = execution_of(record.ref_name)
    condition = step.condition.value if step.condition else ""
    return StepRequest(
        id=record.id,
        name=step.name,
        display_name=titled(_shown(step.display_name, values), execution),
        task=definition.reference if definition else step.task.value,
        inputs=_inputs(step, definition),
        connection_inputs=_connection_inputs(step, definition),
        file_inputs=_file_inputs(step, definition),
        env={name: text.value for name, text in step.env.items()},
        condition=ALWAYS if execution is Execution.POST else condition,
        continue_on_error=_boolean(step.continue_on_error),
        timeout_seconds=60 * _minutes(step.timeout_minutes),
        retry_count=step.retry_count,
        restricted=target.restricted if target else False,
        settable=target.settable if target else None,
        where=str(step.where),
        package=step.package,
        execution=execution,
        implicit=step.implicit,
        target=target_of(step, containers),
    )


def _inputs(step: Step, definition: TaskDefinition | None) -> dict[str, str]:
    """Defaults, then what is written, under the task's own names; a name wins over its aliases."""
    if definition is None:
        return {name: text.value for name, text in step.inputs.items()}
    inputs = {one.name: one.default for one in definition.inputs}
    for written, text in _by_precedence(step.inputs, definition):
        known = definition.input(written)
        inputs[known.name if known else written] = text.value
    if path := download_path(step):
        inputs["path"] = path
    return inputs


def _by_precedence(inputs: Mapping[str, Text], definition: TaskDefinition) -> list[tuple[str, Text]]:
    """Aliases first, last declared alias first, so that what is applied later is what counts."""

    def rank(item: tuple[str, Text]) -> int:
        known = definition.input(item[0])
        if known is None or known.name.casefold() == item[0].casefold():
            return 0
        aliases = [alias.casefold() for alias in known.aliases]
        return -1 - aliases.index(item[0].casefold())

    return sorted(inputs.items(), key=rank)


def _connection_inputs(step: Step, definition: TaskDefinition | None) -> tuple[ConnectionInput, ...]:
    if definition is None:
        return ()
    found: dict[str, ConnectionInput] = {}
    for written, text in _by_precedence(step.inputs, definition):
        known = definition.input(written)
        wanted = definition.connections.get(known.name) if known else None
        if known and wanted:
            found[known.name] = ConnectionInput(
                name=known.name, written=written, type=wanted.type, schemes=wanted.schemes, where=str(text.where)
            )
    return tuple(found.values())


def _file_inputs(step: Step, definition: TaskDefinition | None) -> tuple[ConnectionInput, ...]:
    if definition is None:
        return ()
    found = {
        known.name: ConnectionInput(name=known.name, written=written, where=str(text.where))
        for written, text in _by_precedence(step.inputs, definition)
        if (known := definition.input(written)) and known.type.casefold() == "securefile"
    }
    return tuple(found.values())


def _boolean(text: Text | None) -> bool:
    if text is None or not text.value.strip():
        return False
    value = _BOOLEANS.get(text.value.strip().casefold())
    if value is None:
        raise PipelineError([Problem(f"'{text.value}' is neither true nor false", text.where)])
    return value


def _minutes(text: Text | None) -> float:
    if text is None or not text.value.strip():
        return 0.0
    try:
        minutes = float(text.value)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < float("inf"):
        raise PipelineError([Problem(f"'{text.value}' is no number of minutes", text.where)])
    return minutes
