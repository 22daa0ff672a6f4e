"""The queue of exclusive locks: who may use a resource next. Pure.

A lock belongs to one stage of one run at a time. `runLatest` (the default): of the waiting runs of a pipeline only the
newest gets it, the older ones are canceled. `sequential`: all get it, the oldest first. Between pipelines it is the
order in which they asked. Nobody waits for somebody who could not start: whose other checks are open, whose run
nobody drives, or who wants a lock that the one who waits holds already (a step may ask for one late).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final

from sluice.authorization.checks.model import PASSED, Check, State, Suite
from sluice.authorization.checks.suite import is_lock
from sluice.values import dataclass

RUN_LATEST: Final = "runLatest"
SEQUENTIAL: Final = "sequential"
SUPERSEDED: Final = "A newer run of the pipeline takes its place in the queue of the exclusive lock."

Place = tuple[str, str]
"""What a lock is on: kind and id of the resource."""


class Turn(enum.Enum):
    """Whether a stage gets its locks."""

    TAKE = "take"
    WAIT = "wait"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A stage that holds a lock or waits for one.

    `ready`: nothing but locks is missing. `driven`: a process drives its run, so that it could start (or goes on).
    `since` is when it asked. `latest` says that its run gives way to newer ones of its pipeline. `places` are all locks
    that it takes together.
    """

    suite_id: str
    run_id: int
    pipeline_id: int
    held: bool
    ready: bool
    driven: bool
    since: float
    latest: bool
    places: frozenset[Place] = frozenset()


def place(check: Check) -> Place:
    """What a lock is on."""
    return check.resource.kind, check.resource.id


def places(suite: Suite) -> list[Place]:
    """What the suite has exclusive locks on."""
    return list(dict.fromkeys(place(check) for check in suite.checks if is_lock(check)))


def holds(suite: Suite) -> bool:
    """Whether the stage of the suite has all its locks."""
    locks = [check for check in suite.checks if is_lock(check)]
    return suite.state is State.APPROVED and suite.released_at is None and all(one.state in PASSED for one in locks)


def is_active(suite: Suite, check: Check) -> bool:
    """Whether a check waits for something, or keeps a lock that others may want."""
    if not is_lock(check):
        return suite.open and check.state is State.RUNNING
    if suite.state is State.APPROVED:
        return suite.released_at is None
    return suite.open and check.started_at is not None


def claims(suite: Suite, *, driven: bool) -> Mapping[Place, Claim]:
    """What a suite holds of locks, or waits for."""
    return {
        place(check): Claim(
            suite_id=suite.id,
            run_id=suite.run_id,
            pipeline_id=suite.pipeline_id,
            held=check.state in PASSED,
            ready=check.state is State.RUNNING,
            driven=driven,
            since=check.started_at or 0.0,
            latest=suite.lock_behavior != SEQUENTIAL,
            places=frozenset(places(suite)),
        )
        for check in suite.checks
        if is_lock(check) and is_active(suite, check)
    }


def turn(mine: Claim, queues: Sequence[Sequence[Claim]], holding: frozenset[Place] = frozenset()) -> Turn:
    """Whether `mine` gets all its locks now; `queues` are, lock by lock, the claims of everybody.

    `holding` are the locks that the stage has already: whoever wants one of them waits for it, and it for nobody of them.
    """
    others = [[one for one in queue if one.suite_id != mine.suite_id] for queue in queues]
    if mine.latest and any(_supersedes(one, mine) for queue in others for one in queue):
        return Turn.SUPERSEDED
    if not (mine.ready and mine.driven):
        return Turn.WAIT
    free = not any(one.held and one.driven for queue in others for one in queue)
    first = not any(_goes_before(one, mine, queue) for queue in others for one in queue if not one.places & holding)
    return Turn.TAKE if free and first else Turn.WAIT


def superseded(mine: Claim, queues: Sequence[Sequence[Claim]]) -> set[str]:
    """The suites whose wait ends because `mine` is of a newer run of their pipeline."""
    waiting = (one for queue in queues for one in queue if not one.held)
    return {one.suite_id for one in waiting if one.latest and _supersedes(mine, one)}


def abandoned(mine: Claim, queues: Sequence[Sequence[Claim]]) -> set[str]:
    """The suites that still hold a lock which `mine` takes: of runs that died."""
    held = (one for queue in queues for one in queue if one.held and not one.driven)
    return {one.suite_id for one in held if one.suite_id != mine.suite_id}


def _supersedes(newer: Claim, older: Claim) -> bool:
    return newer.pipeline_id == older.pipeline_id and newer.run_id > older.run_id


def _goes_before(other: Claim, mine: Claim, queue: Sequence[Claim]) -> bool:
    if other.held or not (other.ready and other.driven):
        return False
    if other.latest and any(_supersedes(one, other) for one in (*queue, mine)):
        return False
    return (other.since, other.run_id, other.suite_id) < (mine.since, mine.run_id, mine.suite_id)
