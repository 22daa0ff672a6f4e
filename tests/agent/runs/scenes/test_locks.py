"""Who uses a resource alone."""

from __future__ import annotations

import pytest
from tests.agent.runs.scenes.scene import Scene, spec

TWICE = ("north", "north")


def test_a_lock_is_one_stages_however_many_want_it(scene: Scene) -> None:
    twice = spec(*TWICE)
    scene.create(0, twice, "one", "north", "refs/heads/main", None)
    scene.contend(0, twice, "one", "north", "refs/heads/main", None)
    scene.come_to_an_end(given=True)


@pytest.mark.parametrize("turns", range(1, 6))
def test_the_lock_of_a_process_that_died_is_taken_by_another_one_alone(scene: Scene, turns: int) -> None:
    scene.configure("north", "lock", add=True)
    scene.permit_all("north")
    first, second = scene.run(*TWICE), scene.run(*TWICE, pipeline="two")
    scene.turns(first, turns)
    scene.die(scene.nodes[0])
    scene.until_opened(second, 1, 1)
    before = list(first.opened)
    scene.turns(first, 3)
    assert first.opened == before, "the lock is another one's now"
    assert scene.until_over(second, 1) == "Succeeded"
    scene.until_over(first)
    scene.come_to_an_end(given=True)


def test_the_queue_of_a_lock_is_fair(scene: Scene) -> None:
    scene.configure("north", "lock", add=True)
    scene.permit_all("north")
    first, second, third = scene.run(*TWICE), scene.run("north", pipeline="two"), scene.run("north", pipeline="one")
    scene.until_opened(first, 1)
    for waiting in (second, third):
        scene.time_passes(1, "approved")
        scene.turns(waiting, 2, 1)
    assert scene.until_over(first) == "Succeeded"
    scene.stays(third, 1)
    assert scene.until_over(second, 1) == "Succeeded"
    assert scene.until_over(third, 1) == "Succeeded"


@pytest.mark.parametrize("behavior", ["runLatest", ""])
def test_of_the_waiting_runs_of_a_pipeline_the_newest_one_gets_the_lock(scene: Scene, behavior: str) -> None:
    scene.configure("north", "lock", add=True)
    scene.permit_all("north")
    first = scene.run(*TWICE, pipeline="two")
    older, newer = scene.run("north", behavior=behavior), scene.run("north", behavior=behavior)
    scene.until_opened(first, 1)
    scene.turns(older, 2, 1)
    scene.turns(newer, 2, 1)
    assert scene.until_over(older, 1) == "Canceled"
    assert scene.until_over(first) == "Succeeded"
    assert scene.until_over(newer, 1) == "Succeeded"
    assert not older.opened


def test_who_holds_a_lock_does_not_wait_for_who_wants_it(scene: Scene) -> None:
    for name in ("north", "south"):
        scene.configure(name, "lock", add=True)
    scene.permit_all("north", "south")
    holder = scene.run("north", "$(late)", late="south")
    scene.until_opened(holder, 1)
    both = scene.run("north", "south", pipeline="two")
    scene.turns(both, 2, 1)
    scene.time_passes(1, "approved")
    assert scene.until_over(holder) == "Succeeded"
    assert scene.until_over(both, 1) == "Succeeded"


def test_a_lock_that_is_asked_for_late_is_waited_for(scene: Scene) -> None:
    scene.configure("south", "lock", add=True)
    scene.permit_all("north", "south")
    holder, late = scene.run("south", "south", pipeline="two"), scene.run("north", "$(late)", late="south")
    scene.until_opened(holder, 1)
    scene.until_opened(late, 1, 1)
    scene.stays(late, 1)
    assert scene.until_over(holder) == "Succeeded"
    assert scene.until_over(late, 1) == "Succeeded"
