"""Runs that merely wait: up to where in the audit log all that matters to them was looked at, and until when.

Whether such a run can move since then is known without reading it: nothing of its own was stored (that takes the mark
away), its time has not come, and no entry of the log behind the mark tells of anything that could concern it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import sqlalchemy
from sqlalchemy import bindparam, func, select, update

from sluice.storage import actions, people_actions
from sluice.storage.engine import Transaction
from sluice.storage.tables import audit, authorization_requests, runs

_MOVES_NOTHING = frozenset(
    action.id
    for action in (
        actions.CONNECTION_EXECUTED,
        actions.VARIABLE_GROUP_OPENED,
        actions.SECURE_FILE_OPENED,
        actions.PIPELINE_SECRETS_OPENED,
        actions.RUN_SECRETS_OPENED,
        actions.IDENTITY_TOKEN_ISSUED,
        actions.NOT_AUTHORIZED_FOR_PIPELINE,
        actions.NOT_AUTHORIZED_FOR_PROJECT,
        actions.COMMAND_REFUSED,
        actions.PIPELINE_CREATED,
        actions.DEPLOYMENT_COMPLETED,
        actions.PERMISSION_REQUESTED,
        actions.STEP_WAITS,
        actions.ACCESS_REFUSED,
        actions.CHECK_REQUESTED,
        actions.CHECKS_COMPLETED,
        people_actions.ACTION_REFUSED,
        people_actions.TOKEN_USED,
        people_actions.TOKEN_REFUSED,
        people_actions.SIGNED_IN,
        people_actions.SIGNED_OUT,
        people_actions.TOKEN_CREATED,
        people_actions.TOKEN_REVOKED,
        # decisions about one run, which take its mark away
        actions.STAGE_STARTED,
        actions.VALIDATION_APPROVED,
        actions.VALIDATION_REJECTED,
        actions.PERMISSION_DENIED,
        actions.APPROVAL_GIVEN,
        actions.APPROVAL_REFUSED,
        actions.APPROVAL_REASSIGNED,
        actions.CHECK_BYPASSED,
        actions.CHECK_RERUN,
        actions.CHECK_ANSWERED,
    )
)
"""What is recorded all the time and lets no other run go on; every other action might, also one that comes to be later."""

_OF_PIPELINE = frozenset({actions.AUTHORIZED_FOR_PIPELINE.id, actions.UNAUTHORIZED_FOR_PIPELINE.id})
_SETTLE = (
    update(runs).where(runs.c.id == bindparam("run")).values(settled=bindparam("at"), settled_until=bindparam("until"))
)
_UNSETTLE = update(runs).where(runs.c.id == bindparam("run"), runs.c.settled.is_not(None)).values(settled=None)
_OLDEST = select(func.min(runs.c.settled)).where(runs.c.state == "inProgress")
_SINCE = (
    select(audit.c.sequence, audit.c.action, audit.c.project_id, audit.c.details)
    .where(audit.c.sequence > bindparam("after"), audit.c.action.not_in(sorted(_MOVES_NOTHING)))
    .order_by(audit.c.sequence)
)
_NEWEST = select(func.max(audit.c.sequence))
_UNFINISHED = (
    select(
        runs.c.id,
        runs.c.project_id,
        runs.c.pipeline_id,
        runs.c.cancel_requested_by,
        runs.c.settled,
        runs.c.settled_until,
    )
    .where(runs.c.state == "inProgress", runs.c.id > bindparam("after"))
    .order_by(runs.c.id)
    .limit(bindparam("limit"))
)


def settle(transaction: Transaction, run_id: int, *, sequence: int, until: float) -> None:
    """A run waits, as of an entry of the log; at `until` (seconds since the epoch) time alone changes something."""
    transaction.execute(_SETTLE, {"run": run_id, "at": sequence, "until": min(until, _FAR)})


def unsettle(transaction: Transaction, run_id: int) -> None:
    """Something of the run was stored: it has to be looked at."""
    transaction.execute(_UNSETTLE, {"run": run_id})


def unsettle_of_request(transaction: Transaction, request_id: int) -> None:
    """Something of what a run waits for was stored."""
    run = select(authorization_requests.c.run_id).where(authorization_requests.c.id == request_id).scalar_subquery()
    transaction.execute(
        sqlalchemy.update(runs).where(runs.c.id == run, runs.c.settled.is_not(None)).values(settled=None)
    )


_FAR = 1e18


class Moved:
    """Up to where the log tells of something that may let runs go on: all of a project's, or those of a pipeline.

    Projects are told by their number, with 0 for all of them.
    """

    def __init__(self) -> None:
        self.read_to: int | None = None
        self.projects: dict[int, int] = {}
        self.pipelines: dict[tuple[int, int], int] = {}

    def read(self, transaction: Transaction) -> None:
        """Take in what was recorded since the last time; the first time, since the oldest mark."""
        newest = int(transaction.value(_NEWEST) or 0)
        oldest = transaction.value(_OLDEST) if self.read_to is None else self.read_to
        for sequence, action, project_id, details in transaction.rows(
            _SINCE, {"after": newest if oldest is None else oldest}
        ):
            pipeline_id = json.loads(details).get("PipelineId") if action in _OF_PIPELINE else None
            if isinstance(pipeline_id, int):
                self.pipelines[project_id, pipeline_id] = sequence
            else:
                self.projects[project_id or 0] = sequence
        self.read_to = newest

    def since(self, sequence: int, project_id: int, pipeline_id: int) -> bool:
        """Whether anything behind an entry may concern a run of that pipeline."""
        places = (self.projects.get(0, 0), self.projects.get(project_id, 0))
        return max(*places, self.pipelines.get((project_id, pipeline_id), 0)) > sequence


def unfinished(
    transaction: Transaction, moved: Moved, *, now: float, after: int, limit: int
) -> Iterator[tuple[int, float | None]]:
    """The runs that are not over, behind that of one run, oldest first, each with until when it merely waits (None: it may move)."""
    moved.read(transaction)
    for run_id, project_id, pipeline_id, canceled, settled, until in transaction.rows(
        _UNFINISHED, {"after": after, "limit": limit}
    ):
        waits = settled is not None and not canceled and now < until
        yield run_id, until if waits and not moved.since(settled, project_id, pipeline_id) else None
