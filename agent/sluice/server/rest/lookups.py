"""Finds what an address names in a project: pipelines and runs, as far as the caller sees them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.errors import NotFoundError
from sluice.rights import Right
from sluice.runs.pipelines import require_seen, resource_of
from sluice.server.problems import Problem
from sluice.storage import pipelines

if TYPE_CHECKING:
    from sluice.server.rest.call import Call
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow


def pipeline_of(call: Call, transaction: Transaction, home: Project, number: int) -> Pipeline:
    """The pipeline of that number in a project; raises `Problem` also for one that the caller does not see."""
    try:
        found = pipelines.get(transaction, number)
    except NotFoundError:
        found = None
    if found and found.project_id == home.id and call.caller.guard.allows(transaction, Right.SEE, resource_of(found)):
        return found
    raise Problem(HTTPStatus.NOT_FOUND, "DefinitionNotFoundException", f"Pipeline {number} does not exist.")


def run_of(call: Call, transaction: Transaction, home: Project, number: int, *, pipeline_id: int = 0) -> RunRow:
    """The run of that number in a project (and of a pipeline); raises `Problem` also for one that the caller does not see.

    A job sees its own run and no other.
    """
    found = _run(call, transaction, number)
    if found and found.project_id == home.id and pipeline_id in {0, found.pipeline_id}:
        return found
    raise Problem(
        HTTPStatus.NOT_FOUND,
        "BuildNotFoundException",
        f"The requested build {number} could not be found: it does not exist.",
    )


def _run(call: Call, transaction: Transaction, number: int) -> RunRow | None:
    if job := call.caller.job:
        return job.run if job.run.id == number else None
    try:
        return require_seen(transaction, call.caller.guard, number)
    except NotFoundError:
        return None
