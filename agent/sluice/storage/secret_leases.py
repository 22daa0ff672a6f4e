"""Gateway of leases: secrets that were made for one use, until they are given back or have ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select

from sluice.storage.prepared import Prepared
from sluice.storage.tables_secrets import secret_leases
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """A lease: for which use it was taken, and what its source takes it back by. Times are seconds since the epoch."""

    id: int = 0
    connection_id: str
    connection: str
    project_id: int
    run_id: int
    stage: str
    job: str
    step_id: str
    source: str
    lease: str
    taken_at: float
    expires_at: float


_COLUMNS = LeaseRow.__slots__


def add(transaction: Transaction, row: LeaseRow) -> None:
    """Note a lease; its id is given."""
    values = {name: getattr(row, name) for name in _COLUMNS if name != "id"}
    transaction.execute(insert(secret_leases).values(**values))


def of_job(transaction: Transaction, run_id: int, stage: str, job: str) -> list[LeaseRow]:
    """What the steps of a job hold, or what is left of it."""
    rows = transaction.fetch(_OF_JOB, {"run": run_id, "stage": stage, "job": job})
    return [_row(row) for row in rows]


def of_step(transaction: Transaction, run_id: int, step_id: str) -> list[LeaseRow]:
    """What one use holds."""
    return _rows(transaction, secret_leases.c.run_id == run_id, secret_leases.c.step_id == step_id)


def listed(transaction: Transaction) -> list[LeaseRow]:
    """All of them, oldest first."""
    return _rows(transaction)


def forget(transaction: Transaction, ids: Iterable[int]) -> None:
    """Drop leases that have been given back, or have ended."""
    for one in ids:
        transaction.execute(delete(secret_leases).where(secret_leases.c.id == one))


_ALL = select(*(secret_leases.c[name] for name in _COLUMNS)).order_by(secret_leases.c.id)
_OF_JOB = Prepared(  # asked at the end of every job
    _ALL.where(
        secret_leases.c.run_id == bindparam("run"),
        secret_leases.c.stage == bindparam("stage"),
        secret_leases.c.job == bindparam("job"),
    )
)


def _rows(transaction: Transaction, *conditions: object) -> list[LeaseRow]:
    found: Sequence[tuple[object, ...]] = transaction.rows(_ALL.where(*conditions))  # type: ignore[arg-type]  # SQL conditions
    return [_row(row) for row in found]


def _row(row: Sequence[object]) -> LeaseRow:
    return LeaseRow(**dict(zip(_COLUMNS, row, strict=True)))  # type: ignore[arg-type]  # as the table has them
