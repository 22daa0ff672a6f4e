"""Routes of the REST interface: paths without case, and who calls with which version."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute

from sluice.server.authentication import caller
from sluice.server.rest.call import Call
from sluice.server.rest.locations import BY_ID
from sluice.server.rest.versions import negotiate


class Route(APIRoute):
    """A route whose path has no case: clients write `/_apis/Pipelines` and `/_apis/pipelines`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


def resource(tag: str) -> APIRouter:
    """The router of one resource."""
    return APIRouter(route_class=Route, tags=[tag])


def call_of(location_id: str) -> Callable[[Request], Coroutine[Any, Any, Call]]:
    """A dependency: who calls the resource of a location, and in which version it is answered."""
    location = BY_ID[location_id]

    async def call(request: Request) -> Call:
        found = await caller(request)
        return Call(caller=found, version=negotiate(request, location), path=request.scope.get("root_path", ""))

    return call
