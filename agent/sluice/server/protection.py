"""Stands before everything: which names the server answers by, from which pages changes may come, how much is read.

A page of another site that a name was rebound to this machine for (DNS rebinding) names another host; one that sends a
form here names another origin. Neither gets further than this.
"""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.server.problems import Problem
from sluice.server.settings import MAX_BODY, MAX_UPLOAD, UPLOADS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sluice.server.settings import ServerSettings

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # with 'no-referrer' browsers would not say where a form comes from
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE = (b"cache-control", b"no-store")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Protection:
    """The outermost part of the application."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._always = (*_HEADERS, _HSTS) if settings.secure else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._answer(send)
        if refusal := self._refusal(scope):
            await _refuse(refusal, answer)
            return
        path = _organization_off(scope["path"], self._settings.organization)
        scope = {**scope, "root_path": path}
        limit = MAX_UPLOAD if scope["path"].casefold().endswith(UPLOADS) else MAX_BODY
        if _length(scope) > limit:
            await _refuse(_too_large(limit), answer)
            return
        await self._app(scope, _limited(receive, limit), answer)

    def _refusal(self, scope: Scope) -> Problem | None:
        host, origin, site = _named(scope)
        if not host or not self._settings.knows(host):
            shown = "".join(one for one in host[:100] if one.isprintable())
            return Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "HostNotKnownException",
                f"this server is not known as '{shown}': start it with --public-url or --allow-host",
            )
        if scope["method"] in _SAFE:
            return None
        if (origin and origin.casefold() not in self._settings.origins) or (not origin and site in _FOREIGN):
            return Problem(HTTPStatus.FORBIDDEN, "AccessCheckException", "a page of another site asks for this change")
        return None

    def _answer(self, send: Send) -> Send:
        always, activity = self._always, str(uuid.uuid4()).encode("ascii")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *always, (b"activityid", activity)]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                message = {**message, "headers": headers}
            await send(message)

        return answer


_FOREIGN = frozenset({"cross-site", "same-site"})


def _named(scope: Scope) -> tuple[str, str, str]:
    host = origin = site = ""
    for name, value in scope["headers"]:
        if name == b"host":
            if host:
                return "", "", ""  # two hosts are none
            host = value.decode("latin-1")
        elif name == b"origin":
            origin = value.decode("latin-1")
        elif name == b"sec-fetch-site":
            site = value.decode("latin-1")
    return host, origin, site


def _organization_off(path: str, organization: str) -> str:
    """What of a path names the organization, to be taken off; '' where it is left out, or is all there is."""
    first, slash, _ = path[1:].partition("/")
    return f"/{first}" if slash and first.casefold() == organization.casefold() else ""


def _length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _too_large(limit: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "ArgumentException", f"a request here has at most {limit} bytes"
    )


def _limited(receive: Receive, limit: int) -> Receive:
    """The body of a request as far as the limit goes, whatever length it claims."""
    count = 0

    async def limited() -> Message:
        nonlocal count
        message = await receive()
        if message["type"] == "http.request":
            count += len(message.get("body", b""))
            if count > limit:
                raise _too_large(limit)
        return message

    return limited


async def _refuse(problem: Problem, send: Send) -> None:
    body = json.dumps(problem.body()).encode("utf-8")
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
