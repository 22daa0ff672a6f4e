"""Who watches a run hears of each change, and of the newest lines of a log; nobody who missed some is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.agent.server.web.conftest import House

from sluice.runs.logs import RunLogs
from sluice.server import live
from sluice.server.live import Live
from sluice.server.log_index import LogIndexes
from sluice.server.state import ServerState
from sluice.storage import runs
from sluice.storage.marks import marks

SECONDS = 20.0


@pytest.fixture
def house(state: ServerState, tmp_path: Path) -> House:
    return House(state, tmp_path)


def _data(event: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.split(b"data: ", 1)[1])
    return found


async def _next(events: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(events), SECONDS)


def _watching(state: ServerState, act: Callable[[Live], Awaitable[None]]) -> None:
    async def run() -> None:
        watched = Live(state.database, state.home, LogIndexes())
        try:
            await act(watched)
        finally:
            watched.end()

    asyncio.run(run())


def test_a_watcher_hears_at_once_how_it_is_and_then_of_each_change(house: House, state: ServerState) -> None:
    run = house.run("steps: [{script: echo hello}]")

    async def act(watched: Live) -> None:
        events = watched.watch(run.id)
        first = _data(await _next(events))
        with state.database.write() as transaction:
            runs.change(transaction, run.id, cancel_requested_by="ada")
        second = _data(await _next(events))
        assert first["mark"] != second["mark"]
        await events.aclose()
        assert watched.watchers == 0

    _watching(state, act)


def test_two_watchers_of_a_run_hear_the_same(house: House, state: ServerState) -> None:
    run = house.run("steps: [{script: echo hello}]")

    async def act(watched: Live) -> None:
        one, other = watched.watch(run.id), watched.watch(run.id)
        assert await _next(one) == await _next(other)
        assert watched.watchers == 2
        with state.database.write() as transaction:
            runs.change(transaction, run.id, cancel_requested_by="ada")
        assert await _next(one) == await _next(other)

    _watching(state, act)


def test_new_lines_are_told_with_their_numbers_and_many_at_once_only_the_newest(
    house: House, state: ServerState
) -> None:
    run = house.run("steps: [{script: echo hello}]")
    logs = RunLogs(state.home.logs, run.id)
    logs.write("x", b"one\n")

    async def act(watched: Live) -> None:
        events = watched.watch(run.id, logs.path("x"))
        await _next(events)
        first = _data(await _next(events))
        assert (first["total"], first["first"], [one[29:] for one in first["lines"]]) == (1, 1, ["one"])
        logs.write("x", b"two\nthree\n")
        second = _data(await _next(events))
        assert (second["total"], second["first"], [one[29:] for one in second["lines"]]) == (3, 2, ["two", "three"])
        logs.write("x", b"more\n" * 5000)
        many = _data(await _next(events))
        while many["total"] < 5003:
            many = _data(await _next(events))
        assert len(many["lines"]) <= live.MAX_NEW_LINES
        assert many["first"] + len(many["lines"]) - 1 == 5003
        logs.close("x")

    _watching(state, act)


def test_a_log_that_does_not_exist_yet_is_waited_for(house: House, state: ServerState, tmp_path: Path) -> None:
    run = house.run("steps: [{script: echo hello}]")

    async def act(watched: Live) -> None:
        logs = RunLogs(tmp_path, 1)
        events = watched.watch(run.id, logs.path("x"))
        await _next(events)
        assert _data(await _next(events))["total"] == 0
        logs.write("x", b"there\n")
        assert _data(await _next(events))["total"] == 1
        logs.close("x")

    _watching(state, act)


def test_the_end_of_the_server_ends_every_watch(house: House, state: ServerState) -> None:
    run = house.run("steps: [{script: echo hello}]")

    async def act(watched: Live) -> None:
        events = watched.watch(run.id)
        await _next(events)
        watched.end()
        assert await anext(events, None) is None

    _watching(state, act)


def test_every_kind_of_change_makes_another_mark(house: House, state: ServerState) -> None:
    house.connection()
    run = house.run(drive=False)
    seen = set()

    def mark() -> str:
        with state.database.read() as transaction:
            return marks(transaction, [run.id])[run.id]

    seen.add(mark())
    house.drive(run.id)  # steps ran, and it waits
    seen.add(mark())
    house.caller.decisions.permit(run.id)
    seen.add(mark())
    house.caller.decisions.cancel(run.id)
    seen.add(mark())
    house.drive(run.id)
    seen.add(mark())
    assert len(seen) == 5
    assert mark() == mark()
    with state.database.read() as transaction:
        assert marks(transaction, [999]) == {}
