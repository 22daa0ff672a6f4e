"""The timeline records of a stage's checkpoint: one for the permission, one for each check (REST API, section 9.1)."""

from __future__ import annotations

from typing import Final

from sluice.authorization.checks.model import PASSED, Check, State, Suite
from sluice.authorization.checks.suite import RECORD_TYPES
from sluice.runs.checkpoints import named
from sluice.runs.identifiers import attempted, record_id
from sluice.runs.timeline import Timeline
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow

CHECKPOINT: Final = "Checkpoint"
AUTHORIZATION: Final = "Checkpoint.Authorization"

_TYPES: Final = frozenset({CHECKPOINT, AUTHORIZATION, *RECORD_TYPES})
_RESULTS: Final = {
    State.REJECTED: Result.FAILED,
    State.FAILED: Result.FAILED,
    State.TIMED_OUT: Result.FAILED,
    State.CANCELED: Result.CANCELED,
}


def show_permission(timeline: Timeline, stage: RecordRow, now: float) -> None:
    """The stage waits for a permit, or did before its checks began."""
    if timeline.find(CHECKPOINT, f"{stage.identifier}.{CHECKPOINT}") is None:
        around = timeline.put(_record(CHECKPOINT, stage, stage.id), started_at=now)
        timeline.put(_record(AUTHORIZATION, stage, around.id), started_at=now)


def show_checks(timeline: Timeline, stage: RecordRow, suite: Suite | None, now: float) -> None:
    """Each check of the suite with its state; the checkpoint goes on as long as one is open."""
    if suite is None or not suite.checks:
        return
    show_permission(timeline, stage, now)
    permission = timeline.find(AUTHORIZATION, f"{stage.identifier}.{AUTHORIZATION}")
    if permission is not None and not permission.completed:
        timeline.complete(permission, Result.SUCCEEDED, now)
    around = timeline.find(CHECKPOINT, f"{stage.identifier}.{CHECKPOINT}")
    assert around is not None  # noqa: S101  # made above
    if around.completed and suite.open:
        around = timeline.put(around, state="inProgress", result="", finished_at=None)
    for order, check in enumerate(suite.checks, start=1):
        _show(timeline, stage, around, check, order)
    asked_late = stage.state in {"inProgress", "completed"}  # a stage that waits ends its checkpoint itself
    below = [one for one in timeline if one.parent_id == around.id]
    if asked_late and not suite.open and not around.completed and all(one.completed for one in below):
        result = Result.SUCCEEDED if suite.state in PASSED else _RESULTS[suite.state]
        timeline.complete(around, result, now)


def end_checkpoint(timeline: Timeline, stage: RecordRow, result: Result, now: float) -> None:
    """The stage starts, or will not: nothing of its checkpoint is open any more."""
    around = f"{stage.identifier}."
    mine = [one for one in timeline if one.type in _TYPES and one.identifier.startswith(around)]
    for record in mine:
        if not record.completed:
            timeline.complete(record, result, now)


def _show(timeline: Timeline, stage: RecordRow, around: RecordRow, check: Check, order: int) -> None:
    identifier = f"{stage.identifier}.{CHECKPOINT}.{check.id}"
    record = timeline.find(check.record_type, identifier) or RecordRow(
        id=check.id,
        type=check.record_type,
        identifier=identifier,
        name=named(check),
        ref_name=check.record_type,
        parent_id=around.id,
        order=order,
        attempt=stage.attempt,
    )
    if check.state in PASSED:
        state, result = "completed", str(Result.SUCCEEDED)
    elif check.state in _RESULTS:
        state, result = "completed", str(_RESULTS[check.state])
    else:
        state, result = ("pending" if check.state is State.QUEUED else "inProgress"), ""
    timeline.put(
        record,
        state=state,
        result=result,
        message=check.message,
        started_at=check.started_at,
        finished_at=check.completed_at,
        percent=100 if result else 0,
    )


def _record(kind: str, stage: RecordRow, parent_id: str) -> RecordRow:
    identifier = f"{stage.identifier}.{kind}"
    return RecordRow(
        id=record_id(attempted(identifier, stage.attempt)),
        type=kind,
        identifier=identifier,
        name=kind,
        ref_name=kind,
        parent_id=parent_id,
        order=stage.order,
        attempt=stage.attempt,
        state="inProgress",
    )
