"""Scenes of the model-based test that chance plays too seldom: contended locks, permits within limits, addresses that move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.agent.runs.model_pipelines import PIPELINES, Job, Run, Spec, Stage
from tests.agent.runs.model_world import World
from tests.agent.runs.reference import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = Spec((Stage("A", (Job("J0", ("north",)),), group=False, alone=False),), "sequential")
TWICE = Spec((Stage("A", (Job("J0", ("north", "north")),), group=False, alone=False),), "sequential")
OUTSIDE = (Limit(stage="B"), Limit(branch="refs/heads/other"), Limit(task="Other@1"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def run(world: World, spec: Spec, pipeline: str = "one") -> Run:
    world.create(0, spec, pipeline, "north", "refs/heads/main", None)
    return world.runs[-1]


def test_a_lock_is_one_stages_however_many_want_it(world: World) -> None:
    world.create(0, TWICE, "one", "north", "refs/heads/main", None)
    world.contend(0, TWICE, "one", "north", "refs/heads/main", None)
    world.come_to_an_end()


def test_the_lock_of_a_process_that_died_is_taken_by_another_one_alone(world: World) -> None:
    world.configure("north", "lock", add=True)
    for pipeline in PIPELINES:
        world.grant("north", pipeline, Limit())
    first, second = run(world, TWICE), run(world, TWICE, "two")
    world.go_on(0, 3, which=world.runs.index(first))
    world.die(world.nodes[0])
    world.go_on(1, 3, which=world.runs.index(second))
    world.check_locks()
    assert second.started, "it takes the lock of the dead one"
    world.go_on(0, 2, which=world.runs.index(first))
    world.check_locks()
    world.come_to_an_end()


@pytest.mark.parametrize("limit", OUTSIDE, ids=str)
def test_nothing_starts_outside_the_limits_of_its_permit(world: World, limit: Limit) -> None:
    world.grant("north", "one", limit)
    first = run(world, ONE)
    world.go_on(0, 6)
    assert not first.started
    world.come_to_an_end()


@pytest.mark.parametrize("kind", ["approval", "gate"])
def test_where_a_connection_leads_after_its_checks_passed_is_asked_about_anew(world: World, kind: str) -> None:
    world.configure("north", kind, add=True)
    world.grant("north", "one", Limit())
    first = run(world, TWICE)
    world.go_on(0, 2)
    for run_id, check in world.approvals():
        world.approve(run_id, check, "alice", 0)
    world.go_on(0, 3)
    assert first.started
    world.edit("north", "move")
    world.grant("north", "one", Limit())
    world.gate_says = "waiting"
    world.go_on(0, 4)
    world.come_to_an_end()


def test_a_permit_that_is_taken_away_holds_no_longer_in_a_stage_that_has_begun(world: World) -> None:
    world.grant("north", "one", Limit())
    first = run(world, TWICE)
    world.go_on(0, 2)
    assert first.started
    world.revoke("north", "one")
    world.go_on(0, 4)
    world.check_waiting()
    world.come_to_an_end()
