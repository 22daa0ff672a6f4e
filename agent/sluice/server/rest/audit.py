"""The audit log: the kinds of events, and the entries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import MAX_NUMBER
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import as_date
from sluice.server.rest.routing import call_of, resource
from sluice.storage import audit, projects
from sluice.storage.action_registry import ACTIONS
from sluice.storage.groups import ORGANIZATION_NAME

if TYPE_CHECKING:
    from sluice.storage.chain import Entry

router = resource("audit")
Actions = Annotated[Call, Depends(call_of("6fa30b9a-9558-4e3b-a95f-a12572caa6e6"))]
Log = Annotated[Call, Depends(call_of("4e5fa14f-7097-4b73-9c85-00abc7353c61"))]

MAX_BATCH = 10_000
_ADDRESS = "address"


@router.get("/_apis/audit/actions", summary="The kinds of events")
def actions(call: Actions, areaName: str = "") -> Response:
    """List the kinds of events that are recorded, by id."""
    _require(call)
    return call.collection(
        {"actionId": one.id, "area": one.area, "category": one.category.casefold()}
        for one in sorted(ACTIONS.values(), key=lambda one: one.id)
        if not areaName or one.area.casefold() == areaName.casefold()
    )


@router.get("/_apis/audit/auditlog", summary="The entries of the audit log")
def log(
    call: Log,
    startTime: datetime | None = None,
    endTime: datetime | None = None,
    batchSize: Annotated[int, Query(ge=1, le=MAX_BATCH)] = 200,
    continuationToken: str = "",
    skipAggregation: bool = False,
) -> Response:
    """List entries, the newest first; the token leads to those before."""
    _require(call)
    before = _number(continuationToken)
    wanted = audit.Wanted(
        since=startTime.timestamp() if startTime else None,
        until=endTime.timestamp() if endTime else None,
        before=before,
    )
    with call.caller.database.read() as transaction:
        found = [link.entry for link in audit.search(transaction, wanted, limit=batchSize + 1)]
        names = {one.id: one for one in projects.listed(transaction)}
    page = list(reversed(found))[:batchSize]
    more = len(found) > batchSize
    return call.reply(
        {
            "decoratedAuditLogEntries": [_view(one, names) for one in page],
            "continuationToken": str(page[-1].sequence) if more else "",
            "hasMore": more,
        }
    )


def _require(call: Call) -> None:
    call.caller.guard.require_administrator("read the audit log", "vso.auditlog")


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or int(text[:18]) > MAX_NUMBER:
        raise bad_argument("'continuationToken' is none that was given")
    return int(text)


def _view(entry: Entry, names: Mapping[int, projects.Project]) -> dict[str, Any]:
    details = json.loads(entry.details)
    home = names.get(entry.project_id)
    action = ACTIONS.get(entry.action)
    return {
        "id": str(entry.sequence),
        "correlationId": None,
        "activityId": None,
        "actorCUID": None,
        "actorUserId": None,
        "actorClientId": None,
        "actorUPN": entry.actor,
        "actorDisplayName": entry.actor,
        "actorImageUrl": None,
        "authenticationMechanism": None,
        "timestamp": as_date(entry.at),
        "scopeType": "project" if home else "organization",
        "scopeDisplayName": home.name if home else ORGANIZATION_NAME,
        "scopeId": home.guid if home else None,
        "projectId": home.guid if home else None,
        "projectName": home.name if home else None,
        "ipAddress": _address(details),
        "userAgent": None,
        "actionId": entry.action,
        "data": details,
        "details": audit.describe(entry),
        "area": action.area if action else None,
        "category": entry.category.casefold(),
        "categoryDisplayName": entry.category,
    }


def _address(details: Mapping[str, Any]) -> str | None:
    origin = details.get(audit.ORIGIN)
    found = origin.get(_ADDRESS) if isinstance(origin, Mapping) else None
    return str(found) if found else None
