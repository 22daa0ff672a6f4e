"""Creates a run: the plan with its needs checked, its number, its variables and the timeline's first records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field, replace
from datetime import UTC, datetime
from typing import Any

from sluice.authorization.resources import (
    ENDPOINT,
    ENVIRONMENT,
    OF_THE_RUN,
    QUEUE,
    REPOSITORY,
    SECURE_FILE,
    VARIABLE_GROUP,
    Need,
    Refusal,
)
from sluice.connections import deletion
from sluice.errors import Location, PipelineError, Problem, UsageError
from sluice.language.expressions import ExpressionError
from sluice.language.plan import Plan, Stage
from sluice.language.plan_json import encode
from sluice.language.predefined_names import is_predefined
from sluice.language.resources import ResourceUse, stage_resources
from sluice.language.run_name import format_run_name
from sluice.language.unsupported import refuse_unsupported
from sluice.library.environments import EnvironmentStore
from sluice.library.settings import Settings
from sluice.library.settings import read as read_settings
from sluice.rights import Right
from sluice.runs.access import assess_needs
from sluice.runs.contexts import Contexts
from sluice.runs.environments import prepare_environments
from sluice.runs.groups import has_groups
from sluice.runs.identifiers import join, record_id
from sluice.runs.orchestrator import Orchestrator
from sluice.runs.pipeline_resources import resource_variables
from sluice.runs.pipelines import resource_of
from sluice.runs.predefined import RunFacts, Source, run_variables
from sluice.runs.secrets import OPTION as SECRETS
from sluice.runs.secrets import keep, markers, names_of
from sluice.runs.variables import Scope, expanded, extend, put, scope_of
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.storage import counters, records, runs
from sluice.storage.engine import Transaction
from sluice.storage.pipelines import Pipeline
from sluice.storage.pools import ensure_standard, is_standard
from sluice.storage.projects import Project
from sluice.storage.records import RecordRow
from sluice.storage.runs import RunRow
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What a run is made of; `variables` and `secrets` are those given when it is queued.

    `repositories` is what is known of the pipeline's other repositories, by lower-case alias: a `path` or a `commit`.
    """

    plan: Plan
    project: Project
    pipeline: Pipeline
    source: Source
    requested_by: str
    email: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    repositories: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    detached: bool = False
    resources: Mapping[str, str] = field(default_factory=dict)
    """The variables of `resources.pipelines`, which are found out when the run is created."""
    reason: str = "Manual"


Prepare = Callable[[Transaction, NewRun], NewRun]
"""What is stored together with a run or not at all, such as its pipeline and permits; answers the run with these."""


def create(orchestrator: Orchestrator, new: NewRun, *, prepare: Prepare | None = None) -> RunRow:
    """Store a new run and answer it.

    Raises `PipelineError` when a connection that it names can never be used: it does not exist, is disabled, or does
    not fit. One that merely is not permitted yet is no error: the run will wait for it.
    """
    with orchestrator.database.write() as transaction:
        return create_in(orchestrator, transaction, prepare(transaction, new) if prepare else new)


def create_in(orchestrator: Orchestrator, transaction: Transaction, new: NewRun) -> RunRow:
    """As `create`, in a transaction that is open."""
    refuse_unsupported(new.plan)
    _refuse_given(new)
    catalogue = orchestrator.tasks()
    needs = {
        stage.name: tuple(
            need_of_use(use, stage.name) for use in protected(stage_resources(new.plan, stage, catalogue))
        )
        for stage in new.plan.stages
    }
    now = orchestrator.clock()
    orchestrator.store.guard.require(transaction, Right.USE, resource_of(new.pipeline), new.pipeline.name)
    new = replace(new, resources=resource_variables(transaction, new.plan, new.project))
    environments = EnvironmentStore(orchestrator.store.guard, clock=orchestrator.clock)
    deletion.purge(transaction, at=now)  # cheap, and runs are made all the time
    prepare_environments(transaction, new, environments, at=now)
    if any(need.kind == QUEUE and is_standard(need.name) for each in needs.values() for need in each):
        ensure_standard(transaction, new.project, at=now)
    _refuse_hopeless(orchestrator, transaction, new, [need for each in needs.values() for need in each])
    run_id = runs.add(
        transaction,
        project_id=new.project.id,
        pipeline_id=new.pipeline.id,
        requested_by=new.requested_by,
        options={},
        at=now,
    )
    settings = read_settings(transaction, new.pipeline.id)
    name, variables = _name_and_variables(transaction, new, settings, run_id, now)
    keep(transaction, orchestrator.store.sealer, run_id, new.secrets)
    options = {
        "file": new.plan.file,
        "repository": new.source.root,
        "branch": new.source.branch,
        "version": new.source.version,
        "untrusted": new.source.untrusted,
        "detached": new.detached,
        "repositories": {alias: dict(facts) for alias, facts in new.repositories.items()},
        "variables": [_stored(variable) for variable in variables],
        SECRETS: names_of(settings, new.variables, new.secrets),
    }
    runs.set_plan(transaction, run_id, name=name, plan=encode(new.plan), options=options)
    records.add(transaction, run_id, first_records(new.plan, needs))
    run = runs.get(transaction, run_id)
    assert run is not None  # noqa: S101  # it was stored in this transaction
    return run


def protected(uses: Sequence[ResourceUse]) -> list[ResourceUse]:
    """What the checkpoints ask for. A name that is known only at run time, in an input, is looked up by its step."""
    kinds = {VARIABLE_GROUP, ENVIRONMENT}
    return [
        use
        for use in uses
        if use.kind in kinds
        or (use.kind in {ENDPOINT, SECURE_FILE, QUEUE} and not use.unresolved)
        or (use.kind == REPOSITORY and not use.elsewhere)
    ]


def need_of_use(use: ResourceUse, stage: str) -> Need:
    """A use of a resource in a stage, as authorization asks for it."""
    return Need(
        name=use.name,
        kind=use.kind,
        stage=stage,
        task=use.task,
        job=use.job,
        step=use.step,
        input=use.input,
        type=use.type,
        schemes=use.schemes,
        where=str(use.where),
    )


def _refuse_hopeless(orchestrator: Orchestrator, transaction: Transaction, new: NewRun, needs: Sequence[Need]) -> None:
    if not needs:
        return
    assessment = assess_needs(transaction, orchestrator.store, new.project.id, new.pipeline.id, needs)
    if refusals := [one for one in assessment.refusals if one.reason not in OF_THE_RUN]:
        raise PipelineError(_as_problem(refusal) for refusal in refusals)


def _as_problem(refusal: Refusal) -> Problem:
    file, line, column = _place(refusal.need.where)
    text = f"The pipeline is not valid. {refusal.text}" if refusal.need.kind == ENDPOINT else refusal.text
    return Problem(text, Location(file, line, column), do=refusal.hint)


def _place(where: str) -> tuple[str, int, int]:
    file, line, column = [*where.rsplit(":", 2), "0", "0"][:3]
    return (file, int(line), int(column)) if line.isdecimal() and column.isdecimal() else (where, 0, 0)


def _name_and_variables(
    transaction: Transaction, new: NewRun, settings: Settings, run_id: int, now: float
) -> tuple[str, tuple[JobVariable, ...]]:
    """The run's number and its variables; the number may read those that do not depend on it.

    Where variable groups come in at the root, or secrets were given, these are the variables below the root YAML
    variables: groups are read at run time, and what stands before and after them in their block with them.
    """
    facts = run_facts(new, run_id, now)
    contexts = Contexts(
        new.plan,
        started=now,
        counter=lambda prefix, seed: counters.once_a_run(transaction, new.pipeline.id, run_id, prefix, seed),
        open_outputs=lambda _: {},
    )
    scope = root_scope(given_scope(facts, new, settings), new.plan, contexts)
    values = {name: value for name, value in expanded(scope).items() if isinstance(value, str)}
    name = format_run_name(
        new.plan.run_name,
        values,
        now=datetime.fromtimestamp(now, UTC),
        next_revision=lambda rest: counters.next_value(transaction, new.pipeline.id, "revision", rest, 1),
    )
    named = replace(facts, run_name=name)
    scope = given_scope(named, new, settings)
    if not is_deferred(scope, new.plan):
        scope = root_scope(scope, new.plan, contexts)
    return name, tuple(variable for variable in scope.values() if isinstance(variable.value, str))


def run_facts(new: NewRun, run_id: int, now: float) -> RunFacts:
    """What predefined variables tell of a run that has no number yet."""
    return RunFacts(
        run_id=run_id,
        run_name="",
        pipeline_id=new.pipeline.id,
        pipeline=new.pipeline.name,
        project=new.project.name,
        project_id=new.project.guid,
        requested_by=new.requested_by,
        email=new.email,
        started=datetime.fromtimestamp(now, UTC).isoformat(" ", "seconds"),
        source=new.source,
        reason=new.reason,
        resources=new.resources,
    )


def is_deferred(scope: Scope, plan: Plan) -> bool:
    """Whether root YAML variables may read what is opened only when a job starts: a group, or a secret."""
    return has_groups(plan.variables) or any(isinstance(variable.value, Secret) for variable in scope.values())


def root_scope(scope: Scope, plan: Plan, contexts: Contexts) -> Scope:
    """The variables that hold for the whole run, as far as they are known before groups and secrets are read."""
    if not is_deferred(scope, plan):
        return extend(scope, plan.variables, contexts.root)
    for variable in plan.variables:
        with contextlib.suppress(ExpressionError):  # it may read what comes in with a group: told when that is read
            scope = extend(scope, [variable], contexts.root)
    return scope


def given_scope(facts: RunFacts, new: NewRun, settings: Settings) -> Scope:
    """The variables below those of the YAML: predefined, set for the pipeline, and given when the run is queued."""
    predefined = (
        JobVariable(name=name, value=value, readonly=is_predefined(name))
        for name, value in run_variables(facts).items()
    )
    scope = scope_of(predefined)
    for name, value in (*settings.variables.items(), *new.variables.items()):
        put(scope, JobVariable(name=name, value=value))
    for variable in markers({SECRETS: names_of(settings, new.variables, new.secrets)}):
        put(scope, variable)
    return scope


def _refuse_given(new: NewRun) -> None:
    names = [*new.variables, *new.secrets]
    if twice := {name.casefold() for name in new.variables} & {name.casefold() for name in new.secrets}:
        raise UsageError(f"'{min(twice)}' is given as a variable and as a secret", do="give one of the two")
    if taken := sorted(filter(is_predefined, names)):
        shown = ", ".join(f"'{name}'" for name in taken)
        raise UsageError(
            f"predefined variables are read-only and cannot be given: {shown}",
            do="only Build.Clean and System.Debug can be; choose another name",
        )


def _stored(variable: JobVariable) -> tuple[str, str, bool]:
    if isinstance(variable.value, Secret):
        raise TypeError("root variables are public: nothing secret can be read when a run is created")
    return variable.name, variable.value, variable.readonly


def first_records(plan: Plan, needs: Mapping[str, Sequence[Need]]) -> list[RecordRow]:
    """The timeline of a run that has just been created: its stages with what they need, and their jobs."""
    rows: list[RecordRow] = []
    for index, stage in enumerate(plan.stages, start=1):
        details: dict[str, Any] = {"needs": [asdict(need) for need in needs[stage.name]]} if needs[stage.name] else {}
        record = RecordRow(
            id=record_id(stage.name),
            type="Stage",
            identifier=stage.name,
            name=stage.display_name,
            ref_name=stage.name,
            order=index,
            details=details,
        )
        rows.append(record)
        rows.extend(_phase_records(stage, record))
    return rows


def _phase_records(stage: Stage, record: RecordRow) -> list[RecordRow]:
    return [
        RecordRow(
            id=record_id(join(stage.name, job.name)),
            type="Phase",
            identifier=join(stage.name, job.name),
            name=job.display_name,
            ref_name=job.name,
            parent_id=record.id,
            order=index,
        )
        for index, job in enumerate(stage.jobs, start=1)
    ]
