"""Finds out who makes a request: Basic (the password is an access token), Bearer, or the cookie of a session."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from sluice.errors import NotPermittedError
from sluice.identity import actors
from sluice.rights import Actor
from sluice.secret import Secret
from sluice.server.caller import Caller
from sluice.server.job_tokens import JobIdentity, identify
from sluice.server.problems import Problem
from sluice.server.sessions import CSRF_FIELD, CSRF_HEADER, cookie_name, csrf_of, refuse_if_throttled
from sluice.storage import job_tokens, sessions
from sluice.storage.origin import come_from, coming_from

if TYPE_CHECKING:
    from sluice.server.state import ServerState

REALM = "Sluice"
MAX_CREDENTIAL = 8192
MAX_FIELDS = 10_000
"""Fields of a form: a variable group has many."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REMEMBERED_SECONDS = 60.0
"""After so long the use of a token is looked at again, so that it is recorded."""


def state_of(request: Request) -> ServerState:
    """What all requests share."""
    state: ServerState = request.app.state.sluice
    return state


async def caller(request: Request) -> Caller:
    """Who makes the request: a FastAPI dependency. Raises `Problem` (401) for nobody, and for a change that may be forged."""
    found = await find_caller(request)
    if found is None:
        raise unauthenticated(request)
    return found


async def find_caller(request: Request) -> Caller | None:
    """As `caller`; None where the request shows nothing, or the cookie of a session that is over."""
    state = state_of(request)
    address = request.client.host if request.client else ""
    come_from(address)
    header = request.headers.get("authorization")
    if header:
        return await _by_credential(request, state, _credential(header), address)
    text = request.cookies.get(cookie_name(state))
    if not text or len(text) > MAX_CREDENTIAL:
        return None
    found = await _by_session(state, text, address)
    if found is not None and request.method not in _SAFE:
        await _require_csrf(request, found)
    return found


def credential_of(request: Request) -> str:
    """What a request shows, whoever it is for; '' for nothing."""
    return _credential(request.headers.get("authorization", ""))


def unauthenticated(request: Request, message: str = "") -> Problem:
    """Nobody is signed in. A browser's own dialog would keep a token, so a page's request is not asked for Basic."""
    scheme = "Bearer" if request.headers.get("sec-fetch-mode") else "Basic"
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "UnauthorizedRequestException",
        message or "TF400813: you are not signed in: use an access token as the password",
        {"WWW-Authenticate": f'{scheme} realm="{REALM}"'},
    )


async def _by_credential(request: Request, state: ServerState, text: str, address: str) -> Caller:
    if text.startswith(job_tokens.MARK):
        return await _by_job(request, state, text, address)
    if not text:
        raise unauthenticated(request, "TF400813: the Authorization header holds no access token")
    key = ("token", hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), address)
    if (known := state.memory.get(key)) is not None:
        found: Caller = known
        return found
    refuse_if_throttled(state, address)
    read_at = state.memory.age
    try:
        signed_in = await run_in_threadpool(_signed_in, state, text, address)
    except NotPermittedError as error:
        state.throttle.failed(address)
        raise unauthenticated(request, f"TF400813: {error.what}") from None
    state.throttle.succeeded(address)
    until = min(signed_in.until, state.clock() + _REMEMBERED_SECONDS)
    made = Caller(state=state, actor=signed_in.actor, how="token", address=address, until=until)
    state.memory.put(key, made, read_at=read_at, until=until)
    return made


async def _by_job(request: Request, state: ServerState, text: str, address: str) -> Caller:
    """A job is looked up each time: its token ends with it."""
    refuse_if_throttled(state, address)
    found = await run_in_threadpool(_job, state, text)
    if found is None:
        state.throttle.failed(address)
        raise unauthenticated(request, "TF400813: the token of the job is not known, or its job is over")
    identity, actor = found
    return Caller(state=state, actor=actor, how="job", address=address, job=identity)


def _job(state: ServerState, text: str) -> tuple[JobIdentity, Actor] | None:
    with state.database.read() as transaction:
        return identify(transaction, text)


def _signed_in(state: ServerState, text: str, address: str) -> actors.SignedIn:
    with coming_from(address):
        return actors.signed_in_by_token(state.database, Secret(text), at=state.clock())


async def _by_session(state: ServerState, text: str, address: str) -> Caller | None:
    key = ("session", hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), address)
    if (known := state.memory.get(key)) is not None:
        found: Caller = known
        return found
    read_at = state.memory.age
    looked = await run_in_threadpool(_of_session, state, text)
    if looked is None:
        return None
    session, signed_in = looked
    made = Caller(
        state=state, actor=signed_in.actor, how="session", address=address, session=session, csrf=csrf_of(text)
    )
    state.memory.put(key, made, read_at=read_at, until=signed_in.until)
    return made


def _of_session(state: ServerState, text: str) -> tuple[sessions.Session, actors.SignedIn] | None:
    now = state.clock()
    with state.database.read() as transaction:
        session = sessions.find(transaction, text, at=now)
        signed_in = actors.by_session(transaction, session, at=now) if session else None
    return (session, signed_in) if session and signed_in else None


async def _require_csrf(request: Request, found: Caller) -> None:
    """Raise unless a change shows what only the pages of this session know."""
    shown = request.headers.get(CSRF_HEADER, "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if not shown and kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        form = await request.form(max_fields=MAX_FIELDS)
        value = form.get(CSRF_FIELD)
        shown = value if isinstance(value, str) else ""
    if not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), found.csrf.encode("ascii")):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "AccessCheckException",
            "this change does not come from a page of your session: load the page again, and repeat it there",
        )


def _credential(header: str) -> str:
    """The access token of an `Authorization` header: the password of Basic, or what Bearer bears; '' for neither."""
    scheme, _, rest = header.partition(" ")
    rest = rest.strip()
    if len(rest) > MAX_CREDENTIAL:
        return ""
    if scheme.casefold() == "bearer":
        return rest
    if scheme.casefold() != "basic":
        return ""
    try:
        text = base64.b64decode(rest, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[2]
