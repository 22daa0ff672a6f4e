"""Gateway of results of tests that steps have published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from sluice.storage import tables_artifacts
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables_artifacts.test_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRunRow:
    """Results of tests, counted; `failures` are the first that failed, with `name`, `message` and `details`."""

    __test__ = False  # no test of ours

    run_id: int
    record_id: str
    title: str
    runner: str
    total: int
    passed: int
    failed: int
    skipped: int
    seconds: float
    platform: str
    configuration: str
    failures: tuple[Mapping[str, str], ...]
    created_at: float


_COLUMNS = tuple(column.name for column in fields(TestRunRow))


def of_run(tx: Transaction, run_id: int) -> list[TestRunRow]:
    """The results of a run, in the order in which they came."""
    query = select(*(_TABLE.c[name] for name in _COLUMNS)).where(_TABLE.c.run_id == run_id).order_by(_TABLE.c.id)
    rows = [dict(row) for row in tx.execute(query).mappings()]
    return [TestRunRow(**{**row, "failures": tuple(json.loads(row["failures"]))}) for row in rows]


def add(tx: Transaction, row: TestRunRow) -> None:
    """Store results."""
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    values["failures"] = json.dumps([dict(one) for one in row.failures], ensure_ascii=False)
    tx.execute(insert(_TABLE).values(values))
