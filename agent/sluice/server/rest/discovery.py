"""How clients find their way: OPTIONS with the table of locations, and the resource areas."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from sluice.server.authentication import caller
from sluice.server.caller import Caller
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import encode
from sluice.server.rest.locations import of_area
from sluice.server.rest.routing import call_of, resource

router = resource("discovery")
Here = Annotated[Call, Depends(call_of("e81700f7-3be2-46de-8624-2eb35882fcaa"))]
Signed = Annotated[Caller, Depends(caller)]
_JSON = "application/json; charset=utf-8"


@router.options("/_apis", summary="The locations of all resources")
@router.options("/_apis/{area}", summary="The locations of an area's resources")
async def locations(request: Request, area: str = "") -> Response:
    """Answer what every client asks first; it tells nothing of what is stored, so nobody has to be signed in."""
    found = [one.as_json() for one in of_area(area)]
    return Response(encode({"count": len(found), "value": found}), media_type=_JSON)


@router.get("/_apis/ResourceAreas", summary="The areas that have an address of their own: none")
async def areas(call: Here) -> Response:
    """Answer as a server on premises does: clients then use one address for all areas."""
    return call.reply({"count": 0, "value": None})


@router.get("/_apis/ResourceAreas/{areaId}", summary="The address of an area: none of its own")
async def area(areaId: str, _: Signed) -> Response:
    """Answer as `areas` does: there is no such area."""
    return Response(b"null", media_type=_JSON)
