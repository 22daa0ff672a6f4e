"""Drives a run in this process until it is over, or until it can only wait."""

from __future__ import annotations

import contextlib
import enum
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from sluice.dispatch.port import Dispatcher, Ended
from sluice.errors import ConflictError, SluiceError
from sluice.language.plan import Plan
from sluice.runs import leases
from sluice.runs.checkpoints import BEING_EVALUATED
from sluice.runs.decide import Advanced
from sluice.runs.decisions import END_AT_ONCE
from sluice.runs.evaluating import Evaluated, Evaluator
from sluice.runs.jobs import Claims, Starter
from sluice.runs.lock import run_lock
from sluice.runs.logs import RunLogs
from sluice.runs.observer import Observer
from sluice.runs.orchestrator import Loaded, Orchestrator
from sluice.runs.recovery import recover
from sluice.runs.workspaces import tidy
from sluice.runtime.request import Result
from sluice.storage import check_suites, records, requests, runs
from sluice.storage.engine import Changes, Transaction
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow, Status
from sluice.values import dataclass

POLL_SECONDS = 0.05
"""How often another process's decisions (a Permit, a cancellation) are looked for while this one drives a run."""

END_SECONDS = 15.0
"""How long killed jobs may take to end."""

BROKEN = "Sluice itself failed while it ran this job"


class Waiting(enum.Enum):
    """What to do when nothing runs and the run waits for a person."""

    LEAVE = "leave"
    STAY = "stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Asked by a signal: 1 cancels in order, 2 ends at once. With `leaves` a run that only waits is left waiting."""

    level: int
    leaves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the run waited for when it was last looked at, until when, and whether it was canceled.

    `told` is what the observer was told of that, `mark` stands for its checks as they were then.
    """

    asked: frozenset[int] = frozenset()
    told: frozenset[tuple[int, str]] = frozenset()
    due: float = float("inf")
    canceled: bool = False
    mark: str = ""


class Driver:
    """Drives one run. `interrupt` may be called from a signal handler.

    A run that waits for no person is stayed with while it waits for another's lock, or no longer than `patience`
    seconds for the next evaluation of a check.

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
        patience: float = 0.0,
    ) -> None:
        self._orchestrator = orchestrator
        self._dispatcher = dispatcher
        self._observer = observer
        self._waits = waits
        self._cancel = cancel
        self._patience = patience
        self._news: queue.SimpleQueue[Ended | Stop | Evaluated] = queue.SimpleQueue()
        self._evaluator = Evaluator(orchestrator, self._news.put)
        self._watching = threading.Lock()
        self._interrupts = 0
        self.terminated = False
        """Whether `terminate` has been called."""
        self._killed = False
        self._leaving = False
        self._left = threading.Event()
        self._seen = _Seen()

    def look_again(self) -> None:
        """Something that is not in the database may let the run go on, such as room for a job."""
        self._news.put(Evaluated())

    def leave(self) -> None:
        """Start nothing more, and leave the run where it is once nothing of it is carried out."""
        self._left.set()
        self.look_again()

    def interrupt(self) -> None:
        """Ask to cancel the run; asked again, end what runs at once."""
        self._interrupts += 1
        self._news.put(Stop(level=self._interrupts))

    def terminate(self) -> None:
        """End this process's drive: what runs is interrupted, a run that only waits is left waiting."""
        self.terminated = True
        self._interrupts += 1
        self._news.put(Stop(level=self._interrupts, leaves=True))

    @property
    def interrupts(self) -> int:
        """How often `interrupt` or `terminate` has been called."""
        return self._interrupts

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` or `terminate` has been called: a question to the person is over."""
        return self._interrupts > 0

    def drive(self, run_id: int) -> RunRow:
        """Drive the run until it is over or only waits; answers it as it is then.

        Raises `ConflictError` when another process drives it.
        """
        self._orchestrator.store.check_key()  # without a key nothing of a job could be kept
        with run_lock(self._locks, run_id):
            for job in recover(self._orchestrator, run_id):
                self._record_changed(job)
            leases.run_started(self._orchestrator, run_id)
            self._observer.run_started(*self._stored(run_id))
            over = self._drive(run_id)
        while not (over or self._leaving or self._left.is_set()) and self._decided(run_id):
            # whoever decided while we were leaving was told that the run goes on
            try:
                with run_lock(self._locks, run_id):
                    over = self._drive(run_id)
            except ConflictError:
                break  # another process has taken it over
        run, _, rows = self._stored(run_id)
        orchestrator = self._orchestrator
        tidy(orchestrator.database, orchestrator.home.work, run, now=orchestrator.clock())
        self._observer.run_finished(run, rows)
        from sluice.runs.retention import sweep_now_and_then  # when the run is over, not before it starts

        sweep_now_and_then(orchestrator.database, orchestrator.home.content, now=orchestrator.clock())
        return run

    @property
    def _locks(self) -> Path:
        return self._orchestrator.home.root / "locks"

    def _drive(self, run_id: int) -> bool:
        """Drive the run; whether it is over, rather than only waiting."""
        starter = Starter(
            orchestrator=self._orchestrator,
            dispatcher=self._dispatcher,
            logs=RunLogs(self._orchestrator.home.logs, run_id),
            changed=self._record_changed,
            logged=self._log_written,
            ended=self._news.put,
        )
        changes = self._orchestrator.database.changes()
        try:
            return self._loop(run_id, starter, changes)
        except BaseException:
            self._end_jobs()
            raise
        finally:
            changes.close()

    def _end_jobs(self) -> None:
        """What cannot be recorded any more must not go on."""
        for job in self._dispatcher.active():
            self._dispatcher.kill(job, "What runs cannot be recorded any more.")
        with contextlib.suppress(queue.Empty):
            while self._dispatcher.active():
                self._news.get(timeout=END_SECONDS)

    @property
    def _active(self) -> bool:
        """Whether anything of the run is being carried out."""
        return bool(self._dispatcher.active()) or self._evaluator.active

    def _loop(self, run_id: int, starter: Starter, changes: Changes) -> bool:
        while True:
            was_active = self._active
            advanced, claims = self._advance(run_id, starter)
            self._tell(advanced)
            self._evaluator.begin(advanced.evaluate)
            if self._act(run_id, advanced, starter, claims):
                continue
            active = self._active
            if was_active and not active:
                continue  # a job that has ended meanwhile may wait for something: that is asked for before anybody leaves
            status, asked = self._look_after(run_id, advanced)
            if status.completed and not active:
                return True
            if status.canceled and self._ends_at_once(run_id):
                self._kill("The run was canceled twice.")
            self._tell_waiting(status, asked, advanced)
            if asked and not active and not advanced.ready and (self._leaving or self._leaves(asked, advanced)):
                return False
            if self._left.is_set() and not active:
                return False
            if self._leaving:  # somebody decided at that moment, and jobs run
                self._leaving = False
                self._ask_to_cancel(run_id)
            self._pause(run_id, changes)

    def _advance(self, run_id: int, starter: Starter) -> tuple[Advanced, Claims | None]:
        """Advance the run, and claim the jobs that there is room for where that can be done at once."""
        found: list[Claims | None] = [None]

        def claim(transaction: Transaction, loaded: Loaded, advanced: Advanced) -> None:
            if not self._killed and (job_ids := self._next(advanced)):
                found[0] = starter.claim_at_once(transaction, loaded, advanced, job_ids)

        advanced = self._orchestrator.advance(run_id, driven=True, then=claim)
        return advanced, found[0]

    def _next(self, advanced: Advanced) -> list[str]:
        """The ids of the ready jobs that there is room for."""
        if self._left.is_set():
            return []
        return [job.id for job in advanced.ready[: self._dispatcher.room()]]

    def _leaves(self, asked: Sequence[RequestRow], advanced: Advanced) -> bool:
        soon = self._orchestrator.clock() + self._patience
        if self._patience and advanced.unattended and (advanced.queued or advanced.due <= soon):
            return False
        return self._waits(asked) is Waiting.LEAVE

    def _ask_to_cancel(self, run_id: int) -> None:
        with contextlib.suppress(ConflictError):  # it is over
            self._cancel(run_id)

    def _act(self, run_id: int, advanced: Advanced, starter: Starter, claims: Claims | None) -> bool:
        """Stop and start jobs; whether the run has to be advanced at once, since one of them ended by that."""
        for job_id in advanced.stop:
            self._dispatcher.cancel(job_id)
        if self._killed:
            return starter.give_up(run_id, [job.id for job in advanced.ready])
        if claims is not None:
            return not starter.carry_out(claims)
        return not starter.start(run_id, self._next(advanced))

    def _tell_waiting(self, status: Status, asked: Sequence[RequestRow], advanced: Advanced) -> None:
        before = self._seen
        due = [request.expires_at for request in asked]
        if not self._evaluator.active:  # what they say may change when something is due next
            due.append(advanced.due)
        worth = [request for request in asked if request.detail != BEING_EVALUATED]
        self._seen = _Seen(
            asked=frozenset(request.id for request in asked),
            told=frozenset((request.id, request.detail) for request in worth),
            due=min(due, default=float("inf")),
            canceled=status.canceled,
            mark=advanced.mark,
        )
        if before.told != self._seen.told:
            with self._watching:
                self._observer.waiting(worth)

    def _pause(self, run_id: int, changes: Changes) -> None:
        """Until a job ends, somebody else decides something, a wait has run out of time, or a signal comes."""
        while True:
            try:
                news = self._news.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if self._seen.due <= self._orchestrator.clock() or (changes.happened() and self._concerns(run_id)):
                    return
                continue
            self._take(run_id, news)
            while not self._news.empty():
                self._take(run_id, self._news.get())
            return

    def _concerns(self, run_id: int) -> bool:
        """Whether a change in the database may let the run go on, or cancels it."""
        status, asked = self._look(run_id)
        if status.canceled and self._ends_at_once(run_id):
            return True
        return bool(asked or self._seen.asked) or status.canceled != self._seen.canceled

    def _take(self, run_id: int, news: Ended | Stop | Evaluated) -> None:
        if isinstance(news, Evaluated):
            if news.defect is not None:
                raise news.defect
        elif isinstance(news, Ended):
            self._broken(run_id, news)
        elif news.leaves and self._seen.asked and not self._seen.canceled and not self._dispatcher.active():
            self._leaving = True
        elif news.level == 1:
            self._ask_to_cancel(run_id)
        else:
            self._kill("The run was ended by a second interrupt.")

    def _kill(self, reason: str) -> None:
        self._killed = True
        for job in self._dispatcher.active():
            self._dispatcher.kill(job, reason)

    def _ends_at_once(self, run_id: int) -> bool:
        """Whether somebody has canceled the run twice."""
        if self._killed:
            return False
        with self._orchestrator.database.read() as transaction:
            run = runs.get(transaction, run_id)
        return run is not None and END_AT_ONCE in run.options

    def _decided(self, run_id: int) -> bool:
        """Whether something that the run waited for has been decided since, or the run was canceled."""
        status, asked = self._look(run_id)
        with self._orchestrator.database.read() as transaction:
            mark = check_suites.mark(transaction, run_id)
        if status.canceled != self._seen.canceled or mark != self._seen.mark:
            return True
        return not self._seen.asked <= {request.id for request in asked}

    def _look_after(self, run_id: int, advanced: Advanced) -> tuple[Status, list[RequestRow]]:
        """As `_look`, right after the run was advanced; what somebody decides meanwhile is seen by `_pause`."""
        if advanced.calm:
            return Status(completed=advanced.result is not None, canceled=False), []
        return self._look(run_id)

    def _look(self, run_id: int) -> tuple[Status, list[RequestRow]]:
        with self._orchestrator.database.read() as transaction:
            return runs.status(transaction, run_id), requests.of_run(transaction, run_id, state="running")

    def _broken(self, run_id: int, ended: Ended) -> None:
        """A defect of ours ended a job: the job fails with it, and the traceback is shown.

        What keeps the job from being recorded, such as a full disk, is raised: it is the end of this process's drive,
        not of the run.
        """
        defect = ended.defect
        if defect is None:
            return
        if isinstance(defect, SluiceError):
            raise defect
        sys.stderr.write("".join(traceback.format_exception(defect)))
        now = self._orchestrator.clock()
        with self._orchestrator.database.write() as transaction:
            job = records.get(transaction, run_id, ended.job)
            if job is None or job.completed:
                return
            message = f"{BROKEN}: {type(defect).__name__}"
            steps = [one for one in records.of_run(transaction, run_id, kinds=("Task",)) if one.parent_id == job.id]
            left = [records.ended(one, _left_as(one), now) for one in steps if not one.completed]
            left.append(records.ended(job, str(Result.FAILED), now, message))
            records.save(transaction, run_id, left)
        for record in left:
            self._record_changed(record)

    def _tell(self, advanced: Advanced) -> None:
        for record in (*advanced.timeline.added(), *advanced.timeline.changed()):
            self._record_changed(record)

    def _record_changed(self, record: RecordRow) -> None:
        with self._watching:
            self._observer.record_changed(record)

    def _log_written(self, step: RecordRow, text: bytes) -> None:
        with self._watching:
            self._observer.log_written(step, text)

    def _stored(self, run_id: int) -> tuple[RunRow, Plan, list[RecordRow]]:
        with self._orchestrator.database.read() as transaction:
            loaded = self._orchestrator.load(transaction, run_id)
        return loaded.run, loaded.plan, list(loaded.situation.records)


def _left_as(step: RecordRow) -> str:
    return str(Result.FAILED if step.state == "inProgress" else Result.SKIPPED)
