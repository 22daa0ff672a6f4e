"""Agent queues: how a project calls the pools that its jobs name."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.library import pools
from sluice.server.problems import not_found
from sluice.server.rest.bodies import Number
from sluice.server.rest.call import Call
from sluice.server.rest.routing import call_of, resource
from sluice.storage.pools import Pool
from sluice.storage.projects import Project

router = resource("queues")
Here = Annotated[Call, Depends(call_of("900fa995-c559-4923-aae7-f8424fe4fbea"))]
QUEUES = "/{project}/_apis/distributedtask/queues"


@router.get(QUEUES, summary="The queues of a project")
def listed(call: Here, project: str, queueName: str = "", queueNames: str = "", queueIds: str = "") -> Response:
    """List the queues that the caller sees, by name."""
    names = {text.strip().casefold() for text in (queueNames or queueName).split(",") if text.strip()}
    ids = {text.strip() for text in queueIds.split(",") if text.strip()}
    home, found = _all(call, project)
    return call.collection(
        _view(home, one)
        for one in found
        if (not names or one.name.casefold() in names) and (not ids or str(one.number) in ids)
    )


@router.get(QUEUES + "/{queueId}", summary="A queue")
def get(call: Here, project: str, queueId: Number) -> Response:
    """Get a queue by its number."""
    home, found = _all(call, project)
    for one in found:
        if one.number == queueId:
            return call.reply(_view(home, one))
    raise not_found(f"No agent queue found with identifier {queueId}.", "TaskAgentQueueNotFoundException")


def _all(call: Call, project: str) -> tuple[Project, tuple[Pool, ...]]:
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
    pools.prepare_standard(call.caller.database, home.name)
    with call.caller.database.read() as transaction:
        return home, pools.listed(transaction, home.id, call.caller.guard)


def _view(home: Project, one: Pool) -> dict[str, Any]:
    return {
        "id": one.number,
        "projectId": home.guid,
        "name": one.name,
        "pool": {"id": one.number, "name": one.name, "isHosted": False, "poolType": "automation", "size": 1},
    }
