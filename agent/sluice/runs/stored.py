"""What is stored of runs, as deciding reads it: of one run, or of many with as many queries as for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sluice.errors import NotFoundError
from sluice.runs import suites
from sluice.runs.decide import CHECKPOINTS
from sluice.storage import records, requests, runs
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.authorization.checks.model import Suite
    from sluice.storage.engine import Transaction
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

ABOVE_STEPS = ("Stage", *CHECKPOINTS, "Phase", "Job")
"""The types of records that deciding always reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A run as it is stored. `steps` reads those of a job where `records` has none."""

    run: RunRow
    records: Sequence[RecordRow]
    requests: Sequence[RequestRow]
    suites: Sequence[Suite]
    steps: Callable[[RecordRow], Iterable[RecordRow]] | None


def read(transaction: Transaction, run_id: int, *, steps: bool) -> Stored:
    """One run; raises `NotFoundError`, or `SealError` when it was edited in the database."""
    run = runs.get(transaction, run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}", do="see 'sluice runs list'")
    if not run.whole:
        raise runs.tampered(run_id)
    return Stored(
        run=run,
        records=records.of_run(transaction, run_id, kinds=() if steps else ABOVE_STEPS),
        requests=requests.of_run(transaction, run_id),
        suites=suites.of_run(transaction, run_id),
        steps=None if steps else _steps_of(transaction, run_id),
    )


def read_many(transaction: Transaction, run_ids: Sequence[int]) -> list[Stored]:
    """Those of these runs that are there, in their order; raises `SealError` when one was edited in the database."""
    rows = records.of_runs(transaction, run_ids, kinds=ABOVE_STEPS)
    asked = requests.of_runs(transaction, run_ids)
    begun = suites.of_runs(transaction, run_ids)
    found = runs.get_many(transaction, run_ids)
    for run in found:
        if not run.whole:
            raise runs.tampered(run.id)
    return [
        Stored(
            run=run,
            records=rows.get(run.id, ()),
            requests=asked.get(run.id, ()),
            suites=begun.get(run.id, ()),
            steps=_steps_of(transaction, run.id),
        )
        for run in found
    ]


def _steps_of(transaction: Transaction, run_id: int) -> Callable[[RecordRow], Iterable[RecordRow]]:
    return lambda job: records.of_run(transaction, run_id, parent_id=job.id)
