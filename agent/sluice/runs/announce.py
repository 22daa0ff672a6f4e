"""Tells plugins that observe runs what has changed (hook `sluice_run_event`), beside what else watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from sluice.hooks.observation import RunEvent
from sluice.language.plan import Plan
from sluice.runs.identifiers import shown
from sluice.runs.observer import Observer
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow

_KINDS: dict[str, Literal["Stage", "Checkpoint", "Job", "Task"]] = {
    "Stage": "Stage",
    "Checkpoint": "Checkpoint",
    "Job": "Job",
    "Task": "Task",
}


class Announcer:
    """An observer that passes everything on, and makes an event of each change of state."""

    def __init__(self, watched: Observer, tell: Callable[[RunEvent], None], clock: Callable[[], float]) -> None:
        self._watched = watched
        self._tell = tell
        self._clock = clock
        self._run: RunRow | None = None
        self._states: dict[str, tuple[str, str]] = {}

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        self._watched.run_started(run, plan, records)
        self._run = run
        self._states = {record.id: (record.state, record.result) for record in records}
        self._tell(self._run_event(run))

    def record_changed(self, record: RecordRow) -> None:
        self._watched.record_changed(record)
        state = (record.state, record.result)
        kind = _KINDS.get(record.type)
        if self._run is None or kind is None or self._states.get(record.id) == state:
            return
        self._states[record.id] = state
        event = RunEvent(
            run=self._run.id,
            pipeline=self._run.pipeline,
            kind=kind,
            path=shown(record.identifier),
            state=record.state,
            result=record.result,
            message=record.message,
            at=self._clock(),
        )
        self._tell(event)

    def log_written(self, step: RecordRow, text: bytes) -> None:
        self._watched.log_written(step, text)

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        self._watched.waiting(requests)

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        self._watched.run_finished(run, records)
        self._tell(self._run_event(run))

    def _run_event(self, run: RunRow) -> RunEvent:
        return RunEvent(
            run=run.id,
            pipeline=run.pipeline,
            kind="Run",
            path=run.name,
            state=run.state,
            result=run.result,
            at=self._clock(),
        )
