"""Environments: what deployment jobs deploy to, the resources in them, and the history. Every change is audited."""

from __future__ import annotations

import difflib
import json
import re
import uuid
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import ConflictError, NotFoundError, UsageError
from sluice.storage import actions, audit, check_configurations, permissions, projects
from sluice.storage.action import Action
from sluice.storage.engine import Row, Transaction
from sluice.storage.names import clean_name, hidden_characters, is_guid, name_key
from sluice.storage.tables import deployments, environment_resources, environments, pipelines, runs
from sluice.values import dataclass

VIRTUAL_MACHINE = "VirtualMachine"
KUBERNETES = "Kubernetes"
TYPES = (VIRTUAL_MACHINE, KUBERNETES)
MAX_NAME = 260

_RESOURCE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z")
_COLUMNS = ("number", "id", "project_id", "name", "description", "created_by", "created_at")
_LISTED = select(*(environments.c[name] for name in _COLUMNS))
_HERE = environments.c.project_id == bindparam("project")
_RESOURCES = (
    select(
        environment_resources.c.number,
        environment_resources.c.name,
        environment_resources.c.type,
        environment_resources.c.tags,
    )
    .where(environment_resources.c.environment_id == bindparam("environment"))
    .order_by(environment_resources.c.number)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentResource:
    """A machine or cluster in an environment; `type` is one of `TYPES`."""

    number: int
    name: str
    type: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment of a project; `number` is what jobs see as its id."""

    number: int
    id: str
    project_id: int
    name: str
    description: str
    created_by: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment job that went to an environment; `result` is '' as long as it runs."""

    run_id: int
    run: str
    pipeline: str
    resource: str
    stage: str
    job: str
    attempt: int
    started_at: float
    finished_at: float | None
    result: str


def find(transaction: Transaction, project_id: int, name: str) -> Environment | None:
    """The environment of that name (ignoring case) or id in a project."""
    criterion = (
        environments.c.id == name.strip().lower() if is_guid(name) else environments.c.name_key == name_key(name)
    )
    row = transaction.row(_LISTED.where(_HERE, criterion), {"project": project_id})
    return _environment(row) if row else None


def not_found(name: str, known: list[str]) -> NotFoundError:
    """That there is no such environment, with the nearest of those that are known."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "see 'sluice environment list'"
    return NotFoundError(f"there is no environment '{clean_name(name)}'", do=hint)


def listed(transaction: Transaction, project_id: int) -> tuple[Environment, ...]:
    """The environments of a project, by name."""
    query = _LISTED.where(_HERE).order_by(environments.c.name_key)
    return tuple(_environment(row) for row in transaction.rows(query, {"project": project_id}))


def names(transaction: Transaction, project_id: int) -> list[str]:
    """The names of a project's environments."""
    return [one.name for one in listed(transaction, project_id)]


def resources(transaction: Transaction, environment: Environment) -> tuple[EnvironmentResource, ...]:
    """The resources of an environment, in the order in which they were added."""
    rows = transaction.rows(_RESOURCES, {"environment": environment.id})
    return tuple(
        EnvironmentResource(number=number, name=name, type=kind, tags=tuple(json.loads(tags)))
        for number, name, kind, tags in rows
    )


def create(
    transaction: Transaction, project: projects.Project, name: str, *, by: str, at: float, description: str = ""
) -> Environment:
    """Make an environment; raises `ConflictError` when the name is taken, `UsageError` for one that cannot be."""
    cleaned = clean_name(name)
    if not cleaned or len(cleaned) > MAX_NAME or hidden_characters(cleaned) or is_guid(cleaned):
        raise UsageError(f"'{cleaned[:80]}' is no name for an environment", do="choose a name of words")
    if find(transaction, project.id, cleaned) is not None:
        raise ConflictError(f"the environment '{cleaned}' exists already", do="choose another name")
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": project.id,
        "name": cleaned,
        "description": description.strip()[:1024],
        "created_by": by,
        "created_at": at,
    }
    number = transaction.insert(sqlalchemy.insert(environments).values(**values, name_key=name_key(cleaned)))
    made = Environment(number=number, **values)
    _record(transaction, actions.ENVIRONMENT_CREATED, made, by=by, at=at)
    return made


def delete(transaction: Transaction, environment: Environment, *, by: str, at: float) -> None:
    """Delete an environment with its resources, permits and history."""
    resource_type = permissions.ENVIRONMENT
    permissions.revoke_everywhere(transaction, environment.id, by=by, at=at, resource_type=resource_type)
    change = check_configurations.Change(by=by, at=at, kind="", resource_type="environment", resource=environment.name)
    check_configurations.remove_of_resource(transaction, resource_of(environment), change)
    for table in (deployments, environment_resources):
        transaction.execute(sqlalchemy.delete(table).where(table.c.environment_id == environment.id))
    transaction.execute(sqlalchemy.delete(environments).where(environments.c.id == environment.id))
    _record(transaction, actions.ENVIRONMENT_DELETED, environment, by=by, at=at)


def add_resource(
    transaction: Transaction,
    environment: Environment,
    name: str,
    kind: str,
    *,
    by: str,
    at: float,
    tags: tuple[str, ...] = (),
) -> EnvironmentResource:
    """Add a resource; raises `ConflictError` when the name is taken, `UsageError` for one that cannot be."""
    if _RESOURCE_NAME.match(name) is None:
        raise UsageError(f"'{name}' is no name for a resource", do="letters, digits, - and _ only")
    if any(name_key(one.name) == name_key(name) for one in resources(transaction, environment)):
        raise ConflictError(f"the environment '{environment.name}' has a resource '{name}' already")
    values = {"name": name, "type": kind, "tags": json.dumps(list(tags))}
    number = transaction.insert(
        sqlalchemy.insert(environment_resources).values(
            **values, environment_id=environment.id, name_key=name_key(name)
        )
    )
    _record(transaction, actions.ENVIRONMENT_CHANGED, environment, by=by, at=at, change=f"added {kind} {name}")
    return EnvironmentResource(number=number, name=name, type=kind, tags=tags)


def remove_resource(transaction: Transaction, environment: Environment, name: str, *, by: str, at: float) -> str:
    """Remove a resource; answers its name as it was stored. Raises `NotFoundError`."""
    known = {name_key(one.name): one for one in resources(transaction, environment)}
    found = known.get(name_key(name))
    if found is None:
        has = ", ".join(one.name for one in known.values()) or "none"
        raise NotFoundError(f"the environment '{environment.name}' has no resource '{name}'", do=f"it has: {has}")
    table = environment_resources
    transaction.execute(sqlalchemy.delete(table).where(table.c.number == found.number))
    _record(transaction, actions.ENVIRONMENT_CHANGED, environment, by=by, at=at, change=f"removed {found.name}")
    return found.name


def resource_of(environment: Environment) -> permissions.Resource:
    """The environment as a protected resource."""
    return permissions.Resource(environment.project_id, environment.id, permissions.ENVIRONMENT)


def record_deployment(
    transaction: Transaction,
    environment: Environment,
    *,
    run_id: int,
    record_id: str,
    resource: str,
    stage: str,
    job: str,
    attempt: int,
    started_at: float,
    finished_at: float | None,
    result: str,
) -> None:
    """Keep how far a deployment is; later calls for the same record replace what was kept."""
    same = (deployments.c.run_id == run_id) & (deployments.c.record_id == record_id)
    transaction.execute(sqlalchemy.delete(deployments).where(same))
    transaction.execute(
        sqlalchemy.insert(deployments).values(
            run_id=run_id,
            record_id=record_id,
            environment_id=environment.id,
            resource=resource,
            stage=stage,
            job=job,
            attempt=attempt,
            started_at=started_at,
            finished_at=finished_at,
            result=result,
        )
    )


def history(transaction: Transaction, environment: Environment, *, limit: int = 100) -> tuple[Deployment, ...]:
    """What was deployed to an environment, newest first."""
    columns = (name for name in Deployment.__slots__ if name not in {"run", "pipeline"})
    query = (
        select(*(deployments.c[name] for name in columns), runs.c.name.label("run"), pipelines.c.name.label("pipeline"))
        .join(runs, runs.c.id == deployments.c.run_id)
        .join(pipelines, pipelines.c.id == runs.c.pipeline_id)
        .where(deployments.c.environment_id == environment.id)
        .order_by(deployments.c.started_at.desc(), deployments.c.run_id.desc())
        .limit(limit)
    )
    return tuple(Deployment(**row._mapping) for row in transaction.rows(query))  # noqa: SLF001  # SQLAlchemy's name


def _environment(row: Row) -> Environment:
    return Environment(**dict(zip(_COLUMNS, row, strict=True)))


def _record(
    transaction: Transaction, action: Action, environment: Environment, *, by: str, at: float, change: str = ""
) -> None:
    project = projects.get(transaction, environment.project_id)
    details = {"EnvironmentName": environment.name, "EnvironmentId": environment.id, "ProjectName": project.name}
    if change:
        details["Change"] = change
    event = audit.Event(
        action=action, actor=by, at=at, project_id=project.id, resource_id=environment.id, details=details
    )
    audit.append(transaction, event)
