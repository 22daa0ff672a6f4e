from __future__ import annotations

import queue
from pathlib import Path

from sluice.dispatch.local import LocalDispatcher
from sluice.dispatch.port import Ended
from sluice.hooks.connection import Connection
from sluice.runtime.events import Event, JobFinished, StepStarted
from sluice.runtime.request import ConnectionInput, JobRequest, Result, StepRequest

PATIENCE = 20


class NoConnections:
    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        raise AssertionError(name)


def request(folder: Path, script: str) -> JobRequest:
    step = StepRequest(
        id="s", name="s", display_name="s", task="Bash@3", inputs={"targetType": "inline", "script": script}
    )
    return JobRequest(
        run_id=1,
        id="j",
        identifier="J.__default",
        display_name="J",
        work=folder,
        workspace=folder / "j",
        steps=(step,),
    )


class Told:
    def __init__(self) -> None:
        self.ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self.started: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.results: list[Result] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self.started.put(event)
        elif isinstance(event, JobFinished):
            self.results.append(event.result)


def test_a_job_is_active_until_its_end_is_told(tmp_path: Path) -> None:
    dispatcher, told = LocalDispatcher(lambda _: None, jobs=2), Told()
    dispatcher.start(request(tmp_path, "sleep 1000"), emit=told.emit, connections=NoConnections(), ended=told.ended.put)
    told.started.get(timeout=PATIENCE)
    assert dispatcher.active() == {"j"}
    assert dispatcher.room() == 1
    dispatcher.cancel("j")
    assert told.ended.get(timeout=PATIENCE) == Ended(job="j")
    assert dispatcher.active() == frozenset()
    assert told.results == [Result.CANCELED]


def test_a_killed_job_ends_though_it_does_not_listen(tmp_path: Path) -> None:
    dispatcher, told = LocalDispatcher(lambda _: None), Told()
    script = "trap : INT TERM; sleep 1000; sleep 1000"
    dispatcher.start(request(tmp_path, script), emit=told.emit, connections=NoConnections(), ended=told.ended.put)
    told.started.get(timeout=PATIENCE)
    dispatcher.kill("j")
    assert told.ended.get(timeout=PATIENCE) == Ended(job="j")


def test_a_canceled_job_runs_only_what_runs_after_a_cancellation(tmp_path: Path) -> None:
    dispatcher, told = LocalDispatcher(lambda _: None), Told()
    dispatcher.start(
        request(tmp_path, "true"), emit=told.emit, connections=NoConnections(), ended=told.ended.put, canceled=True
    )
    told.ended.get(timeout=PATIENCE)
    assert told.results == [Result.CANCELED]


def test_what_breaks_a_job_is_told_with_its_end(tmp_path: Path) -> None:
    broken = OSError("no more")

    def emit(event: Event) -> None:
        raise broken

    dispatcher, told = LocalDispatcher(lambda _: None), Told()
    dispatcher.start(request(tmp_path, "true"), emit=emit, connections=NoConnections(), ended=told.ended.put)
    assert told.ended.get(timeout=PATIENCE) == Ended(job="j", defect=broken)


def test_nothing_happens_to_a_job_that_is_not_there() -> None:
    dispatcher = LocalDispatcher(lambda _: None)
    dispatcher.cancel("gone")
    dispatcher.kill("gone")
    assert dispatcher.room() >= 2
