"""Environments of a run: made when they are missing, read for its deployment jobs, told what was deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sluice.errors import PipelineError, Problem
from sluice.language.plan import Environment, Job, Plan, Stage
from sluice.language.resources import environment_name
from sluice.runs.deployments import Target, chosen_resources
from sluice.runs.identifiers import join, shown
from sluice.storage import actions, audit, environments, permissions

if TYPE_CHECKING:
    from sluice.library.environments import EnvironmentStore
    from sluice.runs.creation import NewRun
    from sluice.storage.engine import Transaction
    from sluice.storage.records import RecordRow
    from sluice.storage.runs import RunRow

_SCOPES = "only variables of the YAML's root are known then: not those of stages, jobs, groups or scripts"


def prepare_environments(transaction: Transaction, new: NewRun, store: EnvironmentStore, *, at: float) -> None:
    """Make the environments that are missing (documented), permitted for the pipeline that asked for them.

    Raises `PipelineError` for a name that is known only at run time, and for resources that an environment lacks.
    """
    problems: list[Problem] = []
    for _, job in deploying(new.plan):
        assert job.deployment is not None  # noqa: S101  # tells mypy; `deploying` answers no other jobs
        written = job.deployment.environment
        if written is None:
            continue
        name = environment_name(new.plan, written.name)
        if "$(" in name or name.startswith("$["):
            what = f"the environment's name '{name}' has to be known when the run is created"
            problems.append(Problem(what, written.name.where, _SCOPES))
            continue
        found = environments.find(transaction, new.project.id, name)
        if found is None:
            found = store.create_in(transaction, new.project, name, by=new.requested_by)
            resource = environments.resource_of(found)
            permissions.grant(transaction, resource, new.pipeline.id, by=new.requested_by, at=at)
        try:
            chosen_resources(job, job.deployment, _target(transaction, found))
        except PipelineError as error:
            problems.extend(error.problems)
    if problems:
        raise PipelineError(problems)


def deploying(plan: Plan) -> Iterator[tuple[Stage, Job]]:
    """The deployment jobs of a pipeline."""
    return ((stage, job) for stage in plan.stages for job in stage.jobs if job.deployment is not None)


def target_of(transaction: Transaction, plan: Plan, project_id: int, written: Environment | None) -> Target:
    """The environment that a job deploys to, as it is stored now."""
    name = environment_name(plan, written.name) if written is not None else ""
    found = environments.find(transaction, project_id, name) if name else None
    return _target(transaction, found) if found is not None else Target(name=name)


def _target(transaction: Transaction, found: environments.Environment) -> Target:
    resources = environments.resources(transaction, found)
    return Target(name=found.name, number=found.number, resources=resources)


def record_deployments(
    transaction: Transaction, plan: Plan, run: RunRow, changed: Iterable[RecordRow], *, at: float
) -> None:
    """Keep the history of environments: deployment jobs that started, and that are over."""
    phases = [record for record in changed if record.type == "Phase" and record.started_at is not None]
    if not phases:
        return
    jobs = {join(stage.name, job.name): (stage, job) for stage, job in deploying(plan)}
    for record in phases:
        if (place := jobs.get(record.identifier)) is not None:
            _record(transaction, plan, run, record, *place, at=at)


def _record(
    transaction: Transaction, plan: Plan, run: RunRow, record: RecordRow, stage: Stage, job: Job, *, at: float
) -> None:
    written = job.deployment.environment if job.deployment is not None else None
    if written is None:
        return
    environment = environments.find(transaction, run.project_id, environment_name(plan, written.name))
    if environment is None:
        return
    environments.record_deployment(
        transaction,
        environment,
        run_id=run.id,
        record_id=record.id,
        resource=written.resource_name,
        stage=stage.name,
        job=shown(record.identifier),
        attempt=record.attempt,
        started_at=record.started_at or at,
        finished_at=record.finished_at,
        result=record.result,
    )
    if record.completed:
        event = audit.Event(
            action=actions.DEPLOYMENT_COMPLETED,
            actor=run.requested_by,
            at=at,
            project_id=run.project_id,
            resource_id=environment.id,
            details={
                "RunName": run.name,
                "RunId": run.id,
                "PipelineName": run.pipeline,
                "EnvironmentName": environment.name,
                "DeploymentResult": record.result,
            },
        )
        audit.append(transaction, event)
