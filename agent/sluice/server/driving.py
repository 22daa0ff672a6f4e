"""The engine of a server: notices the runs that may go on, whoever let them, advances them and carries out their jobs.

A run that only waits holds nothing here: no thread, no memory but the time at which it is looked at again. Runs that
somebody started at a terminal stay that terminal's, until the server is told to `take` one.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sluice.dispatch.local import DEFAULT_JOBS, LocalDispatcher
from sluice.dispatch.turns import Turns
from sluice.errors import ConflictError, SluiceError
from sluice.hooks.manager import installed
from sluice.runs.advancing import Moved, advance_all, looked_at
from sluice.runs.announce import Announcer
from sluice.runs.decisions import Decisions
from sluice.runs.driver import Driver, Waiting
from sluice.runs.installation import find_task
from sluice.runs.lock import is_driven
from sluice.storage import actions, audit, requests, runs

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.runs.orchestrator import Orchestrator
    from sluice.server.state import ServerState
    from sluice.storage.engine import Transaction
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

POLL_SECONDS = 0.05
"""How often it is looked whether somebody has changed anything."""

PATIENCE_SECONDS = 5.0
"""So long a run is stayed with until the next evaluation of a check; later ones find it again."""

ELSEWHERE_SECONDS = 2.0
"""How often a run is looked at that another process drives: that process may die."""

BROKEN_SECONDS = 30.0
"""After so long a run is tried again that could not be driven."""

MAX_ENTRIES = 2000
"""Of more news than this in the audit log all runs are looked at."""

NAME = "sluice serve"
"""Who cancels a run when the server is interrupted."""

_USES = frozenset(
    one.id
    for one in (
        actions.CONNECTION_EXECUTED,
        actions.VARIABLE_GROUP_OPENED,
        actions.SECURE_FILE_OPENED,
        actions.PIPELINE_SECRETS_OPENED,
        actions.RUN_SECRETS_OPENED,
        actions.SECRETS_RESOLVED,
        actions.SECRET_LEASE_ENDED,
    )
)
"""What runs do while they are carried out: it lets no other run go on."""


class Engine:
    """Drives the runs of one installation, as many jobs at a time as there are turns."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._turns = Turns(state.settings.max_jobs or DEFAULT_JOBS)
        self._lock = threading.Condition()
        self._drivers: dict[int, Driver] = {}
        self._asked: set[int] = set()
        self._due: dict[int, float] = {}
        self._stopped = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="engine", daemon=True)

    def start(self) -> None:
        """Begin; runs that a server left behind go on."""
        self._thread.start()

    def take(self, run_id: int) -> None:
        """Let a run go on here, whoever made it: somebody has decided about it, or made it, by this server."""
        with self._state.database.write() as transaction:
            run = runs.get(transaction, run_id)
            if run and run.whole and run.state != "completed" and not run.options.get("detached"):
                runs.set_options(transaction, run_id, {**run.options, "detached": True})
        with self._lock:
            self._asked.add(run_id)
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing more. Jobs that run go on; runs that wait are left waiting."""
        with self._lock:
            self._stopped = True
            drivers = list(self._drivers.values())
        self._wake.set()
        for driver in drivers:
            driver.leave()

    def interrupt(self) -> None:
        """Cancel what runs; asked again, end it at once."""
        with self._lock:
            drivers = list(self._drivers.values())
        for driver in drivers:
            driver.interrupt()

    @property
    def driven(self) -> int:
        """How many runs are driven at this moment."""
        with self._lock:
            return len(self._drivers)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is driven any more; False when that takes longer."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._drivers, seconds)

    def _watch(self) -> None:
        while not self._stopped:
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001  # such as a full disk: it is tried again, and told
                _tell("the engine of the server failed, and goes on", error)
                self._wake.wait(BROKEN_SECONDS)

    def _follow(self) -> None:
        database = self._state.database
        changes = database.changes()
        try:
            with database.read() as transaction:
                seen = _Seen.of(transaction)
            orchestrator = self._orchestrator()
            self._consider_all(orchestrator)
            while not self._stopped:
                self._wake.wait(POLL_SECONDS)
                self._wake.clear()
                wanted = self._wanted()
                if changes.happened():
                    with database.read() as transaction:
                        seen, concerned = seen.since(transaction)
                    wanted |= concerned or set()
                    if concerned is None:
                        self._consider_all(orchestrator)
                if wanted:
                    self._consider(orchestrator, sorted(wanted))
        finally:
            changes.close()

    def _wanted(self) -> set[int]:
        """The runs that somebody asks for, and those whose time has come."""
        now = self._state.clock()
        with self._lock:
            found, self._asked = self._asked, set()
            late = {run_id for run_id, due in self._due.items() if due <= now}
            for run_id in late:
                del self._due[run_id]
        return found | late

    def _consider_all(self, orchestrator: Orchestrator) -> None:
        """Consider every run that is not over; of those that merely wait, only when their time has come."""
        for waiting, others in looked_at(orchestrator):
            for run_id, until in waiting.items():
                self._again(run_id, until)
            self._consider(orchestrator, others)

    def _consider(self, orchestrator: Orchestrator, run_ids: Iterable[int]) -> None:
        """Advance runs that nobody drives, and drive those of which there is something to do."""
        locks, now = self._state.home.locks, self._state.clock()
        left = []
        for run_id in run_ids:
            with self._lock:
                mine = run_id in self._drivers
            if mine:
                continue
            if is_driven(locks, run_id):
                self._again(run_id, now + ELSEWHERE_SECONDS)
            else:
                left.append(run_id)
        for moved in advance_all(orchestrator, left):
            self._act(moved, now)

    def _act(self, moved: Moved, now: float) -> None:
        run, advanced = moved.run, moved.advanced
        if run is None or advanced is None or run.state == "completed" or advanced.result is not None:
            return
        queues = advanced.queued and advanced.unattended
        # nobody drives it, so whoever ran these jobs is gone: the driver finds out what is left of them
        left = any(record.type == "Job" and record.state == "inProgress" for record in advanced.timeline)
        if (advanced.ready or advanced.evaluate or queues or left) and (
            run.options.get("detached") or run.cancel_requested_by or advanced.evaluate
        ):
            self._drive(run.id)
            return
        with self._state.database.read() as transaction:
            asked = requests.of_run(transaction, run.id, state="running")
        self._again(run.id, max(now, min([advanced.due, *(one.expires_at for one in asked)])))

    def _again(self, run_id: int, due: float) -> None:
        if due != float("inf"):
            with self._lock:
                self._due[run_id] = due

    def _drive(self, run_id: int) -> None:
        orchestrator = self._orchestrator()
        driver = Driver(
            orchestrator,
            LocalDispatcher(find_task, packages=self._state.installation.packages, turns=self._turns),
            Announcer(_Unwatched(), installed().observe, self._state.clock),
            lambda _: Waiting.LEAVE,
            cancel=Decisions(database=orchestrator.database, clock=orchestrator.clock, by=NAME).cancel,
            patience=PATIENCE_SECONDS,
        )
        with self._lock:
            if self._stopped or run_id in self._drivers:
                return
            self._drivers[run_id] = driver
        threading.Thread(target=self._carry_out, args=(run_id, driver), name=f"run {run_id}", daemon=True).start()

    def _carry_out(self, run_id: int, driver: Driver) -> None:
        again = self._state.clock()
        try:
            with self._turns.watched(driver.look_again):
                driver.drive(run_id)
        except ConflictError:
            again += ELSEWHERE_SECONDS  # another process was quicker
        except Exception as error:  # noqa: BLE001  # it ends this run's drive alone
            _tell(f"run {run_id} cannot be driven, and is tried again later", error)
            again += BROKEN_SECONDS
        finally:
            with self._lock:
                del self._drivers[run_id]
                self._due[run_id] = again
                self._lock.notify_all()
            self._wake.set()

    def _orchestrator(self) -> Orchestrator:
        return self._state.orchestrator(self._state.store())


class _Seen:
    """How much of what happens has been looked at: the end of the audit log, and the newest run."""

    def __init__(self, sequence: int, run_id: int) -> None:
        self._sequence = sequence
        self._run_id = run_id

    @classmethod
    def of(cls, transaction: Transaction) -> _Seen:
        """Everything that has happened so far."""
        newest = audit.newest(transaction, 1)
        return cls(newest[-1].entry.sequence if newest else 0, runs.newest_id(transaction))

    def since(self, transaction: Transaction) -> tuple[_Seen, set[int] | None]:
        """The runs that what has happened since concerns; None for all."""
        found = set(runs.canceled(transaction)) | set(
            runs.unfinished(transaction, after=self._run_id, limit=MAX_ENTRIES)
        )
        entries = [link.entry for link in audit.entries(transaction, after=self._sequence, limit=MAX_ENTRIES)]
        seen = _Seen(entries[-1].sequence if entries else self._sequence, max([self._run_id, *found]))
        everybody = len(entries) == MAX_ENTRIES
        for entry in entries:
            if entry.action in _USES:
                continue
            details = json.loads(entry.details)
            if isinstance(run_id := details.get("RunId"), int):
                found.add(run_id)
            elif pipeline_id := details.get("PipelineId"):
                found.update(runs.unfinished_of_pipeline(transaction, int(pipeline_id)))
            else:
                everybody = True
        return seen, None if everybody else found


class _Unwatched:
    """An `Observer` that looks away: whoever wants to see a run reads what is stored of it."""

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        """Nobody is told."""

    def record_changed(self, record: RecordRow) -> None:
        """Nobody is told."""

    def log_written(self, step: RecordRow, text: bytes) -> None:
        """Nobody is told."""

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        """Nobody is told."""

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        """Nobody is told."""


def _tell(what: str, error: Exception) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    shown = str(error) if isinstance(error, SluiceError) else "".join(traceback.format_exception(error)).rstrip()
    sys.stderr.write(f"{stamp} sluice: {what}: {shown}\n")
