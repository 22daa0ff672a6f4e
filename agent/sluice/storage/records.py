"""Gateway of the timeline: stages, checkpoints, phases, jobs and steps of a run."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, or_, select, update

from sluice.storage import tables
from sluice.storage.prepared import Prepared
from sluice.values import dataclass

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


_TABLE = tables.records
_COLUMNS = tuple(column.name for column in fields(RecordRow))
_ALL = select(*(_TABLE.c[name] for name in _COLUMNS)).order_by(_TABLE.c.order, _TABLE.c.identifier)

_ALL_BY_RUN = (
    select(_TABLE.c.run_id, *(_TABLE.c[name] for name in _COLUMNS))
    .where(_TABLE.c.run_id.in_(bindparam("runs", expanding=True)), _TABLE.c.superseded.is_(False))
    .order_by(_TABLE.c.run_id, _TABLE.c.order, _TABLE.c.identifier)
)
_ONE = Prepared(_ALL.where(_TABLE.c.run_id == bindparam("run"), _TABLE.c.id == bindparam("id")))


def of_run(
    tx: Transaction, run_id: int, *, every_attempt: bool = False, kinds: tuple[str, ...] = (), parent_id: str = ""
) -> list[RecordRow]:
    """The records of a run in timeline order, of all types or some; earlier attempts only when asked for.

    With `parent_id` only what lies directly below that record.
    """
    query = _listing(every_attempt=every_attempt, kinds=kinds, below=bool(parent_id))
    return [_decoded(row) for row in tx.fetch(query, {"run": run_id, **({"parent": parent_id} if parent_id else {})})]


def of_runs(tx: Transaction, run_ids: Sequence[int], *, kinds: tuple[str, ...]) -> dict[int, list[RecordRow]]:
    """The records of many runs, by run, each as `of_run` has them."""
    found: dict[int, list[RecordRow]] = {}
    query = _ALL_BY_RUN.where(_TABLE.c.type.in_(kinds))
    for run_id, *row in tx.rows(query, {"runs": run_ids}):
        found.setdefault(run_id, []).append(_decode(tuple(row)))
    return found


@functools.cache
def _listing(*, every_attempt: bool, kinds: tuple[str, ...], below: bool) -> Prepared:
    """The query, made once for each way to ask: it is asked for each job many times."""
    query = _ALL.where(_TABLE.c.run_id == bindparam("run"))
    if kinds:
        query = query.where(or_(*(_TABLE.c.type == kind for kind in kinds)))
    if below:
        query = query.where(_TABLE.c.parent_id == bindparam("parent"))
    return Prepared(query if every_attempt else query.where(_TABLE.c.superseded.is_(False)))


def get(tx: Transaction, run_id: int, record_id: str) -> RecordRow | None:
    """One record."""
    rows = tx.fetch(_ONE, {"run": run_id, "id": record_id})
    return _decoded(rows[0]) if rows else None


def add(tx: Transaction, run_id: int, records: Iterable[RecordRow]) -> None:
    """Insert new records."""
    if values := [_values(run_id, record) for record in records]:
        tx.run(_ADD, *values)


def save(tx: Transaction, run_id: int, records: Iterable[RecordRow]) -> None:
    """Write changed records back, whole."""
    values = [{f"new_{name}": value for name, value in _values(run_id, record).items()} for record in records]
    if values:
        tx.run(_SAVE, *values)


def _values(run_id: int, record: RecordRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(record, name) for name in _COLUMNS}
    for name in _JSON:
        values[name] = json.dumps(values[name], ensure_ascii=False, separators=(",", ":"))
    values["run_id"] = run_id
    return values


def _decode(row: tuple[Any, ...]) -> RecordRow:
    """The record of a row."""
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    for name in _JSON:
        # most of them are empty, and a large timeline is read often
        values[name] = json.loads(values[name]) if len(values[name]) > len("{}") else {}
    values["issues"] = tuple(values["issues"])
    return RecordRow(**values)


# a run is read whenever it is advanced, and hardly any of its records has changed then
_decoded = functools.lru_cache(maxsize=8192)(_decode)


_ADD = Prepared(insert(tables.records), columns=("run_id", *_COLUMNS))
_SAVE = Prepared(
    update(tables.records)
    .where(tables.records.c.run_id == bindparam("new_run_id"), tables.records.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS if name != "id"})
)
