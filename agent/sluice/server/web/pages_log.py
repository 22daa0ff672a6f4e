"""The log of a step: parts of it, its groups, where a text stands in it, the whole as a text, and what comes live."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from sluice.errors import NotFoundError
from sluice.server.web.pages_run import run_of
from sluice.server.web.signed import RunNumber, Signed
from sluice.storage import records

if TYPE_CHECKING:
    from sluice.server.caller import Caller
    from sluice.server.log_index import LogIndex

router = APIRouter(include_in_schema=False)

STREAM_SECONDS = 600.0
"""After so long a stream of events ends."""

MAX_LINES = 5000
MAX_TEXT = 400

Run = Annotated[RunNumber, Query(alias="buildId")]
Step = Annotated[str, Query(max_length=64)]


@router.get("/{project}/_build/log")
def log_lines(
    project: str,
    caller: Signed,
    run_id: Run,
    step: Step,
    first: Annotated[int, Query(alias="from", ge=0, lt=2**40)] = 0,
    count: Annotated[int, Query(ge=1, le=MAX_LINES)] = 1000,
) -> Response:
    """Lines from a number on (0: the last ones), each with its time in front, and how many there are."""
    found = _index(caller, project, run_id, step).lines(first, count)
    texts = [text.decode("utf-8", "replace") for text in found.texts]
    return _json({"first": found.first, "lines": texts, "total": found.total})


@router.get("/{project}/_build/log/groups")
def log_groups(project: str, caller: Signed, run_id: Run, step: Step) -> Response:
    """The groups of a log: first and last line of each, 0 for one that goes on."""
    return _json({"groups": _index(caller, project, run_id, step).groups()})


@router.get("/{project}/_build/log/find")
def log_find(
    project: str,
    caller: Signed,
    run_id: Run,
    step: Step,
    text: Annotated[str, Query(min_length=1, max_length=MAX_TEXT)],
) -> Response:
    """The lines that hold a text."""
    found = _index(caller, project, run_id, step).find(text)
    return _json({"lines": found.lines, "complete": found.complete})


@router.get("/{project}/_build/log/text")
def log_text(project: str, caller: Signed, run_id: Run, step: Step) -> Response:
    """The whole log, to be kept."""
    path = _path(caller, project, run_id, step)
    name = f"run-{run_id}-{step[:8]}.log"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_pieces(path), media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/{project}/_build/live")
async def live(request: Request, project: str, caller: Signed, run_id: Run, step: Step = "") -> Response:
    """Server-sent events: that something of the run changed, and the newest lines of a step that runs."""
    path = await run_in_threadpool(_watched_path, caller, project, run_id, step)
    events = caller.state.live.watch(run_id, path)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(request, events), media_type="text/event-stream", headers=headers)


async def _stream(request: Request, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What is told, for a while: the browser then asks again, and whether the person still may see it is asked anew."""
    end = time.monotonic() + STREAM_SECONDS
    yield b"retry: 1000\n\n"
    async for event in events:
        if time.monotonic() > end or await request.is_disconnected():
            return
        yield event


def _watched_path(caller: Caller, project: str, run_id: int, step: str) -> Path | None:
    if step:
        return _path(caller, project, run_id, step)
    with caller.database.read() as transaction:
        run_of(transaction, caller, project, run_id)
    return None


def _path(caller: Caller, project: str, run_id: int, step: str) -> Path:
    """The log of a step of a run that the person sees; raises `NotFoundError`."""
    with caller.database.read() as transaction:
        run = run_of(transaction, caller, project, run_id)
        record = records.get(transaction, run.id, step)
    if record is None or record.type != "Task":
        raise NotFoundError(f"run {run_id} has no such step", do="look at its page")
    return caller.state.home.logs / str(run.id) / f"{record.id}.log"


def _index(caller: Caller, project: str, run_id: int, step: str) -> LogIndex:
    return caller.state.logs.of(_path(caller, project, run_id, step))


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                yield piece
    except FileNotFoundError:
        return


def _json(data: object) -> Response:
    return Response(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"), media_type="application/json")
