"""How runs are shown: as rows, as a tree, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sluice.authorization import texts
from sluice.authorization.checks.suite import RECORD_TYPES
from sluice.cli.output import as_time
from sluice.cli.view import words
from sluice.runs.outcomes import elapsed

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

_DEPTH = {"Stage": 0, "Phase": 1, "Job": 1, "Task": 2, **dict.fromkeys(RECORD_TYPES, 1)}


def state_of(run: RunRow, *, waits: bool) -> str:
    """`completed`, `canceling`, `waiting` or `inProgress`."""
    if run.state == "completed":
        return run.state
    return "canceling" if run.cancel_requested_by else "waiting" if waits else run.state


def state_in_words(run: RunRow, *, waits: bool, driven: bool) -> str:
    """How a run stands, as a person says it; one that nobody drives and that waits for nobody has been stopped."""
    if run.state == "completed":
        return words.result(run.result)
    if not driven and not waits:
        return f"stopped (sluice resume {run.id})"
    return words.outcome(state_of(run, waits=waits), "")


def describe_run(
    run: RunRow, records: Sequence[RecordRow], requests: Sequence[RequestRow], *, driven: bool
) -> dict[str, Any]:
    """A run with its timeline and what it waits for, as JSON values."""
    return {
        **describe(run, waits=bool(requests), driven=driven),
        "waitingFor": [describe_request(request) for request in requests],
        "records": [_describe_record(record) for record in ordered(records)],
    }


def describe(run: RunRow, *, waits: bool, driven: bool) -> dict[str, Any]:
    """A run as JSON values. `driven` says that a process runs its jobs, or would."""
    return {
        "id": run.id,
        "name": run.name,
        "pipeline": run.pipeline,
        "state": state_of(run, waits=waits),
        "driven": driven,
        "result": run.result,
        "requestedBy": run.requested_by,
        "createdOn": as_time(run.created_at),
        "finishedOn": as_time(run.finished_at),
    }


def describe_request(request: RequestRow) -> dict[str, Any]:
    """What a run waits for, as JSON values; the stage that nobody wrote has no name."""
    return {
        "resourceType": request.resource_type,
        "name": request.resource_name,
        "id": request.resource_id,
        "stage": named_stage(request.stage),
        "where": request.where,
        **({"expiresOn": as_time(request.expires_at)} if request.resource_type in texts.STEP_WAITS else {}),
        **({"instructions": request.detail} if request.resource_type == texts.VALIDATION else {}),
        **({"detail": request.detail} if request.resource_type in texts.CHECKS else {}),
        **({"caution": request.detail} if _is_cautioned(request) else {}),
    }


def _is_cautioned(request: RequestRow) -> bool:
    return request.resource_type == "endpoint" and request.detail not in {"", texts.DISABLED}


def named_stage(stage: str) -> str:
    """The name of a stage; '' for the one that nobody wrote."""
    return "" if stage == words.IMPLICIT else stage


def _describe_record(record: RecordRow) -> dict[str, Any]:
    return {
        "id": record.id,
        "type": record.type,
        "identifier": record.identifier,
        "path": words.path(record.identifier),
        "name": named_stage(record.name),
        "attempt": record.attempt,
        "state": record.state,
        "result": record.result,
        "message": record.message,
        "startedOn": as_time(record.started_at),
        "finishedOn": as_time(record.finished_at),
        "errorCount": record.error_count,
        "warningCount": record.warning_count,
        "issues": list(record.issues),
        "outputs": dict(record.outputs),
    }


def row_of(run: RunRow, *, waits: bool, driven: bool) -> dict[str, Any]:
    """A run as a table's row."""
    return {
        "id": run.id,
        "run": run.name,
        "pipeline": run.pipeline,
        "state": state_in_words(run, waits=waits, driven=driven),
        "started": as_time(run.created_at),
        "took": took(run.created_at, run.finished_at),
        "by": run.requested_by,
    }


def ordered(records: Sequence[RecordRow]) -> list[RecordRow]:
    """Records as a tree, depth first, in the order of the pipeline."""
    by_id = {record.id: record for record in records}
    children: dict[str, list[RecordRow]] = {}
    for record in records:
        children.setdefault(record.parent_id if record.parent_id in by_id else "", []).append(record)

    def below(parent: str) -> list[RecordRow]:
        return [one for child in children.get(parent, ()) for one in (child, *below(child.id))]

    return below("")


def tree_lines(records: Sequence[RecordRow]) -> list[str]:
    """The timeline as indented lines, each with the path that options take; what nobody wrote is not shown twice."""
    alone = {record.parent_id: record.message for record in records if record.ref_name == words.IMPLICIT}
    shown = [
        record
        for record in ordered(records)
        if record.type in _DEPTH and words.IMPLICIT not in {record.identifier, record.ref_name}
    ]
    titles = [f"{'  ' * _DEPTH[record.type]}{_title(record)}" for record in shown]
    states = [words.outcome(record.state, record.result) for record in shown]
    wide, middle = (max(map(len, column), default=0) for column in (titles, states))
    lines = []
    for record, title, state in zip(shown, titles, states, strict=True):
        lines.append(f"{title:<{wide}}  {state:<{middle}}  {words.duration(record):>8}".rstrip())
        if message := record.message or alone.get(record.id, ""):
            lines.append(f"{'  ' * (_DEPTH[record.type] + 1)}{message}")
    return lines


def _title(record: RecordRow) -> str:
    """A check is called by its name: its path says nothing."""
    return words.name(record) if record.type in RECORD_TYPES else words.title(record)


def took(start: float, end: float | None) -> str:
    """How long something took; '' while it is not over."""
    return "" if end is None else elapsed(end - start)
