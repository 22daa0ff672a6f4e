"""The process of projects, which clients look up when they read a project: there is one, and nothing hangs on it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.server.problems import not_found
from sluice.server.rest.call import Call
from sluice.server.rest.projects import PROCESS, PROCESS_ID
from sluice.server.rest.routing import call_of, resource

router = resource("projects")
Here = Annotated[Call, Depends(call_of("93878975-88c5-4e6a-8abb-7ddd77a8a7d8"))]


@router.get("/_apis/process/processes", summary="The processes of projects: one")
async def listed(call: Here) -> Response:
    """List the one process."""
    return call.collection([_view(call)])


@router.get("/_apis/process/processes/{processId}", summary="A process")
async def get(call: Here, processId: str) -> Response:
    """Get the process by its id."""
    if processId.casefold() != PROCESS_ID:
        raise not_found(f"Process {processId[:80]} does not exist.")
    return call.reply(_view(call))


def _view(call: Call) -> dict[str, Any]:
    return {
        "id": PROCESS_ID,
        "name": PROCESS,
        "description": "",
        "isDefault": True,
        "type": "system",
        "url": f"{call.base}/_apis/process/processes/{PROCESS_ID}",
    }
