"""The timeline of a run while it is being advanced: the current attempt of every record, by its identifier."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from sluice.language.plan import Job, Stage
from sluice.runs.identifiers import DEFAULT, join
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow, ended

STARTED_AFTER = "startedAfter"
"""What a stage or a job started in spite of, because its condition held: the cancellation of the run, or a denial."""

STARTED_BY = "startedBy"
"""Detail of a stage that a person started by hand: who."""

UNDER_WAY = frozenset({"pending", "inProgress"})
"""The states in which nothing is to be decided of a job's instance, unless its stage is stopped."""

_CHILDREN = frozenset({"Job", "Task"})

CANCELED = "canceled"
DENIED = "denied"


ReadSteps = Callable[[RecordRow], Iterable[RecordRow]]


class Timeline:
    """A working copy. `put` records what an element is now; `added` and `changed` tell what has to be stored.

    `steps` reads the steps of a stored job when somebody asks for them, where `records` holds none: they are many, and
    hardly ever needed.
    """

    def __init__(self, records: Iterable[RecordRow], steps: ReadSteps | None = None) -> None:
        self._read_steps = steps
        self._read: set[str] = set()
        self._stored = {record.id: record for record in records}
        self._now = {(record.type, record.identifier): record for record in self._stored.values()}
        self._put: set[tuple[str, str]] = set()
        self._children: dict[tuple[str, str], list[str]] = {}
        self._unquiet: set[str] = set()
        for record in self._stored.values():
            self._link(record)

    def stage(self, stage: Stage) -> RecordRow:
        """A stage's record."""
        return self._now["Stage", stage.name]

    def is_canceled(self, stage: Stage, *, run_canceled: bool) -> bool:
        """Whether a cancellation of the run is one of this stage: not if it started afterwards."""
        return run_canceled and not self.stage(stage).details.get(STARTED_AFTER)

    def phase(self, stage: Stage, job: Job) -> RecordRow:
        """The record of a job as written."""
        return self._now["Phase", join(stage.name, job.name)]

    def jobs(self, phase: RecordRow) -> list[RecordRow]:
        """The instances of a phase that have been made, in order."""
        return [self._now["Job", identifier] for identifier in self._children.get(("Job", phase.identifier), ())]

    def is_quiet(self, phase: RecordRow) -> bool:
        """Whether a phase has started, and all its instances merely run or are about to: most of many, most of the time."""
        started = phase.state == "inProgress" and ("Job", phase.identifier) in self._children
        return started and phase.identifier not in self._unquiet

    def steps(self, job: RecordRow) -> list[RecordRow]:
        """The steps of an instance, in order."""
        if self._read_steps and job.id in self._stored and job.id not in self._read:
            self._read.add(job.id)
            for step in self._read_steps(job):
                self._stored[step.id] = step
                self._now[step.type, step.identifier] = step
                self._link(step)
        return [self._now["Task", identifier] for identifier in self._children.get(("Task", job.identifier), ())]

    def find(self, kind: str, identifier: str) -> RecordRow | None:
        """The record of that type and identifier."""
        return self._now.get((kind, identifier))

    def by_id(self, record_id: str) -> RecordRow | None:
        """The record of that id, as it is now."""
        stored = self._stored.get(record_id)
        if stored is not None:
            return self._now[stored.type, stored.identifier]
        return next((record for record in self._now.values() if record.id == record_id), None)

    def put(self, record: RecordRow, **changes: Any) -> RecordRow:
        """Take in a record, with changes; answer it."""
        record = replace(record, **changes) if changes else record
        key = record.type, record.identifier
        if key not in self._now:
            self._link(record)
        self._now[key] = record
        self._put.add(key)
        if record.type == "Job" and record.state not in UNDER_WAY:
            self._unquiet.add(parent(record.identifier))
        return record

    def complete(self, record: RecordRow, result: Result, at: float, message: str = "") -> RecordRow:
        """Take in that an element is over."""
        return self.put(ended(record, str(result), at, message))

    def added(self) -> list[RecordRow]:
        """Records that are not stored yet."""
        return [record for key, record in self._now.items() if key in self._put and record.id not in self._stored]

    def changed(self) -> list[RecordRow]:
        """Stored records that are different now."""
        put = (record for key, record in self._now.items() if key in self._put)
        pairs = ((self._stored.get(record.id, record), record) for record in put)
        return [record for before, record in pairs if before is not record and before != record]

    def once_stored(self) -> Timeline:
        """Another working copy, for when this one is stored: nothing has been added or changed in it yet."""
        other = Timeline((), self._read_steps)
        other._read = set(self._read)
        other._now = dict(self._now)
        other._stored = {record.id: record for record in self._now.values()}
        other._children = {key: list(names) for key, names in self._children.items()}
        other._unquiet = set(self._unquiet)
        return other

    def __iter__(self) -> Iterator[RecordRow]:
        return iter(self._now.values())

    def _link(self, record: RecordRow) -> None:
        if record.type in _CHILDREN:
            around = parent(record.identifier)
            self._children.setdefault((record.type, around), []).append(record.identifier)
            if record.state not in UNDER_WAY and record.type == "Job":
                self._unquiet.add(around)


@functools.lru_cache(maxsize=8192)  # asked of every record whenever a run is read
def parent(identifier: str) -> str:
    """The identifier of the element around this one."""
    return identifier.rpartition(".")[0] or DEFAULT
