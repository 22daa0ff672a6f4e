"""Gateway of authorization requests: what runs wait for, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from sluice.storage import tables
from sluice.storage.prepared import Prepared
from sluice.storage.settled import unsettle_of_request
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables.authorization_requests


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One resource that a stage (or, with `job_id` and `step_id`, a started step) needs a permit for.

    `state` is running, approved, rejected, canceled or timedOut, as in checkpoints. `resource_version` is the version
    that the resource had when it was asked for (0 for what has none): whoever decides decides about that one.
    `detail` says what is waited for, where that is no permit.
    """

    id: int = 0
    run_id: int
    project_id: int
    pipeline_id: int
    stage: str
    stage_attempt: int = 1
    job_id: str = ""
    step_id: str = ""
    resource_type: str = "endpoint"
    resource_id: str
    resource_name: str
    where: str = ""
    state: str = "running"
    created_at: float
    expires_at: float
    decided_by: str = ""
    decided_at: float | None = None
    resource_version: int = 0
    detail: str = ""


_COLUMNS = tuple(column.name for column in fields(RequestRow))
_BY_RUN = (
    select(*(_TABLE.c[name] for name in _COLUMNS)).where(_TABLE.c.run_id == bindparam("run")).order_by(_TABLE.c.id)
)
_OF_RUN = Prepared(_BY_RUN)
_IN_STATE = Prepared(_BY_RUN.where(_TABLE.c.state == bindparam("state")))
_OF_RUNS = (
    select(_TABLE).where(_TABLE.c.run_id.in_(bindparam("runs", expanding=True))).order_by(_TABLE.c.run_id, _TABLE.c.id)
)


def of_run(tx: Transaction, run_id: int, *, state: str = "") -> list[RequestRow]:
    """The requests of a run, oldest first; only those in `state` when it is given."""
    rows = tx.fetch(_IN_STATE, {"run": run_id, "state": state}) if state else tx.fetch(_OF_RUN, {"run": run_id})
    return [RequestRow(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def of_runs(tx: Transaction, run_ids: Sequence[int]) -> dict[int, list[RequestRow]]:
    """The requests of many runs, by run, oldest first."""
    found: dict[int, list[RequestRow]] = {}
    for row in tx.execute(_OF_RUNS, {"runs": run_ids}).mappings():
        found.setdefault(row["run_id"], []).append(_row(dict(row)))
    return found


def add(tx: Transaction, requests: Iterable[RequestRow]) -> None:
    """Insert new requests."""
    values = [{name: getattr(request, name) for name in _COLUMNS if name != "id"} for request in requests]
    if values:
        tx.execute(insert(_TABLE), values)


def decide(tx: Transaction, request_id: int, *, state: str, by: str, at: float) -> None:
    """Record what became of a request that was still running."""
    query = update(_TABLE).where(_TABLE.c.id == request_id, _TABLE.c.state == "running")
    tx.execute(query.values(state=state, decided_by=by, decided_at=at))
    unsettle_of_request(tx, request_id)


def set_detail(tx: Transaction, request_id: int, detail: str) -> None:
    """Say anew what is waited for."""
    tx.execute(update(_TABLE).where(_TABLE.c.id == request_id, _TABLE.c.state == "running").values(detail=detail))


def ask_again(tx: Transaction, request_id: int, *, version: int) -> None:
    """Ask about another version of the resource than before."""
    query = update(_TABLE).where(_TABLE.c.id == request_id, _TABLE.c.state == "running")
    tx.execute(query.values(resource_version=version))
    unsettle_of_request(tx, request_id)


def _row(row: Mapping[str, Any]) -> RequestRow:
    return RequestRow(**{name: row[name] for name in _COLUMNS})
