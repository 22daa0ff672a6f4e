"""The usage history of a service connection: which runs have used it, when, and how that ended."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.connections import lookup
from sluice.server.problems import not_found, refused
from sluice.server.rest.bodies import MAX_NUMBER, Body
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import as_date
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import RECORD_RESULTS
from sluice.storage import usage
from sluice.storage.projects import Project
from sluice.storage.usage import UsageRecord

router = resource("serviceendpoint")
Here = Annotated[Call, Depends(call_of("10a16738-9299-4cd1-9a81-fd23ad6200d0"))]
Added = Annotated[Call, Depends(call_of("55b9ed4b-5404-41b1-b9d2-7ed757d02bb0"))]

_DEFAULT = 50


class HistoryBody(Body):
    """A use that somebody wants to add."""

    endpointIds: list[str] | None = None


@router.get(
    "/{project}/_apis/serviceendpoint/{endpointId}/executionhistory", summary="The uses of a service connection"
)
def history(
    call: Here,
    project: str,
    endpointId: str,
    top: Annotated[int, Query(ge=1, le=10_000)] = _DEFAULT,
    continuationToken: Annotated[int, Query(ge=0, le=2 * MAX_NUMBER)] = 0,
) -> Response:
    """List the uses of a connection, newest first."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        record = lookup.seen(transaction, home.id, endpointId, call.caller.guard)
        if record is None:
            raise not_found(f"Service connection {endpointId[:80]} does not exist.")
        found = usage.history(
            transaction, record.id, project_id=home.id, limit=top + 1, before=continuationToken or None
        )
    more = str(found[top - 1].id) if len(found) > top else ""
    return call.collection((_view(call, home, one) for one in found[:top]), continuation=more)


@router.post("/{project}/_apis/serviceendpoint/executionhistory", summary="Add to the uses (refused)")
def add(call: Added, project: str, body: HistoryBody) -> Response:
    """Refuse it: the history says what happened, and is written by the runs themselves."""
    raise refused("the history of a service connection is written by the runs that use it, and by nobody else")


def _view(call: Call, home: Project, one: UsageRecord) -> dict[str, Any]:
    base = f"{call.base}/{home.guid}/_apis/build"
    data: dict[str, Any] = {
        "id": one.id,
        "planType": "Build" if one.run_id else one.task,
        "startTime": as_date(one.started_at),
        "ownerDetails": " / ".join(part for part in (one.stage, one.job, one.step) if part),
    }
    if one.run_id:
        data["definition"] = {
            "id": one.pipeline_id,
            "name": one.pipeline,
            "_links": {"self": {"href": f"{base}/Definitions/{one.pipeline_id}"}},
        }
        data["owner"] = {
            "id": one.run_id,
            "name": str(one.run_id),
            "_links": {"self": {"href": f"{base}/Builds/{one.run_id}"}},
        }
    if one.finished_at is not None:
        data["finishTime"] = as_date(one.finished_at)
        data["result"] = RECORD_RESULTS.get(one.result, "abandoned")
    return {"endpointId": one.connection_id, "data": data}
