"""The timeline of a run, and its logs, in both views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from sluice.runs.logs import RunLogs
from sluice.runs.predefined import plan_id
from sluice.server.problems import not_found
from sluice.server.rest.bodies import MAX_NUMBER, Number
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import as_date
from sluice.server.rest.lookups import run_of
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import log_numbers, record_view
from sluice.storage import records
from sluice.storage.projects import Project
from sluice.storage.records import RecordRow
from sluice.storage.runs import RunRow

router = resource("build")
Timelines = Annotated[Call, Depends(call_of("8baac422-4c6e-4de5-8532-db96d92acffa"))]
Logs = Annotated[Call, Depends(call_of("35a80daf-7f30-45fc-86e8-6b813d9c90df"))]
PipelineLogs = Annotated[Call, Depends(call_of("fb1b6d27-3957-43d5-a14b-a2d70403e545"))]
Line = Annotated[int | None, Query(ge=0, le=MAX_NUMBER)]


@router.get("/{project}/_apis/build/builds/{buildId}/timeline", summary="The timeline of a build")
@router.get(
    "/{project}/_apis/build/builds/{buildId}/timeline/{timelineId}", summary="The timeline of a build, by its id"
)
def timeline(call: Timelines, project: str, buildId: Number, timelineId: str = "") -> Response:
    """Answer every record of the current attempts: stages, checkpoints, jobs and steps."""
    home, run, found = _records(call, project, buildId)
    if timelineId and timelineId.casefold() != plan_id(run.id):
        raise not_found(f"build {run.id} has no timeline '{timelineId[:40]}'")
    base = f"{call.base}/{home.guid}/_apis/build/builds/{run.id}"
    numbers = log_numbers(found)
    current = [one for one in found if not one.superseded]
    return call.reply(
        {
            "records": [record_view(one, numbers, f"{base}/logs") for one in current],
            "lastChangedBy": "00000002-0000-8888-8000-000000000000",
            "lastChangedOn": as_date(_changed(current, run)),
            "id": plan_id(run.id),
            "changeId": len(found),
            "url": f"{base}/Timeline/{plan_id(run.id)}",
        }
    )


@router.get("/{project}/_apis/build/builds/{buildId}/logs", summary="The logs of a build")
def build_logs(call: Logs, project: str, buildId: Number) -> Response:
    """List the logs of a build: one for each step that has begun."""
    home, run, found = _records(call, project, buildId)
    base = f"{call.base}/{home.guid}/_apis/build/builds/{run.id}/logs"
    return call.collection(_listed(call, run, found, base, extra={"type": "Container"}))


@router.get("/{project}/_apis/build/builds/{buildId}/logs/{logId}", summary="A log of a build")
def build_log(
    request: Request,
    call: Logs,
    project: str,
    buildId: Number,
    logId: Number,
    startLine: Line = None,
    endLine: Line = None,
) -> Response:
    """Answer the lines of a log: as text, or as JSON for who asks for that."""
    _, run, found = _records(call, project, buildId)
    logs, record = RunLogs(call.caller.state.home.logs, run.id), _step(found, logId)
    lines = logs.lines(record, (startLine or 0) + (0 if startLine else 1), endLine)
    if "json" in request.headers.get("accept", "") and "text/plain" not in request.headers.get("accept", ""):
        return call.collection(line.decode("utf-8", "replace") for line in lines)
    return StreamingResponse(_text(lines), media_type="text/plain; charset=utf-8")


@router.get("/{project}/_apis/pipelines/{pipelineId}/runs/{runId}/logs", summary="The logs of a run")
def run_logs(call: PipelineLogs, project: str, pipelineId: Number, runId: Number) -> Response:
    """List the logs of a run."""
    home, run, found = _records(call, project, runId, pipelineId)
    base = f"{call.base}/{home.guid}/_apis/pipelines/{pipelineId}/runs/{run.id}/logs"
    return call.reply({"logs": list(_listed(call, run, found, base)), "url": base})


@router.get("/{project}/_apis/pipelines/{pipelineId}/runs/{runId}/logs/{logId}", summary="A log of a run")
def run_log(call: PipelineLogs, project: str, pipelineId: Number, runId: Number, logId: Number) -> Response:
    """Tell of a log of a run; its lines are at the log of the build."""
    home, run, found = _records(call, project, runId, pipelineId)
    _step(found, logId)
    base = f"{call.base}/{home.guid}/_apis/pipelines/{pipelineId}/runs/{run.id}/logs"
    return call.reply(next(one for one in _listed(call, run, found, base) if one["id"] == logId))


def _records(call: Call, project: str, number: int, pipeline_id: int = 0) -> tuple[Project, RunRow, list[RecordRow]]:
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = run_of(call, transaction, home, number, pipeline_id=pipeline_id)
        return home, run, records.of_run(transaction, run.id, every_attempt=True)


def _listed(
    call: Call, run: RunRow, found: list[RecordRow], base: str, *, extra: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    logs = RunLogs(call.caller.state.home.logs, run.id)
    by_id = {record.id: record for record in found}
    for record_id, number in log_numbers(found).items():
        record = by_id[record_id]
        yield {
            "lineCount": sum(piece.count(b"\n") for piece in logs.pieces(record_id)),
            "createdOn": as_date(record.started_at),
            "lastChangedOn": as_date(record.finished_at or record.started_at),
            "id": number,
            **(extra or {}),
            "url": f"{base}/{number}",
        }


def _step(found: list[RecordRow], number: int) -> str:
    for record_id, known in log_numbers(found).items():
        if known == number:
            return record_id
    raise not_found(f"there is no log {number}: it does not exist.")


def _text(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line + b"\r\n"


def _changed(found: list[RecordRow], run: RunRow) -> float:
    times = [time for one in found for time in (one.started_at, one.finished_at) if time is not None]
    return max(times, default=run.created_at)
