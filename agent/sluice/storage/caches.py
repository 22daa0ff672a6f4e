"""Gateway of caches: by pipeline, scope (a branch) and key. A key that has a cache keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from sluice.storage import tables, tables_artifacts
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables_artifacts.caches


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """A cache; `key` has the segments of the resolved key, each ended by a line feed."""

    id: int = 0
    pipeline_id: int
    scope: str
    key: str
    manifest: str
    size: int
    run_id: int
    created_at: float
    used_at: float


_COLUMNS = tuple(column.name for column in fields(CacheRow))
_ALL = select(*(_TABLE.c[name] for name in _COLUMNS))


def find(tx: Transaction, pipeline_id: int, scope: str, key: str, *, prefix: bool = False) -> CacheRow | None:
    """The cache of that key, or the newest one whose key starts with it."""
    query = _ALL.where(_TABLE.c.pipeline_id == pipeline_id, _TABLE.c.scope == scope)
    query = query.where(func.substr(_TABLE.c.key, 1, len(key)) == key if prefix else _TABLE.c.key == key)
    row = tx.execute(query.order_by(_TABLE.c.created_at.desc(), _TABLE.c.id.desc()).limit(1)).mappings().first()
    return CacheRow(**dict(row)) if row else None


def add(tx: Transaction, row: CacheRow) -> None:
    """Store a new cache, whose key has none yet."""
    tx.execute(insert(_TABLE).values({name: getattr(row, name) for name in _COLUMNS if name != "id"}))


def used(tx: Transaction, cache_id: int, *, at: float) -> None:
    """Note that a cache was restored."""
    tx.execute(update(_TABLE).where(_TABLE.c.id == cache_id).values(used_at=at))


def of_project(tx: Transaction, project_id: int, pipeline_id: int | None = None) -> list[CacheRow]:
    """The caches of a project's pipelines, or of one of them, last used first."""
    query = _ALL.join(tables.pipelines, tables.pipelines.c.id == _TABLE.c.pipeline_id)
    query = query.where(tables.pipelines.c.project_id == project_id)
    if pipeline_id is not None:
        query = query.where(_TABLE.c.pipeline_id == pipeline_id)
    rows = tx.execute(query.order_by(_TABLE.c.used_at.desc(), _TABLE.c.id.desc())).mappings()
    return [CacheRow(**dict(row)) for row in rows]


def remove(tx: Transaction, ids: Sequence[int]) -> None:
    """Remove caches; their blobs stay until they are swept."""
    if ids:
        tx.execute(delete(_TABLE).where(_TABLE.c.id.in_(ids)))


def expire(tx: Transaction, *, before: float) -> int:
    """Remove the caches of all pipelines that nobody has used since; answers how many."""
    return tx.execute(delete(_TABLE).where(_TABLE.c.used_at < before)).rowcount


def manifests(tx: Transaction) -> set[str]:
    """The manifests of all caches."""
    return set(tx.execute(select(_TABLE.c.manifest)).scalars())
