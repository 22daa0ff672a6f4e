"""Gateway of the timeline: stages, checkpoints, phases, jobs and steps of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from sluice.storage import tables

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_JSON = ("issues", "outputs", "details")
MAX_ISSUES = 10
"""How many errors, and how many warnings, are kept with a record; the counts go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One timeline record; `state` is pending, waiting, inProgress or completed, times are seconds since the epoch."""

    id: str
    type: str
    identifier: str
    name: str
    ref_name: str
    parent_id: str = ""
    order: int = 0
    attempt: int = 1
    superseded: bool = False
    state: str = "pending"
    result: str = ""
    message: str = ""
    worker: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    percent: int = 0
    operation: str = ""
    error_count: int = 0
    warning_count: int = 0
    issues: tuple[Mapping[str, Any], ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def completed(self) -> bool:
        """Whether it is over."""
        return self.state == "completed"


def ended(record: RecordRow, result: str, at: float, message: str = "") -> RecordRow:
    """The record of an element that is over."""
    return replace(
        record,
        state="completed",
        result=result,
        finished_at=at,
        percent=100,
        operation="",
        message=message or record.message,
    )


_COLUMNS = tuple(column.name for column in fields(RecordRow))


def of_run(
    tx: Transaction, run_id: int, *, every_attempt: bool = False, kinds: tuple[str, ...] = ()
) -> list[RecordRow]:
    """The records of a run in timeline order, of all types or some; earlier attempts only when asked for."""
    table = tables.records
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.order, table.c.identifier)
    if kinds:
        query = query.where(table.c.type.in_(kinds))
    if not every_attempt:
        query = query.where(table.c.superseded.is_(False))
    return [_row(dict(row)) for row in tx.execute(query).mappings()]


def get(tx: Transaction, run_id: int, record_id: str) -> RecordRow | None:
    """One record."""
    table = tables.records
    query = select(table).where(table.c.run_id == run_id, table.c.id == record_id)
    row = tx.execute(query).mappings().first()
    return _row(dict(row)) if row else None


def of_stage(tx: Transaction, run_id: int, job: RecordRow) -> RecordRow:
    """The record of the stage that a job instance belongs to."""
    names = (job.identifier.split(".", 1)[0], "__default")
    found = {row.identifier: row for row in of_run(tx, run_id, kinds=("Stage",))}
    return next(found[name] for name in names if name in found)


def add(tx: Transaction, run_id: int, records: Iterable[RecordRow]) -> None:
    """Insert new records."""
    values = [_values(run_id, record) for record in records]
    if values:
        tx.execute(insert(tables.records), values)


def save(tx: Transaction, run_id: int, records: Iterable[RecordRow]) -> None:
    """Write changed records back, whole."""
    values = [{f"new_{name}": value for name, value in _values(run_id, record).items()} for record in records]
    if values:
        tx.execute(_SAVE, values)


def _values(run_id: int, record: RecordRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(record, name) for name in _COLUMNS}
    for name in _JSON:
        values[name] = json.dumps(values[name], ensure_ascii=False, separators=(",", ":"))
    values["run_id"] = run_id
    return values


def _row(row: Mapping[str, Any]) -> RecordRow:
    values = {name: row[name] for name in _COLUMNS}
    for name in _JSON:
        values[name] = json.loads(values[name])
    values["issues"] = tuple(values["issues"])
    return RecordRow(**values)


_SAVE = (
    update(tables.records)
    .where(tables.records.c.run_id == bindparam("new_run_id"), tables.records.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS if name != "id"})
)
