"""Advances many runs: all that are not over after a restart, or all that one Permit may let go on.

Batch by batch, each in one transaction: what the runs of a pipeline have in common is read and compared once. A batch
that is interrupted is not stored at all, and to advance a run a second time changes nothing. Of runs that merely wait
since they were advanced last nothing is read at all (see `storage.settled`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.runs.stored import read_many
from sluice.storage import audit, settled
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runs.decide import Advanced
    from sluice.runs.orchestrator import Assessed, Orchestrator
    from sluice.storage.runs import RunRow

BATCH = 100
"""How many runs are advanced in one transaction; other writers have their turn between two."""

LOOK = 2_000
"""Of how many runs is found out at once whether they merely wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What came of advancing a run: the run as it was before and what to do now, or why it cannot go on.

    `waits` says that it merely waits as before: it was not even read.
    """

    run_id: int
    run: RunRow | None = None
    advanced: Advanced | None = None
    error: SluiceError | None = None
    waits: bool = False


def advance_all(orchestrator: Orchestrator, run_ids: Iterable[int] | None = None) -> Iterator[Moved]:
    """Advance these runs, or all that are not over, and answer each once its batch is stored, oldest first in a batch.

    Of all runs those that merely wait as before are left as they are. A run that cannot be advanced keeps no other from
    it. Nothing is done about those that are answered: whoever acts on what is ready, as `Driver` does, holds their lock
    and advances them again.
    """
    if run_ids is not None:
        ids = iter(run_ids)
        while batch := list(islice(ids, BATCH)):
            yield from _advance(orchestrator, batch)
        return
    for waiting, others in looked_at(orchestrator):
        yield from (Moved(run_id=run_id, waits=True) for run_id in waiting)
        for start in range(0, len(others), BATCH):
            yield from _advance(orchestrator, others[start : start + BATCH])


def unfinished(orchestrator: Orchestrator) -> Iterator[int]:
    """The runs that are not over; read as they are asked for, however many there are."""
    return (run_id for waiting, others in looked_at(orchestrator) for run_id in sorted((*waiting, *others)))


def looked_at(orchestrator: Orchestrator) -> Iterator[tuple[dict[int, float], list[int]]]:
    """The runs that are not over, some at a time: those that merely wait, each with until when, and the others."""
    moved, after = settled.Moved(), 0
    while True:
        with orchestrator.database.read() as transaction:
            now = orchestrator.clock()
            found = list(settled.unfinished(transaction, moved, now=now, after=after, limit=LOOK))
        waiting = {run_id: until for run_id, until in found if until is not None}
        yield waiting, [run_id for run_id, _ in found if run_id not in waiting]
        if len(found) < LOOK:
            return
        after = found[-1][0]


def _advance(orchestrator: Orchestrator, run_ids: Sequence[int]) -> list[Moved]:
    try:
        return _together(orchestrator, run_ids)
    except SluiceError as error:
        if len(run_ids) == 1:
            return [Moved(run_id=run_ids[0], error=error)]
    # one of them spoils the transaction: the others go on without it
    return [moved for run_id in run_ids for moved in _advance(orchestrator, [run_id])]


def _together(orchestrator: Orchestrator, run_ids: Sequence[int]) -> list[Moved]:
    assessed: Assessed = {}
    with orchestrator.database.write() as transaction:
        audit.check_head(transaction)
        stored = read_many(transaction, run_ids)
        orchestrator.share_plans(transaction, [one.run.id for one in stored])
        return [
            Moved(
                run_id=one.run.id,
                run=one.run,
                advanced=orchestrator.advance_in(transaction, one, assessed=assessed),
            )
            for one in stored
        ]
