"""The real stores, two processes that drive runs, people, time and kills at random points, against a reference.

No job runs without its authorization, nothing that was acknowledged is lost, and no run is stuck. Jobs are no processes
here: they ask for their connections the way that real ones do, and say that they are done. See docs/contributing.md for
how to let this go on for longer.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.agent.runs.model_people import APPROVALS
from tests.agent.runs.model_pipelines import MEANWHILE, PIPELINES, Job, Spec, Stage, Trouble
from tests.agent.runs.model_world import World
from tests.agent.runs.reference import Limit

from sluice.language.compiler import DEEPEST_CALLS

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = int(os.environ.get("SLUICE_MODEL_EXAMPLES") or 0)
"""How many examples are tried instead of a few, for a soak."""

FEW = 4
DAY = 24 * 3600.0
CONNECTIONS = ("north", "south")
ALL = (*CONNECTIONS, "settings")
BRANCHES = [*["refs/heads/main"] * 5, "refs/heads/other", "refs/heads/other", "refs/pull/7/merge"]
PIPELINE = st.sampled_from(PIPELINES)
CHOICE = st.integers(0, 5)
KILL = st.builds(Trouble, at=st.integers(1, 5), act=st.just("kill"))
KILL_AT_WORK = st.builds(Trouble, at=st.integers(1, 60), act=st.just("kill"))
MEETING = st.builds(Trouble, at=st.integers(1, 20), act=st.sampled_from(MEANWHILE), choice=CHOICE)
AT_WORK = st.one_of(st.none(), KILL_AT_WORK, MEETING)
SOON = st.builds(Trouble, at=st.integers(1, 2), act=st.sampled_from(MEANWHILE), choice=CHOICE)
DECIDING = st.one_of(st.none(), st.none(), st.none(), KILL, SOON)
LIMITS = st.builds(
    Limit,
    stage=st.sampled_from(["", "A", "B"]),
    branch=st.sampled_from(["", "refs/heads/main", "refs/heads/other"]),
    task=st.sampled_from(["", "Deliver@1", "Other@1"]),
)
NAMES = st.sampled_from([*CONNECTIONS, *CONNECTIONS, "$(late)"])
CHECKS = st.sampled_from([*APPROVALS, "lock", "lock", "gate", "gate"])


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    stages = []
    for name in ("A", "B")[: draw(st.integers(1, 2))]:
        jobs = tuple(
            Job(f"J{number}", tuple(draw(st.lists(NAMES, min_size=1, max_size=2))))
            for number in range(draw(st.integers(1, 2)))
        )
        stages.append(Stage(name, jobs, group=draw(st.booleans()), alone=draw(st.booleans())))
    behavior = draw(st.sampled_from(["", "sequential", "runLatest"]))
    return Spec(tuple(stages), behavior)


def event(name: str, /, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A call of a method of `World`."""
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


CREATE = event(
    "create",
    number=st.integers(0, 1),
    spec=specs(),
    pipeline=PIPELINE,
    late=st.sampled_from(CONNECTIONS),
    branch=st.sampled_from(BRANCHES),
    trouble=DECIDING,
)
CONTEND = event(
    "contend",
    number=st.integers(0, 1),
    spec=specs(),
    pipeline=PIPELINE,
    late=st.sampled_from(CONNECTIONS),
    branch=st.just("refs/heads/main"),
    trouble=AT_WORK,
)
GO_ON = event("go_on", number=st.integers(0, 1), rounds=st.integers(1, 8), trouble=AT_WORK)
GO_ON_WITH = event("go_on", number=st.integers(0, 1), rounds=st.integers(1, 8), trouble=AT_WORK, which=CHOICE)
PROCESS = event(
    "process",
    act=st.sampled_from(["look", "look", "drive", "drive", "turn", "turn", "work", "work", "work", "leave", "die"]),
    number=st.integers(0, 1),
    choice=CHOICE,
    trouble=AT_WORK,
)
DECIDE = event(
    "decide",
    act=st.sampled_from(["permit"] * 5 + ["approve"] * 5 + ["deny", "reject", "bypass", "cancel", "retry", "retry"]),
    choice=CHOICE,
    which=CHOICE,
    who=st.sampled_from(["alice", "alice", "bob", "bob", "tester"]),
    later=st.sampled_from([0, 0, 0, 60]),
    trouble=DECIDING,
)
OWN = event(
    "own",
    act=st.sampled_from(["grant", "grant", "limit", "revoke", "describe", "move", "disable", "enable", "delete"]),
    name=st.sampled_from(ALL),
    pipeline=PIPELINE,
    limit=LIMITS,
    trouble=DECIDING,
)
BRING_BACK = event("bring_back", again=st.sampled_from([False, False, True]), trouble=DECIDING)
CONFIGURE = event("configure", name=st.sampled_from(ALL), kind=CHECKS, add=st.booleans())
TIME_PASSES = event(
    "time_passes",
    seconds=st.sampled_from([60.0, 60.0, 60.0, 3600.0, DAY, 8 * DAY, 31 * DAY]),
    says=st.sampled_from(["approved", "approved", "rejected", "waiting", "error"]),
)
EVENTS = st.one_of(
    CREATE,
    CONTEND,
    GO_ON,
    GO_ON,
    GO_ON_WITH,
    PROCESS,
    PROCESS,
    DECIDE,
    DECIDE,
    DECIDE,
    OWN,
    BRING_BACK,
    CONFIGURE,
    TIME_PASSES,
)


class Runs(RuleBasedStateMachine):
    """Whatever happens, in one rule: rules of their own would be left out of many examples, and little would happen."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.world = World(folder)

    @initialize(
        checks=st.lists(st.tuples(st.sampled_from(ALL), CHECKS), max_size=3),
        permits=st.lists(st.tuples(st.sampled_from(ALL), PIPELINE), max_size=6),
        run=CREATE,
    )
    def begin(self, checks: list[tuple[str, str]], permits: list[tuple[str, str]], run: tuple[str, Any]) -> None:
        for name, kind in checks:
            self.world.configure(name, kind, add=True)
        for name, pipeline in permits:
            self.world.grant(name, pipeline, Limit())
        self.world.create(**run[1])

    @rule(event=EVENTS)
    def happens(self, event: tuple[str, dict[str, Any]]) -> None:
        name, arguments = event
        getattr(self.world, name)(**arguments)

    # what always holds

    @invariant()
    def what_was_acknowledged_is_stored(self) -> None:
        self.world.compare()

    @invariant()
    def a_lock_is_one_stages(self) -> None:
        self.world.check_locks()

    @invariant()
    def what_merely_waits_has_nothing_to_do(self) -> None:
        self.world.check_waiting()

    def teardown(self) -> None:
        try:
            self.world.come_to_an_end(given=len(self.world.reference.checkpoints) % 2 == 0)
        finally:
            self.world.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be had: every transaction waits for its disk."""
    memory = Path("/dev/shm")  # a folder of its own is made there
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_whatever_happens_nothing_unlawful_runs_nothing_is_lost_and_nothing_is_stuck(folder: Path) -> None:
    sys.setrecursionlimit(max(sys.getrecursionlimit(), DEEPEST_CALLS))  # compiling would, in the middle of an example

    class Here(Runs):
        def __init__(self) -> None:
            super().__init__(folder)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES or FEW,
            stateful_step_count=30,
            deadline=None,
            phases=list(Phase) if EXAMPLES > 100 else [Phase.reuse, Phase.generate],  # to shrink takes its time
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
