"""Gateway of leases: secrets that were made for one use, until they are given back or have ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from sluice.storage.tables_secrets import secret_leases

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
    table = secret_leases.c
    return _rows(transaction, table.run_id == run_id, table.stage == stage, table.job == job)


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


def _rows(transaction: Transaction, *conditions: object) -> list[LeaseRow]:
    query = select(*(secret_leases.c[name] for name in _COLUMNS)).order_by(secret_leases.c.id)
    found: Sequence[tuple[object, ...]] = transaction.rows(query.where(*conditions))  # type: ignore[arg-type]  # SQL conditions
    return [LeaseRow(**dict(zip(_COLUMNS, row, strict=True))) for row in found]  # type: ignore[arg-type]  # as above
