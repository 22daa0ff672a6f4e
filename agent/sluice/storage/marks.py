"""What stands for a run as it is now, for whoever looks at many runs: another mark when anything of it is different."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, func, select

from sluice.storage import tables, tables_artifacts, tables_checks

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

BATCH = 500
"""Runs that are asked for at once."""

_THESE: Any = bindparam("runs", expanding=True)


def _counted(*conditions: Any) -> list[Any]:
    return [func.sum(case((condition, 1), else_=0)) for condition in conditions]


_RUNS, _RECORDS, _REQUESTS = tables.runs.c, tables.records.c, tables.authorization_requests.c
_QUERIES = (
    select(_RUNS.id, _RUNS.state, _RUNS.result, _RUNS.cancel_requested_by, _RUNS.code).where(_RUNS.id.in_(_THESE)),
    select(
        _RECORDS.run_id,
        func.count(),
        func.count(_RECORDS.started_at),
        func.count(_RECORDS.finished_at),
        func.max(_RECORDS.started_at),
        func.max(_RECORDS.finished_at),
        func.sum(_RECORDS.error_count + _RECORDS.warning_count),
        *_counted(_RECORDS.state == "waiting", _RECORDS.superseded.is_(True)),
    )
    .where(_RECORDS.run_id.in_(_THESE))
    .group_by(_RECORDS.run_id),
    select(
        _REQUESTS.run_id,
        func.count(),
        func.max(_REQUESTS.decided_at),
        func.sum(_REQUESTS.resource_version),
        func.sum(func.length(_REQUESTS.detail)),
        *_counted(_REQUESTS.state == "running"),
    )
    .where(_REQUESTS.run_id.in_(_THESE))
    .group_by(_REQUESTS.run_id),
    select(tables_checks.check_suites.c.run_id, tables_checks.check_suites.c.code).where(
        tables_checks.check_suites.c.run_id.in_(_THESE)
    ),
    select(tables_artifacts.artifacts.c.run_id, func.count())
    .where(tables_artifacts.artifacts.c.run_id.in_(_THESE))
    .group_by(tables_artifacts.artifacts.c.run_id),
)


def marks(tx: Transaction, run_ids: Sequence[int]) -> dict[int, str]:
    """The marks of these runs; a run that is not there has none. How far steps are in percent is left out."""
    found: dict[int, list[str]] = defaultdict(list)
    for start in range(0, len(run_ids), BATCH):
        some = run_ids[start : start + BATCH]
        for query in _QUERIES:
            for run_id, *values in tx.rows(query, {"runs": some}):
                found[run_id].append(repr(values))
    return {run_id: "|".join(parts) for run_id, parts in found.items()}
