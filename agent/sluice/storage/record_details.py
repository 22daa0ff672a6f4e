"""Gateway of nested timeline records: what a step's `task.logdetail` commands have told."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from sluice.storage import tables_artifacts
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables_artifacts.record_details


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailRow:
    """One nested record of a step's record; times are as the command wrote them."""

    record_id: str
    id: str
    parent_id: str = ""
    type: str
    name: str
    order: int = 0
    started_at: str = ""
    finished_at: str = ""
    percent: int = 0
    state: str = "Pending"
    result: str = ""
    operation: str = ""


_COLUMNS = tuple(column.name for column in fields(DetailRow))


def of_run(tx: Transaction, run_id: int) -> list[DetailRow]:
    """The nested records of a run's steps."""
    query = select(*(_TABLE.c[name] for name in _COLUMNS)).where(_TABLE.c.run_id == run_id)
    rows = tx.execute(query.order_by(_TABLE.c.record_id, _TABLE.c.order, _TABLE.c.id)).mappings()
    return [DetailRow(**dict(row)) for row in rows]


def put(tx: Transaction, run_id: int, row: DetailRow) -> None:
    """Store a nested record in place of what it was before."""
    table = _TABLE.c
    tx.execute(delete(_TABLE).where(table.run_id == run_id, table.record_id == row.record_id, table.id == row.id))
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    tx.execute(insert(_TABLE).values(**values, run_id=run_id))
