"""Puts the application together: protection, the routers of REST and pages, and how errors are told."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sluice.errors import SluiceError
from sluice.server.problems import Problem, problem_of
from sluice.server.protection import Protection
from sluice.server.remembering import Remembering
from sluice.server.rest.envelope import encode

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from sluice.server.state import ServerState

WORKERS = 16
"""Requests that are worked on at a time in threads; each may need a connection to the database."""

_ITEMS = 5
"""So many mistakes in a request are told."""


def create_app(state: ServerState) -> ASGIApp:
    """The application of a server; the state is the caller's to close."""
    from importlib.metadata import version

    app = FastAPI(
        title="Sluice",
        version=version("sluicegate"),
        summary="Azure Pipelines anywhere: the REST interface, in the shape of Azure DevOps.",
        openapi_url="/_apis/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.sluice = state
    for kind, tell in ((Problem, _problem), (SluiceError, _error), (RequestValidationError, _invalid)):
        app.add_exception_handler(kind, tell)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)
    _take_in(app)
    return Protection(Remembering(app, state), state.settings)


def _take_in(app: FastAPI) -> None:
    from sluice.server import issuer
    from sluice.server.rest import routers as rest
    from sluice.server.web import routers as web

    for router in (*rest(), issuer.router, *web()):
        # not by include_router, which matches paths its own way: these have no case, and are looked at in this order
        app.router.routes.extend(router.routes)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    from anyio.to_thread import current_default_thread_limiter

    current_default_thread_limiter().total_tokens = WORKERS
    yield


async def _problem(request: Request, error: Any) -> Response:
    return await _tell(request, error)


async def _error(request: Request, error: Any) -> Response:
    return await _tell(request, problem_of(error))


async def _invalid(request: Request, error: Any) -> Response:
    found = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:_ITEMS]]
    return await _tell(request, Problem(400, "VssPropertyValidationException", "; ".join(found)))


async def _http(request: Request, error: Any) -> Response:
    known = {404: "NotFoundException", 405: "VssMethodNotAllowedException"}
    type_key = known.get(error.status_code, "VssServiceException")
    text = {404: "there is nothing at this address", 405: "this address does not take that method"}
    message = text.get(error.status_code, str(error.detail))
    return await _tell(request, Problem(error.status_code, type_key, message, dict(error.headers or {})))


async def _defect(request: Request, _: Any) -> Response:
    """A defect of ours: the server's log says where (uvicorn writes the traceback), and whoever asked nothing of it."""
    sys.stderr.write(f"sluice: defect at {request.method} {request.scope.get('route', '')}\n")
    return await _tell(request, Problem(500, "SluiceException", "Sluice itself failed; the server's log says how"))


async def _tell(request: Request, problem: Problem) -> Response:
    if "/_apis" not in request.url.path.casefold():
        from sluice.server.web import tell

        return await tell(request, problem)
    media_type = "application/json; charset=utf-8"
    return Response(encode(problem.body()), problem.status, dict(problem.headers), media_type)
