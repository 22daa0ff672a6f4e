"""Drives a run in this process until it is over, or until it can only wait."""

from __future__ import annotations

import enum
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluice.dispatch.port import Dispatcher, Ended
from sluice.language.plan import Plan
from sluice.runs.decide import Advanced
from sluice.runs.jobs import Starter
from sluice.runs.lock import run_lock
from sluice.runs.logs import RunLogs
from sluice.runs.observer import Observer
from sluice.runs.orchestrator import Orchestrator
from sluice.runs.recovery import recover
from sluice.runtime.request import Result
from sluice.storage import records, requests, runs
from sluice.storage.engine import Changes
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow

POLL_SECONDS = 0.2
"""How often another process's decisions (a Permit, a cancellation) are looked for while this one drives a run."""

BROKEN = "Sluice itself failed while it ran this job"


class Waiting(enum.Enum):
    """What to do when nothing runs and the run waits for a person."""

    LEAVE = "leave"
    STAY = "stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Asked by a signal: 1 cancels in order, 2 ends at once."""

    level: int


class Driver:
    """Drives one run. `interrupt` may be called from a signal handler.

    `waits` is asked, in the driving thread, when the run can only wait: it may record decisions of a person, and says
    whether to stay. It is asked again after every change.
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        dispatcher: Dispatcher,
        observer: Observer,
        waits: Callable[[Sequence[RequestRow]], Waiting],
        *,
        cancel: Callable[[int], object],
    ) -> None:
        self._orchestrator = orchestrator
        self._dispatcher = dispatcher
        self._observer = observer
        self._waits = waits
        self._cancel = cancel
        self._news: queue.SimpleQueue[Ended | Stop] = queue.SimpleQueue()
        self._watching = threading.Lock()
        self._interrupts = 0
        self._asked: frozenset[int] = frozenset()

    def interrupt(self) -> None:
        """Ask to cancel the run; asked again, end what runs at once."""
        self._interrupts += 1
        self._news.put(Stop(level=self._interrupts))

    def drive(self, run_id: int) -> RunRow:
        """Drive the run until it is over or only waits; answers it as it is then.

        Raises `ConflictError` when another process drives it.
        """
        orchestrator = self._orchestrator
        logs = RunLogs(orchestrator.home.logs, run_id)
        with run_lock(orchestrator.home.root / "locks", run_id):
            for job in recover(orchestrator, run_id):
                self._record_changed(job)
            self._observer.run_started(*self._stored(run_id))
            starter = Starter(
                orchestrator=orchestrator,
                dispatcher=self._dispatcher,
                logs=logs,
                changed=self._record_changed,
                logged=self._log_written,
                ended=self._news.put,
            )
            changes = orchestrator.database.changes()
            try:
                self._loop(run_id, starter, changes)
            finally:
                changes.close()
        run, _, rows = self._stored(run_id)
        self._observer.run_finished(run, rows)
        return run

    def _loop(self, run_id: int, starter: Starter, changes: Changes) -> None:
        while True:
            advanced = self._orchestrator.advance(run_id)
            self._tell(advanced)
            self._act(run_id, advanced, starter)
            active = self._dispatcher.active()
            if not active and self._is_over(run_id):
                return
            if self._wait(run_id, advanced, active=bool(active)) is Waiting.LEAVE:
                return
            self._pause(run_id, changes)

    def _act(self, run_id: int, advanced: Advanced, starter: Starter) -> None:
        for job_id in advanced.stop:
            self._dispatcher.cancel(job_id)
        for job in advanced.ready[: self._dispatcher.room()]:
            starter.start(run_id, job.id)

    def _wait(self, run_id: int, advanced: Advanced, *, active: bool) -> Waiting:
        """Tell what the run waits for; ask what to do when there is nothing else to do."""
        with self._orchestrator.database.read() as transaction:
            asked = requests.of_run(transaction, run_id, state="running")
        ids = frozenset(request.id for request in asked)
        if ids != self._asked:
            self._asked = ids
            with self._watching:
                self._observer.waiting(asked)
        if active or advanced.ready or not asked:
            return Waiting.STAY
        return self._waits(asked)

    def _pause(self, run_id: int, changes: Changes) -> None:
        """Until a job ends, somebody else changes something, or a signal comes."""
        while True:
            try:
                news = self._news.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if changes.happened() or self._due(run_id):
                    return
                continue
            if isinstance(news, Stop):
                self._stop(run_id, news)
            elif news.defect is not None:
                self._broken(run_id, news)
            return

    def _due(self, run_id: int) -> bool:
        """Whether a wait has run out of time."""
        if not self._asked:
            return False
        with self._orchestrator.database.read() as transaction:
            asked = requests.of_run(transaction, run_id, state="running")
        now = self._orchestrator.clock()
        return any(request.expires_at <= now for request in asked)

    def _stop(self, run_id: int, stop: Stop) -> None:
        if stop.level == 1:
            self._cancel(run_id)
        else:
            for job in self._dispatcher.active():
                self._dispatcher.kill(job, "The run was ended by a second interrupt.")

    def _broken(self, run_id: int, ended: Ended) -> None:
        """A defect of ours ended a job: the job fails with it, and the traceback is shown."""
        defect = ended.defect
        if defect is None:
            return
        sys.stderr.write("".join(traceback.format_exception(defect)))
        now = self._orchestrator.clock()
        with self._orchestrator.database.write() as transaction:
            job = records.get(transaction, run_id, ended.job)
            if job is None or job.completed:
                return
            message = f"{BROKEN}: {type(defect).__name__}"
            failed = records.ended(job, str(Result.FAILED), now, message)
            records.save(transaction, run_id, [failed])
        self._record_changed(failed)

    def _tell(self, advanced: Advanced) -> None:
        for record in (*advanced.timeline.added(), *advanced.timeline.changed()):
            self._record_changed(record)

    def _record_changed(self, record: RecordRow) -> None:
        with self._watching:
            self._observer.record_changed(record)

    def _log_written(self, step: RecordRow, text: bytes) -> None:
        with self._watching:
            self._observer.log_written(step, text)

    def _is_over(self, run_id: int) -> bool:
        with self._orchestrator.database.read() as transaction:
            run = runs.get(transaction, run_id)
        return run is None or run.state == "completed"

    def _stored(self, run_id: int) -> tuple[RunRow, Plan, list[RecordRow]]:
        with self._orchestrator.database.read() as transaction:
            loaded = self._orchestrator.load(transaction, run_id)
        return loaded.run, loaded.plan, list(loaded.situation.records)
