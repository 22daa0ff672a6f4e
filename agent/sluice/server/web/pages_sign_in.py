"""Signing in, by access token or by a one-time link, and signing out."""

from __future__ import annotations

from html import escape
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sluice.errors import NotPermittedError
from sluice.server import sessions
from sluice.server.authentication import caller, find_caller, state_of
from sluice.server.caller import Caller
from sluice.server.problems import Problem

router = APIRouter(include_in_schema=False)
Signed = Annotated[Caller, Depends(caller)]

_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Sluice</title>{head}</head>
<body><main>{body}</main></body></html>"""
_FORM = """<h1>Sign in</h1>{message}<form method="post" action="{action}"><input type="hidden" name="next" value="{next}">
<label>Access token <input type="password" name="token" autocomplete="off" required autofocus></label>
<button>Sign in</button></form>"""


@router.get("/sign-in")
def sign_in_page(request: Request, once: str = "", next: str = "/") -> Response:
    """Sign in with a one-time link, or ask for an access token."""
    if not once:
        return _form(request, next)
    try:
        begun = sessions.sign_in_by_link(state_of(request), once, _address(request))
    except NotPermittedError as error:
        return _form(request, next, str(error), status=403)
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
        return _form(request, next, str(error), status=403)
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


@router.get("/")
async def start(request: Request) -> Response:
    """Where a person begins."""
    found = await find_caller(request)
    if found is None:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/sign-in", 303)
    return HTMLResponse(_PAGE.format(head="", body=f"<h1>Sluice</h1><p>Signed in as {escape(found.name)}.</p>"))


def tell_problem(request: Request, problem: Problem) -> Response:
    """An error as a page; who is not signed in is led to where that is done."""
    if problem.status == 401 and request.method == "GET":
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{request.scope.get('root_path', '')}/sign-in?next={quote(path)}", 303)
    body = f"<h1>{problem.status}</h1><p>{escape(problem.message)}</p>"
    return HTMLResponse(_PAGE.format(head="", body=body), problem.status, problem.headers)


def local_path(text: str) -> str:
    """Where to go on, if that is here; the start page otherwise."""
    here = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if here else "/"


def _signed_in(request: Request, begun: sessions.Begun, next_path: str) -> Response:
    """Go on by the page itself: a browser that comes from elsewhere would not show the new cookie after a redirect."""
    target = escape(local_path(next_path), quote=True)
    head = f'<meta http-equiv="refresh" content="0; url={target}">'
    response = HTMLResponse(_PAGE.format(head=head, body=f'<p><a href="{target}">Go on</a></p>'))
    sessions.set_cookie(response, state_of(request), begun)
    return response


def _form(request: Request, next_path: str, message: str = "", status: int = 200) -> Response:
    shown = f'<p role="alert">{escape(message)}</p>' if message else ""
    action = escape(f"{request.scope.get('root_path', '')}/sign-in", quote=True)
    body = _FORM.format(message=shown, action=action, next=escape(local_path(next_path), quote=True))
    return HTMLResponse(_PAGE.format(head="", body=body), status)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
