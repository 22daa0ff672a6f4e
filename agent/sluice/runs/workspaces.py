"""The working folders of runs: `<work>/<run>/<job>`, kept while somebody may want to look or go on, then removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from sluice.runtime.request import Result
from sluice.storage import runs
from sluice.storage.engine import Database
from sluice.storage.runs import RunRow

KEPT_SECONDS = 3 * 24 * 3600.0
"""How long the folders of a run that failed are kept after its end."""

_GOOD = frozenset({Result.SUCCEEDED, Result.SUCCEEDED_WITH_ISSUES})


def workspace_of(work: Path, run_id: int, job_id: str) -> Path:
    """The working folder of a job: the same for as long as its attempt lasts, in whichever process."""
    return work / str(run_id) / job_id.partition("-")[0]


def tidy(database: Database, work: Path, run: RunRow, *, now: float) -> None:
    """Remove the folders of a run that succeeded, and those of runs that failed long ago."""
    if run.state == "completed" and run.result in _GOOD:
        shutil.rmtree(work / str(run.id), ignore_errors=True)
    folders = {int(folder.name): folder for folder in work.glob("[0-9]*") if folder.name.isdecimal()}
    old = [run_id for run_id in folders if run_id < run.id]
    if not old:
        return
    with database.read() as transaction:
        over = [run_id for run_id in old if _is_old(runs.get(transaction, run_id), now)]
    for run_id in over:
        shutil.rmtree(folders[run_id], ignore_errors=True)


def _is_old(run: RunRow | None, now: float) -> bool:
    return run is None or (run.finished_at is not None and now - run.finished_at > KEPT_SECONDS)
