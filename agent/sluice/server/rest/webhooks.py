"""Incoming webhooks: the public address that other systems post their events to."""

from __future__ import annotations

import sys

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sluice.errors import NotFoundError, UsageError
from sluice.runs.webhooks import MAX_BODY, Received, receive
from sluice.server.authentication import state_of
from sluice.server.problems import Problem, not_found
from sluice.server.rest.envelope import encode
from sluice.server.rest.routing import resource
from sluice.server.sessions import refuse_if_throttled
from sluice.storage.origin import come_from

router = resource("webhooks")


@router.post("/_apis/public/distributedtask/webhooks/{webHookName}", summary="Post an event to an incoming webhook")
async def post(request: Request, webHookName: str) -> Response:
    """Start the pipelines that want the event. Nobody has to be signed in: what counts is the checksum of the body.

    The answer tells how many runs were started, and nothing of which: whoever posts may not be allowed to see them.
    """
    state = state_of(request)
    address = request.client.host if request.client else ""
    come_from(address)
    refuse_if_throttled(state, address)
    body = await _body(request)
    headers = dict(request.headers)

    def work() -> Received:
        return receive(state.orchestrator(state.store()), webHookName, headers, body)

    try:
        received = await run_in_threadpool(work)
    except NotFoundError as error:
        state.throttle.failed(address)
        raise not_found(error.what) from None
    except UsageError as error:
        raise Problem(400, "VssPropertyValidationException", error.what) from None
    for run in received.runs:
        state.go_on(run.id)
    for pipeline, why in received.refused:  # whoever posts could do nothing about it: the server's log tells
        sys.stderr.write(f"sluice: webhook {webHookName[:100]!r} did not start '{pipeline}': {why}\n")
    return Response(encode({"count": len(received.runs)}), media_type="application/json; charset=utf-8")


async def _body(request: Request) -> bytes:
    """The body, of which no more is read than a message may have."""
    pieces, size = list[bytes](), 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise Problem(413, "VssPropertyValidationException", f"the message is larger than {MAX_BODY >> 20} MB")
        pieces.append(piece)
    return b"".join(pieces)
