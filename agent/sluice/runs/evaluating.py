"""Evaluations of checks beside the drive of a run: each in a thread, since a service may take its time to answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from sluice.runs.checkpoints import Due
from sluice.runs.orchestrator import Orchestrator
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """An evaluation is over and recorded, unless `defect` kept it from that."""

    defect: Exception | None = None


class Evaluator:
    """Begins evaluations; `ended` is called, in another thread, when one is over."""

    def __init__(self, orchestrator: Orchestrator, ended: Callable[[Evaluated], None]) -> None:
        self._orchestrator = orchestrator
        self._ended = ended
        self._running: set[Due] = set()
        self._lock = threading.Lock()

    @property
    def active(self) -> bool:
        """Whether an evaluation is on its way."""
        with self._lock:
            return bool(self._running)

    def begin(self, due: Iterable[Due]) -> None:
        """Begin the evaluations that are not on their way already."""
        for one in due:
            with self._lock:
                if one in self._running:
                    continue
                self._running.add(one)
            threading.Thread(target=self._run, args=(one,), name=f"check {one.check_id}", daemon=True).start()

    def _run(self, one: Due) -> None:
        from sluice.runs.checking import evaluate  # most runs have no check, and are to start quickly

        defect: Exception | None = None
        try:
            evaluate(self._orchestrator, [one])
        except Exception as error:  # noqa: BLE001  # raised again by whoever drives the run
            defect = error
        with self._lock:
            self._running.discard(one)
        self._ended(Evaluated(defect=defect))
