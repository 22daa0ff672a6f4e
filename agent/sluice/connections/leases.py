"""Leases: secrets that a source made for one use. They are noted before they are handed over, and given back after it.

What cannot be given back stays noted, and is tried again when the next run starts, until it has ended by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sluice.connections import journal
from sluice.connections.connection import ConnectionRecord
from sluice.connections.references import Sources, Taken, give_back
from sluice.hooks.ports import Lease
from sluice.storage import audit, secret_leases, usage
from sluice.storage.engine import Database, Transaction
from sluice.storage.secret_leases import LeaseRow

FOREVER_SECONDS = 365 * 24 * 3600.0
"""So long a lease of unknown length is remembered that cannot be given back."""

ABANDONED_SECONDS = 300.0
"""From then on a lease that was taken outside of any job is left over: whatever took it has ended."""


def note(
    transaction: Transaction, record: ConnectionRecord, use: usage.Use, leases: Sequence[Taken], *, at: float
) -> None:
    """Note what has been leased for a use, before it is handed over."""
    for one in leases:
        row = LeaseRow(
            connection_id=record.id,
            connection=record.name,
            project_id=use.project_id,
            run_id=use.run_id,
            stage=use.stage,
            job=use.job,
            step_id=use.step_id,
            source=one.source,
            lease=one.lease.id,
            taken_at=at,
            expires_at=at + (one.lease.seconds or FOREVER_SECONDS),
        )
        secret_leases.add(transaction, row)


def end_of_job(
    database: Database, sources: Sources, run_id: int, stage: str, job: str, *, clock: Callable[[], float]
) -> list[LeaseRow]:
    """Give back what a job has leased; answers what could not be given back now."""
    with database.read() as transaction:
        rows = secret_leases.of_job(transaction, run_id, stage, job)
    return _end(database, sources, rows, clock=clock)


def end_of_use(database: Database, sources: Sources, use: usage.Use, *, clock: Callable[[], float]) -> list[LeaseRow]:
    """Give back what one use has leased, outside of any run; answers what could not be given back now."""
    with database.read() as transaction:
        rows = secret_leases.of_step(transaction, use.run_id, use.step_id)
    return _end(database, sources, rows, clock=clock)


def end_left_over(
    database: Database,
    sources: Sources,
    is_held: Callable[[LeaseRow], bool],
    *,
    clock: Callable[[], float],
) -> list[LeaseRow]:
    """Give back what is left over of jobs whose process died; `is_held` tells what a job still uses, or may go on with."""
    with database.read() as transaction:
        rows = [row for row in secret_leases.listed(transaction) if not _in_use(row, is_held, clock())]
    return _end(database, sources, rows, clock=clock)


def _in_use(row: LeaseRow, is_held: Callable[[LeaseRow], bool], now: float) -> bool:
    if row.expires_at <= now:
        return False
    return is_held(row) if row.job else now - row.taken_at < ABANDONED_SECONDS


def _end(
    database: Database, sources: Sources, rows: Sequence[LeaseRow], *, clock: Callable[[], float]
) -> list[LeaseRow]:
    if not rows:
        return []
    taken = {row.id: Taken(row.source, Lease(id=row.lease)) for row in rows}
    kept = give_back(taken.values(), sources)
    refused = [row for row in rows if taken[row.id] in kept]
    now = clock()
    left = [row for row in refused if row.expires_at > now]
    gone = [row for row in rows if row not in left]
    with database.write() as transaction:
        secret_leases.forget(transaction, [row.id for row in gone])
        audit.append_all(transaction, [journal.lease_ended(row, revoked=row not in refused, at=now) for row in gone])
    return left
