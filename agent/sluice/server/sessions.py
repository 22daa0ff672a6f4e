"""Signs people in with a browser: by an access token or a one-time link; cookies, and what changes have to show.

The cookie holds 256 random bits and nothing else; what a change has to show (the CSRF token) is derived from them, so
that it is good for this very session and is stored nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.errors import NotPermittedError
from sluice.identity import actors
from sluice.rights import OWNER_ID
from sluice.secret import Secret
from sluice.server.problems import Problem
from sluice.storage import people, sessions
from sluice.storage.origin import coming_from
from sluice.values import dataclass

if TYPE_CHECKING:
    from starlette.responses import Response

    from sluice.server.state import ServerState

CSRF_FIELD = "__csrf"
CSRF_HEADER = "x-csrf-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session that was begun: what the browser is to keep, and how long."""

    text: Secret
    seconds: float


def sign_in_by_token(state: ServerState, text: str, address: str) -> Begun:
    """Begin a session with an access token; raises `NotPermittedError`, and `Problem` for an address that has to wait."""
    refuse_if_throttled(state, address)
    now = state.clock()
    try:
        with coming_from(address):
            found = actors.signed_in_by_token(state.database, Secret(text), at=now)
    except NotPermittedError:
        state.throttle.failed(address)
        raise
    state.throttle.succeeded(address)
    return _begin(state, found.actor.id, address, token_id=found.token_id, method="access token", until=found.until)


def sign_in_by_link(state: ServerState, text: str, address: str) -> Begun:
    """Begin a session with a one-time link, which is used up; raises as `sign_in_by_token`."""
    refuse_if_throttled(state, address)
    with coming_from(address), state.database.write() as transaction:
        user_id = sessions.use_link(transaction, text, at=state.clock())
    if user_id is None:
        state.throttle.failed(address)
        raise NotPermittedError(
            "this link does not sign anybody in (any more)",
            do="a link works once, and for a short time: sign in with an access token, or start the server again",
        )
    return _begin(state, user_id, address, token_id="", method="one-time link", until=float("inf"))


def make_link(state: ServerState) -> Secret:
    """What stands in a link that signs the local administrator in, once."""
    now = state.clock()
    with state.database.write() as transaction:
        owner = people.get(transaction, OWNER_ID)
        return sessions.make_link(transaction, owner, at=now, expires_at=now + state.settings.link_seconds)


def sign_out(state: ServerState, session: sessions.Session, address: str) -> None:
    """End a session."""
    with coming_from(address), state.database.write() as transaction:
        user = people.find(transaction, session.user_id) or people.User(id=session.user_id, name=session.user_id)
        sessions.end(transaction, session, user, at=state.clock())


def cookie_name(state: ServerState) -> str:
    """Browsers share cookies among the ports of a host, so the port is in the name."""
    prefix = "__Host-" if state.settings.secure else ""
    return f"{prefix}sluice-{state.settings.port}"


def set_cookie(response: Response, state: ServerState, begun: Begun) -> None:
    """Hand the browser its session."""
    response.set_cookie(
        cookie_name(state),
        begun.text.reveal(),
        max_age=int(begun.seconds),
        httponly=True,
        samesite="strict",
        secure=state.settings.secure,
        path="/",
    )


def delete_cookie(response: Response, state: ServerState) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(cookie_name(state), httponly=True, samesite="strict", secure=state.settings.secure, path="/")


def csrf_of(text: str) -> str:
    """What changes in a session have to show."""
    return hmac.new(text.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


def refuse_if_throttled(state: ServerState, address: str) -> None:
    """Raise for an address that has shown too much that nobody has."""
    if wait := state.throttle.wait(address):
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "RequestThrottledException",
            f"too many failed attempts to sign in: try again in {int(wait) + 1} seconds",
            {"Retry-After": str(int(wait) + 1)},
        )


def _begin(state: ServerState, user_id: str, address: str, *, token_id: str, method: str, until: float) -> Begun:
    now = state.clock()
    expires = min(until, now + state.settings.session_seconds)
    with coming_from(address), state.database.write() as transaction:
        user = people.get(transaction, user_id)
        _, text = sessions.begin(transaction, user, token_id=token_id, method=method, at=now, expires_at=expires)
    return Begun(text=text, seconds=expires - now)
