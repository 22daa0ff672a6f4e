"""Answers what was answered before, as long as nobody has written to the database since: the quick way of small reads.

A route says itself that its answer depends on nothing but what is stored and on who asks. The answer is kept for the very
credentials, address and version that were asked with, for as long as these are looked at again anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.values import dataclass

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sluice.server.memory import Memory
    from sluice.server.state import ServerState

SECONDS = 60.0
"""How long an answer is kept at most: then the use of the token is looked at, and recorded where it is time."""

MAX_BODY = 64 * 1024
_MARK = b"x-remember-until"


@dataclass(frozen=True, slots=True)
class _Kept:
    start: Message
    body: bytes


def remember(response: Response, until: float) -> Response:
    """Let an answer be given again, until a time (seconds since the epoch) at most."""
    response.headers[_MARK.decode("ascii")] = repr(until)
    return response


class Remembering:
    """Stands before the application; what it does not know goes through."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        memory = self._state.memory
        kept: _Kept | None = memory.get(key)
        if kept is not None:
            await send(kept.start)
            await send({"type": "http.response.body", "body": kept.body})
            return
        await self._app(scope, receive, _watching(send, memory, key, memory.age))


def _key(scope: Scope) -> Any:
    """What an answer is kept for; None for a request that is not answered so."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    authorization = accept = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"accept":
            accept = value
    if not authorization:
        return None
    client = scope.get("client")
    return ("reply", authorization, client[0] if client else "", scope["path"], scope["query_string"], accept)


def _watching(send: Send, memory: Memory, key: Any, read_at: int) -> Send:
    """Hands an answer on, and keeps it where its route says that it may be kept."""
    start: Message | None = None
    until = 0.0

    async def watching(message: Message) -> None:
        nonlocal start, until
        if message["type"] == "http.response.start":
            headers = message["headers"]
            marked = [value for name, value in headers if name == _MARK]
            if marked:
                message = {**message, "headers": [one for one in headers if one[0] != _MARK]}
                start, until = message, float(marked[0])
        elif start is not None and not message.get("more_body"):
            body = message.get("body", b"")
            if len(body) <= MAX_BODY:
                memory.put(key, _Kept(start, body), read_at=read_at, until=until, size=len(body))
        await send(message)

    return watching
