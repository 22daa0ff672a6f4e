"""How runs are shown: as rows, as a tree, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

_DEPTH = {"Stage": 0, "Phase": 1, "Job": 1, "Task": 2}


def state_of(run: RunRow, *, waits: bool) -> str:
    """`completed`, `canceling`, `waiting` or `inProgress`."""
    if run.state == "completed":
        return run.state
    return "canceling" if run.cancel_requested_by else "waiting" if waits else run.state


def describe_run(run: RunRow, records: Sequence[RecordRow], requests: Sequence[RequestRow]) -> dict[str, Any]:
    """A run with its timeline and what it waits for, as JSON values."""
    return {
        "id": run.id,
        "name": run.name,
        "pipeline": run.pipeline,
        "state": state_of(run, waits=bool(requests)),
        "result": run.result,
        "requestedBy": run.requested_by,
        "createdAt": run.created_at,
        "finishedAt": run.finished_at,
        "waitingFor": [
            {
                "resourceType": request.resource_type,
                "name": request.resource_name,
                "id": request.resource_id,
                "stage": request.stage,
                "where": request.where,
            }
            for request in requests
        ],
        "records": [_describe_record(record) for record in ordered(records)],
    }


def _describe_record(record: RecordRow) -> dict[str, Any]:
    return {
        "id": record.id,
        "type": record.type,
        "identifier": record.identifier,
        "name": record.name,
        "attempt": record.attempt,
        "state": record.state,
        "result": record.result,
        "message": record.message,
        "startTime": record.started_at,
        "finishTime": record.finished_at,
        "errorCount": record.error_count,
        "warningCount": record.warning_count,
        "issues": list(record.issues),
        "outputs": dict(record.outputs),
    }


def row_of(run: RunRow, *, waits: bool) -> dict[str, Any]:
    """A run as a table's row."""
    return {
        "id": run.id,
        "run": run.name,
        "pipeline": run.pipeline,
        "state": run.result or {"inProgress": "in progress"}.get(state := state_of(run, waits=waits), state),
        "started": moment(run.created_at),
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
    """The timeline as indented lines; the implicit stage and single instances are not shown twice."""
    lines = []
    alone = {record.parent_id: record.message for record in records if record.ref_name == "__default"}
    for record in ordered(records):
        if record.type not in _DEPTH or record.identifier == "__default" or record.ref_name == "__default":
            continue
        state = record.result if record.completed else record.state
        spent = took(record.started_at, record.finished_at)
        attempt = f" (attempt {record.attempt})" if record.attempt > 1 else ""
        lines.append(f"{'  ' * _DEPTH[record.type]}{record.name}{attempt}  {state}  {spent}".rstrip())
        if message := record.message or alone.get(record.id, ""):
            lines.append(f"{'  ' * (_DEPTH[record.type] + 1)}{message}")
    return lines


def moment(at: float | None) -> str:
    """A time of day with its date, in this machine's zone."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def took(start: float | None, end: float | None) -> str:
    """How long something took."""
    if start is None or end is None:
        return ""
    seconds = end - start
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"
