"""Signing in, by access token or by a one-time link, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.errors import NotPermittedError
from sluice.server import sessions
from sluice.server.authentication import state_of
from sluice.server.web.rendering import page
from sluice.server.web.signed import Signed

if TYPE_CHECKING:
    from sluice.errors import SluiceError

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, once: str = "", next: str = "/") -> Response:
    """Sign in with a one-time link, or ask for an access token."""
    if not once:
        return _form(request, next)
    try:
        begun = sessions.sign_in_by_link(state_of(request), once, _address(request))
    except NotPermittedError as error:
        return _form(request, next, error, status=403)
    return _signed_in(request, begun, next)


@router.post("/sign-in")
def sign_in(
    request: Request,
    token: Annotated[str, Form(max_length=4096)] = "",
    next: Annotated[str, Form(max_length=2048)] = "/",
) -> Response:
    """Begin a session with an access token."""
    try:
        begun = sessions.sign_in_by_token(state_of(request), token.strip(), _address(request))
    except NotPermittedError as error:
        return _form(request, next, error, status=403)
    return _signed_in(request, begun, next)


@router.post("/sign-out")
def sign_out(request: Request, found: Signed) -> Response:
    """End the session."""
    state = state_of(request)
    if found.session:
        sessions.sign_out(state, found.session, found.address)
    response = RedirectResponse(f"{request.scope.get('root_path', '')}/sign-in", 303)
    sessions.delete_cookie(response, state)
    return response


def local_path(text: str) -> str:
    """Where to go on, if that is here; the start page otherwise."""
    here = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if here else "/"


def _signed_in(request: Request, begun: sessions.Begun, next_path: str) -> Response:
    """Go on by the page itself: a browser that comes from elsewhere would not show the new cookie after a redirect."""
    response = page(request, "signed_in.html", None, target=local_path(next_path))
    sessions.set_cookie(response, state_of(request), begun)
    return response


def _form(request: Request, next_path: str, problem: SluiceError | None = None, status: int = 200) -> Response:
    return page(request, "sign_in.html", None, status=status, problem=problem, next=local_path(next_path))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
