"""Usage history: which run and step received a connection's credentials, when, and how that ended."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage.engine import Transaction
from sluice.storage.prepared import Prepared
from sluice.storage.tables import pipelines, usage_history
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What credentials are released for.

    Outside a run `run_id` is 0, `task` says what for (`verify`), and `step_id` is an id of that one use.
    """

    project_id: int
    actor: str
    pipeline_id: int = 0
    run_id: int = 0
    stage: str = ""
    job: str = ""
    step_id: str = ""
    step: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """One use of a connection; `finished_at` is None and `result` '' until it is over."""

    id: int
    connection_id: str
    pipeline_id: int
    pipeline: str
    run_id: int
    stage: str
    job: str
    step_id: str
    step: str
    task: str
    started_at: float
    finished_at: float | None
    result: str


def started(transaction: Transaction, connection_id: str, use: Use, *, at: float) -> int:
    """Record that the credentials leave the store now; answers the number of the record."""
    return transaction.insert(
        sqlalchemy.insert(usage_history).values(
            connection_id=connection_id,
            project_id=use.project_id,
            pipeline_id=use.pipeline_id,
            run_id=use.run_id,
            stage=use.stage,
            job=use.job,
            step_id=use.step_id,
            step=use.step,
            task=use.task,
            started_at=at,
            result="",
        )
    )


def in_use(
    transaction: Transaction, connection_id: str, *, project_id: int, run_id: int, job: str, actor: str
) -> Use | None:
    """What a connection was released for, newest first, to a step of that job which has not ended; None for nothing."""
    names = [name for name in Use.__slots__ if name != "actor"]
    query = select(*(usage_history.c[name] for name in names)).where(
        usage_history.c.connection_id == connection_id,
        usage_history.c.project_id == project_id,
        usage_history.c.run_id == run_id,
        usage_history.c.job == job,
        usage_history.c.finished_at.is_(None),
    )
    row = transaction.row(query.order_by(usage_history.c.id.desc()).limit(1))
    return None if row is None else Use(actor=actor, **dict(zip(names, row, strict=True)))


def step_finished(transaction: Transaction, run_id: int, step_id: str, result: str, *, at: float) -> int:
    """Record how a step ended, for every connection that it used; answers how many records that were."""
    values = {"run": run_id, "that_step": step_id, "finished_at": at, "result": result}
    return transaction.run(_STEP_FINISHED, values)


def run_finished(transaction: Transaction, run_id: int, result: str, *, at: float) -> int:
    """Close what a run has left open (its worker died); answers how many records that were."""
    return transaction.run(_RUN_FINISHED, {"run": run_id, "finished_at": at, "result": result})


def history(
    transaction: Transaction, connection_id: str, *, project_id: int, limit: int = 100, before: int | None = None
) -> tuple[UsageRecord, ...]:
    """The uses of a connection in one project, newest first; those older than the record `before`, where it is given."""
    columns = [usage_history.c[name] for name in UsageRecord.__slots__ if name != "pipeline"]
    query = (
        select(*columns, sqlalchemy.func.coalesce(pipelines.c.name, "").label("pipeline"))
        .outerjoin(pipelines, pipelines.c.id == usage_history.c.pipeline_id)
        .where(usage_history.c.connection_id == connection_id, usage_history.c.project_id == project_id)
        .order_by(usage_history.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(usage_history.c.id < before)
    return tuple(
        UsageRecord(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for a row as a mapping
        for row in transaction.rows(query)
    )


def last_run(transaction: Transaction, connection_id: str, *, pipeline_id: int, before: int) -> int | None:
    """The newest run of a pipeline, before another, that received a connection; None when there was none."""
    query = select(sqlalchemy.func.max(usage_history.c.run_id)).where(
        usage_history.c.connection_id == connection_id,
        usage_history.c.pipeline_id == pipeline_id,
        usage_history.c.run_id.between(1, before - 1),
    )
    found = transaction.value(query)
    return None if found is None else int(found)


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a pipeline (0: none, by hand) has used a connection, and when last."""

    pipeline_id: int
    count: int
    last_at: float


def by_pipeline(transaction: Transaction, connection_id: str, *, project_id: int) -> tuple[Uses, ...]:
    """The uses of a connection in one project, summed up by pipeline."""
    query = (
        select(usage_history.c.pipeline_id, sqlalchemy.func.count(), sqlalchemy.func.max(usage_history.c.started_at))
        .where(usage_history.c.connection_id == connection_id, usage_history.c.project_id == project_id)
        .group_by(usage_history.c.pipeline_id)
        .order_by(usage_history.c.pipeline_id)
    )
    return tuple(Uses(*row) for row in transaction.rows(query))


def last_uses(transaction: Transaction, project_id: int) -> Mapping[str, float]:
    """When each connection of a project was used last, by its id; those that never were are left out."""
    query = (
        select(usage_history.c.connection_id, sqlalchemy.func.max(usage_history.c.started_at))
        .where(usage_history.c.project_id == project_id)
        .group_by(usage_history.c.connection_id)
    )
    return {row[0]: row[1] for row in transaction.rows(query)}


_FINISHED = (
    sqlalchemy.update(usage_history)
    .where(usage_history.c.run_id == bindparam("run"), usage_history.c.finished_at.is_(None))
    .values(finished_at=bindparam("finished_at"), result=bindparam("result"))
)
_RUN_FINISHED = Prepared(_FINISHED)
_STEP_FINISHED = Prepared(_FINISHED.where(usage_history.c.step_id == bindparam("that_step")))
