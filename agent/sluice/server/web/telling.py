"""Errors as pages: what was refused, why, and what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from sluice.errors import SluiceError
from sluice.server.authentication import find_caller
from sluice.server.problems import Problem
from sluice.server.web.rendering import page

if TYPE_CHECKING:
    from starlette.requests import Request

    from sluice.server.caller import Caller

_HEADINGS = {
    HTTPStatus.UNAUTHORIZED: "You are not signed in",
    HTTPStatus.FORBIDDEN: "You may not do this",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.CONFLICT: "That is not possible now",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many attempts",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Sluice itself failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "Sluice cannot do this right now",
}


async def tell_problem(request: Request, problem: Problem) -> Response:
    """An error as a page; who is not signed in is led to where that is done."""
    if problem.status == HTTPStatus.UNAUTHORIZED and request.method == "GET":
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(path)}", HTTPStatus.SEE_OTHER)
    caller = await _person(request)
    response = page(
        request,
        "problem.html",
        caller,
        status=problem.status,
        problem=problem.error or SluiceError(problem.message),
        heading=_HEADINGS.get(HTTPStatus(problem.status), "That did not work"),
        back=_back(request),
    )
    response.headers.update(problem.headers)
    return response


async def _person(request: Request) -> Caller | None:
    """Who asks; nobody, where that is what went wrong."""
    try:
        return await find_caller(request)
    except (Problem, SluiceError):
        return None


def _back(request: Request) -> str:
    """Where the person came from, if that was here."""
    referer = request.headers.get("referer", "")
    base = f"{request.url.scheme}://{request.url.netloc}/"
    return "/" + referer.removeprefix(base) if referer.startswith(base) else "/"
