"""Gateway of the suites of checks: what became of the checks of a checkpoint. Each row is vouched for.

The content is the caller's (JSON); the checks beside it only serve to find suites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import SealError
from sluice.storage.engine import Row, Transaction
from sluice.storage.prepared import Prepared
from sluice.storage.settled import unsettle
from sluice.storage.tables_checks import check_runs, check_suites
from sluice.values import dataclass

_KIND = "check suite"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRunRow:
    """A check of a suite, to find it by; `active` ones wait for something, or hold a lock."""

    id: str
    kind: str
    resource_type: str
    resource_id: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """A suite; `job_id` is '' for the checkpoint of a stage, `content` JSON."""

    id: str
    run_id: int
    stage: str
    attempt: int
    job_id: str
    state: str
    content: str


_COLUMNS = tuple(column.name for column in fields(SuiteRow))
_ALL = select(*(check_suites.c[name] for name in _COLUMNS), check_suites.c.code).order_by(check_suites.c.number)
_ANY = Prepared(select(check_suites.c.id).where(check_suites.c.run_id == bindparam("run")).limit(1))
"""Most runs have none: to see that costs little."""


def of_run(tx: Transaction, run_id: int) -> list[SuiteRow]:
    """The suites of a run, oldest first; raises `SealError` for one that was edited by hand."""
    if not tx.fetch(_ANY, {"run": run_id}):
        return []
    return [_checked(tx, row) for row in tx.rows(_ALL.where(check_suites.c.run_id == run_id))]


def of_runs(tx: Transaction, run_ids: Sequence[int]) -> list[SuiteRow]:
    """The suites of many runs, oldest first."""
    return [_checked(tx, row) for row in tx.rows(_ALL.where(check_suites.c.run_id.in_(run_ids)))]


def of_stage(tx: Transaction, run_id: int, stage: str, attempt: int) -> list[SuiteRow]:
    """The suites of one attempt of a stage, oldest first."""
    query = _ALL.where(
        check_suites.c.run_id == run_id, check_suites.c.stage == stage, check_suites.c.attempt == attempt
    )
    return [_checked(tx, row) for row in tx.rows(query)]


def get(tx: Transaction, suite_id: str) -> SuiteRow | None:
    """One suite."""
    row = tx.row(_ALL.where(check_suites.c.id == suite_id))
    return _checked(tx, row) if row else None


def of_check(tx: Transaction, check_id: str) -> SuiteRow | None:
    """The suite that a check belongs to."""
    query = _ALL.join(check_runs, check_runs.c.suite_id == check_suites.c.id).where(check_runs.c.id == check_id)
    row = tx.row(query)
    return _checked(tx, row) if row else None


def active(tx: Transaction, kind: str, resources: Sequence[tuple[str, str]] = ()) -> list[SuiteRow]:
    """The suites with an active check of that kind, oldest first; on one of these (type, id) where they are given."""
    ids = select(check_runs.c.suite_id).where(check_runs.c.active.is_(True), check_runs.c.kind == kind)
    if resources:
        places = [
            (check_runs.c.resource_type == resource_type) & (check_runs.c.resource_id == resource_id)
            for resource_type, resource_id in resources
        ]
        ids = ids.where(sqlalchemy.or_(*places))
    return [_checked(tx, row) for row in tx.rows(_ALL.where(check_suites.c.id.in_(ids)))]


def mark(tx: Transaction, run_id: int) -> str:
    """What stands for the suites of a run as they are: another one when any of them is different."""
    query = select(check_suites.c.code).where(check_suites.c.run_id == run_id).order_by(check_suites.c.number)
    return " ".join(str(row[0]) for row in tx.rows(query))


def save(tx: Transaction, suites: Iterable[tuple[SuiteRow, Sequence[CheckRunRow]]]) -> None:
    """Store new suites and new states of stored ones."""
    for suite, checks in suites:
        unsettle(tx, suite.run_id)
        values = {name: getattr(suite, name) for name in _COLUMNS}
        values["code"] = tx.voucher.code(_KIND, *(values[name] for name in _COLUMNS))
        changed = tx.execute(sqlalchemy.update(check_suites).where(check_suites.c.id == suite.id).values(**values))
        if not changed.rowcount:
            tx.execute(sqlalchemy.insert(check_suites).values(**values))
        tx.execute(sqlalchemy.delete(check_runs).where(check_runs.c.suite_id == suite.id))
        rows = [
            {
                **{name: getattr(check, name) for name in CheckRunRow.__slots__},
                "suite_id": suite.id,
                "run_id": suite.run_id,
            }
            for check in checks
        ]
        if rows:
            tx.execute(sqlalchemy.insert(check_runs), rows)


def broken(tx: Transaction) -> Iterator[str]:
    """The suites that are not as they were stored."""
    for row in tx.rows(_ALL):
        if not _is_whole(tx, row):
            yield f"the checks of stage {row.stage} of run {row.run_id} were edited by hand"


def vouch_for_all(tx: Transaction) -> None:
    """Vouch for every suite that is stored: when the key is made."""
    for row in tx.rows(_ALL):
        code = tx.voucher.code(_KIND, *row[: len(_COLUMNS)])
        tx.execute(sqlalchemy.update(check_suites).where(check_suites.c.id == row.id).values(code=code))


def _checked(tx: Transaction, row: Row) -> SuiteRow:
    if not _is_whole(tx, row):
        raise SealError(
            f"the checks of stage {row.stage} of run {row.run_id} are not as they were stored, and count no more",
            why="they were changed outside of Sluice",
            do=f"cancel the run with 'sluice runs cancel {row.run_id}'; see 'sluice audit verify'",
        )
    return SuiteRow(**dict(zip(_COLUMNS, row[: len(_COLUMNS)], strict=True)))


def _is_whole(tx: Transaction, row: Row) -> bool:
    return tx.voucher.vouches(row.code, _KIND, *row[: len(_COLUMNS)])
