"""Gateway of artifacts: what the steps of runs have published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from sluice.storage import tables_artifacts
from sluice.storage.names import name_key
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables_artifacts.artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRow:
    """An artifact; `step` is the path `Stage.Job.Step` of what published it, `manifest` '' where no blobs were stored."""

    run_id: int
    name: str
    type: str
    manifest: str = ""
    location: str = ""
    size: int = 0
    files: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    record_id: str = ""
    step: str = ""
    created_at: float = 0


_COLUMNS = tuple(column.name for column in fields(ArtifactRow))
_ALL = select(*(_TABLE.c[name] for name in _COLUMNS))


def of_run(tx: Transaction, run_id: int) -> list[ArtifactRow]:
    """The artifacts of a run, by name."""
    rows = tx.execute(_ALL.where(_TABLE.c.run_id == run_id).order_by(_TABLE.c.name_key)).mappings()
    return [_row(dict(row)) for row in rows]


def find(tx: Transaction, run_id: int, name: str) -> ArtifactRow | None:
    """The artifact of that name."""
    query = _ALL.where(_TABLE.c.run_id == run_id, _TABLE.c.name_key == name_key(name))
    row = tx.execute(query).mappings().first()
    return _row(dict(row)) if row else None


def add(tx: Transaction, row: ArtifactRow) -> None:
    """Store a new artifact."""
    tx.execute(insert(_TABLE).values(_values(row)))


def put(tx: Transaction, row: ArtifactRow) -> None:
    """Store what an artifact of that name consists of now."""
    query = update(_TABLE).where(_TABLE.c.run_id == row.run_id, _TABLE.c.name_key == name_key(row.name))
    tx.execute(query.values(_values(row)))


def remove(tx: Transaction, run_id: int, name: str) -> bool:
    """Remove an artifact; whether there was one. Its blobs stay until they are swept."""
    query = delete(_TABLE).where(_TABLE.c.run_id == run_id, _TABLE.c.name_key == name_key(name))
    return bool(tx.execute(query).rowcount)


def manifests(tx: Transaction) -> set[str]:
    """The manifests of all artifacts."""
    return set(tx.execute(select(_TABLE.c.manifest).where(_TABLE.c.manifest != "")).scalars())


def _values(row: ArtifactRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    return {
        **values,
        "name_key": name_key(row.name),
        "properties": json.dumps(dict(row.properties), ensure_ascii=False),
    }


def _row(row: dict[str, Any]) -> ArtifactRow:
    return ArtifactRow(**{**row, "properties": json.loads(row["properties"])})
