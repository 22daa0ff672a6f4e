"""Deletes a pipeline, and with it its runs (documented): who may, and what has to be over before."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sluice.errors import ConflictError
from sluice.rights import Right
from sluice.runs.pipelines import resource_of
from sluice.storage import permissions, pipelines, runs
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction
    from sluice.storage.home import Home
    from sluice.storage.permissions import Permission
    from sluice.storage.pipelines import Pipeline

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Goes:
    """What goes with a pipeline."""

    runs: tuple[int, ...]
    permits: tuple[Permission, ...]


def goes_with(transaction: Transaction, pipeline: Pipeline) -> Goes:
    """What a deletion takes away."""
    return Goes(
        runs=tuple(runs.of_pipeline(transaction, pipeline.id)),
        permits=permissions.of_pipeline(transaction, pipeline.project_id, pipeline.id),
    )


def delete(transaction: Transaction, home: Home, guard: Guard, pipeline: Pipeline, *, by: str, at: float) -> Goes:
    """Delete a pipeline with its runs, their logs, its permits and variables; answers what went with it.

    Raises `ConflictError` while a run is not over, `NotPermittedError` for who is no Administrator of the pipeline.
    """
    guard.require(transaction, Right.DELETE, resource_of(pipeline), pipeline.name)
    if waiting := runs.unfinished_of_pipeline(transaction, pipeline.id):
        shown = ", ".join(map(str, waiting[:_SHOWN])) + (" and others" if len(waiting) > _SHOWN else "")
        raise ConflictError(
            f"the pipeline '{pipeline.name}' has runs that are not over: {shown}",
            do=f"cancel them first: sluice cancel {waiting[0]}",
        )
    goes = goes_with(transaction, pipeline)
    permissions.revoke_of_pipeline(transaction, pipeline.project_id, pipeline.id, by=by, at=at)
    pipelines.delete(transaction, pipeline, by=by, at=at)
    transaction.after_commit("logs of deleted runs", lambda: _remove_logs(home, goes.runs))
    return goes


def _remove_logs(home: Home, run_ids: tuple[int, ...]) -> None:
    for run_id in run_ids:
        shutil.rmtree(home.logs / str(run_id), ignore_errors=True)
