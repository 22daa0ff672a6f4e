"""Gateway of the tags of runs, and of runs by pipeline, branch and tags."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from sluice.storage import tables, tables_artifacts
from sluice.storage.names import name_key

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sluice.storage.engine import Transaction

_TABLE = tables_artifacts.run_tags


def add(tx: Transaction, run_id: int, tag: str) -> None:
    """Give a run a tag, unless it has it."""
    key = name_key(tag)
    if not tx.value(select(_TABLE.c.run_id).where(_TABLE.c.run_id == run_id, _TABLE.c.tag_key == key)):
        tx.execute(insert(_TABLE).values(run_id=run_id, tag_key=key, tag=tag))


def of_run(tx: Transaction, run_id: int) -> list[str]:
    """The tags of a run, sorted."""
    query = select(_TABLE.c.tag).where(_TABLE.c.run_id == run_id).order_by(_TABLE.c.tag_key)
    return list(tx.execute(query).scalars())


def newest(
    tx: Transaction,
    pipeline_id: int,
    *,
    results: Sequence[str],
    tags: Collection[str] = (),
    branch: str = "",
    name: str = "",
    but: int = 0,
) -> int | None:
    """The newest finished run of a pipeline with one of these results and all these tags; `but` is left out."""
    runs = tables.runs
    query = select(runs.c.id).where(
        runs.c.pipeline_id == pipeline_id, runs.c.state == "completed", runs.c.result.in_(results), runs.c.id != but
    )
    if name:
        query = query.where(runs.c.name == name)
    if tags:
        query = query.where(having_all(tags))
    query = query.order_by(runs.c.finished_at.desc(), runs.c.id.desc())
    if not branch:
        found = tx.value(query.limit(1))
        return int(found) if found is not None else None
    return next((run_id for run_id in tx.execute(query).scalars() if _branch(tx, run_id) == branch), None)


def having_all(tags: Collection[str]) -> ColumnElement[bool]:
    """The condition that a run has all these tags."""
    keys = {name_key(tag) for tag in tags}
    query = select(_TABLE.c.run_id).where(_TABLE.c.tag_key.in_(keys)).group_by(_TABLE.c.run_id)
    return tables.runs.c.id.in_(query.having(func.count() == len(keys)))


def _branch(tx: Transaction, run_id: int) -> str:
    text = tx.value(select(tables.runs.c.options).where(tables.runs.c.id == run_id))
    return str(json.loads(text).get("branch", ""))
