"""Agent pools of a project: what jobs name with `pool`. Every change is audited."""

from __future__ import annotations

import difflib
import json
import uuid
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import ConflictError, NotFoundError, UsageError
from sluice.storage import actions, audit, check_configurations, permissions, projects
from sluice.storage.action import Action
from sluice.storage.engine import Row, Transaction
from sluice.storage.names import clean_name, hidden_characters, is_guid, name_key
from sluice.storage.tables import records, runs
from sluice.storage.tables_pools import pools
from sluice.values import dataclass

STANDARD = ("Default", "Azure Pipelines")
"""The pools that every project has, open to all pipelines (documented); the second is that of hosted machines."""

MAX_NAME = 260
_COLUMNS = ("number", "id", "project_id", "name", "description", "created_by", "created_at")
_LISTED = select(*(pools.c[name] for name in _COLUMNS))
_HERE = pools.c.project_id == bindparam("project")
_RESERVED = frozenset({"server"})  # what `pool: server` means


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of a project; `number` is what the REST interface calls the id of the queue."""

    number: int
    id: str
    project_id: int
    name: str
    description: str
    created_by: str
    created_at: float


def find(transaction: Transaction, project_id: int, name: str) -> Pool | None:
    """The pool of that name (ignoring case) or id in a project."""
    criterion = pools.c.id == name.strip().lower() if is_guid(name) else pools.c.name_key == name_key(name)
    row = transaction.row(_LISTED.where(_HERE, criterion), {"project": project_id})
    return _pool(row) if row else None


def not_found(name: str, known: list[str]) -> NotFoundError:
    """That there is no such pool, with the nearest of those that are known."""
    if is_standard(name):
        return NotFoundError(f"the pool '{clean_name(name)}' is not made yet", do="'sluice pool list' makes it")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "see 'sluice pool list'"
    return NotFoundError(f"there is no pool '{clean_name(name)}'", do=hint)


def listed(transaction: Transaction, project_id: int) -> tuple[Pool, ...]:
    """The pools of a project, by name."""
    query = _LISTED.where(_HERE).order_by(pools.c.name_key)
    return tuple(_pool(row) for row in transaction.rows(query, {"project": project_id}))


def names(transaction: Transaction, project_id: int) -> list[str]:
    """The names of a project's pools."""
    return [one.name for one in listed(transaction, project_id)]


def is_standard(name: str) -> bool:
    """Whether every project has a pool of that name."""
    return name_key(name) in {name_key(one) for one in STANDARD}


def ensure_standard(transaction: Transaction, project: projects.Project, *, at: float) -> None:
    """Make the pools that every project has, open to all pipelines; those that are there stay as they are."""
    known = {name_key(one) for one in names(transaction, project.id)}
    for name in STANDARD:
        if name_key(name) not in known:
            made = create(transaction, project, name, by="sluice", at=at)
            permissions.grant(transaction, resource_of(made), permissions.ALL_PIPELINES, by="sluice", at=at)


def create(
    transaction: Transaction, project: projects.Project, name: str, *, by: str, at: float, description: str = ""
) -> Pool:
    """Make a pool; raises `ConflictError` when the name is taken, `UsageError` for one that cannot be."""
    cleaned = clean_name(name)
    if not cleaned or len(cleaned) > MAX_NAME or hidden_characters(cleaned) or is_guid(cleaned):
        raise UsageError(f"'{cleaned[:80]}' is no name for a pool", do="choose a name of words")
    if name_key(cleaned) in _RESERVED:
        raise UsageError(f"'{cleaned}' is no name for a pool", why="'pool: server' says that a job needs no agent")
    if find(transaction, project.id, cleaned) is not None:
        raise ConflictError(f"the pool '{cleaned}' exists already", do="choose another name")
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": project.id,
        "name": cleaned,
        "description": description.strip()[:1024],
        "created_by": by,
        "created_at": at,
    }
    number = transaction.insert(sqlalchemy.insert(pools).values(**values, name_key=name_key(cleaned)))
    made = Pool(number=number, **values)
    _record(transaction, actions.POOL_CREATED, made, by=by, at=at)
    return made


def delete(transaction: Transaction, pool: Pool, *, by: str, at: float) -> None:
    """Delete a pool with its permits and checks; raises `ConflictError` for one that every project has."""
    if is_standard(pool.name):
        raise ConflictError(
            f"every project has the pool '{pool.name}'",
            do=f"close it: sluice pool revoke '{pool.name}' --all-pipelines",
        )
    _remove(transaction, pool, by=by, at=at)


def drop_standard(transaction: Transaction, project_id: int, *, by: str, at: float) -> None:
    """Remove the pools that every project has: their project goes."""
    for pool in listed(transaction, project_id):
        if is_standard(pool.name):
            _remove(transaction, pool, by=by, at=at)


def _remove(transaction: Transaction, pool: Pool, *, by: str, at: float) -> None:
    permissions.revoke_everywhere(transaction, pool.id, by=by, at=at, resource_type=permissions.QUEUE)
    change = check_configurations.Change(by=by, at=at, kind="", resource_type=permissions.QUEUE, resource=pool.name)
    check_configurations.remove_of_resource(transaction, resource_of(pool), change)
    transaction.execute(sqlalchemy.delete(pools).where(pools.c.id == pool.id))
    _record(transaction, actions.POOL_DELETED, pool, by=by, at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUses:
    """How many stages of a pipeline's runs have used a pool, and when the last one started."""

    pipeline_id: int
    count: int
    last_at: float


def uses(transaction: Transaction, pool: Pool) -> list[PoolUses]:
    """Who has used a pool: the stages that started and whose jobs name it, by pipeline."""
    query = select(runs.c.pipeline_id, records.c.started_at, records.c.details).join(
        runs, runs.c.id == records.c.run_id
    )
    query = query.where(
        runs.c.project_id == pool.project_id,
        records.c.type == "Stage",
        records.c.started_at.is_not(None),
        records.c.details.contains(f'"{permissions.QUEUE}"', autoescape=True),
    )
    found: dict[int, PoolUses] = {}
    for pipeline_id, started_at, details in transaction.rows(query.order_by(records.c.started_at)):
        needs = json.loads(details).get("needs", ())
        if any((one["kind"], name_key(one["name"])) == (permissions.QUEUE, name_key(pool.name)) for one in needs):
            count = found[pipeline_id].count + 1 if pipeline_id in found else 1
            found[pipeline_id] = PoolUses(pipeline_id=pipeline_id, count=count, last_at=started_at)
    return list(found.values())


def resource_of(pool: Pool) -> permissions.Resource:
    """The pool as a protected resource."""
    return permissions.Resource(pool.project_id, pool.id, permissions.QUEUE)


def _pool(row: Row) -> Pool:
    return Pool(**dict(zip(_COLUMNS, row, strict=True)))


def _record(transaction: Transaction, action: Action, pool: Pool, *, by: str, at: float) -> None:
    project = projects.get(transaction, pool.project_id)
    details = {"PoolName": pool.name, "PoolId": pool.id, "ProjectName": project.name}
    audit.append(
        transaction,
        audit.Event(action=action, actor=by, at=at, project_id=project.id, resource_id=pool.id, details=details),
    )
