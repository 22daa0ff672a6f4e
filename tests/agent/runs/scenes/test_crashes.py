"""Whatever process dies, and whenever: what was acknowledged holds, and every run comes to its end."""

from __future__ import annotations

import pytest
from tests.agent.runs.model_pipelines import Trouble
from tests.agent.runs.nodes import Killed
from tests.agent.runs.scenes.scene import Scene


@pytest.mark.parametrize("at", range(1, 72, 7))
def test_a_process_that_dies_leaves_a_run_that_goes_on(scene: Scene, at: int) -> None:
    scene.configure("north", "gate", add=True)
    scene.configure("settings", "lock", add=True)
    scene.permit_all("north", "settings")
    run = scene.run("north", "north", group=True)
    scene.go_on(0, 10, Trouble(at=at, act="kill"))
    scene.always()
    scene.time_passes(240, "approved")
    assert scene.until_over(run, 1) in {"Succeeded", "Failed"}  # failed: nobody knows how far its step came
    scene.come_to_an_end(given=True)


@pytest.mark.parametrize("at", range(2, 5))
@pytest.mark.parametrize("act", ["permit", "deny", "approve", "reject", "cancel", "retry"])
def test_a_decision_is_stored_wholly_or_not_at_all(scene: Scene, act: str, at: int) -> None:
    scene.configure("north", "approval", add=True)
    run = scene.run("north")
    scene.turns(run, 2)
    if act in {"approve", "reject"}:
        scene.permit_all("north")
        scene.turns(run, 2)
        scene.look()
    if act == "retry":
        scene.cancel(run)
        scene.until_over(run)
    scene.decide(act, 0, 0, "alice", 0, Trouble(at=at, act="kill"))
    scene.always()
    scene.come_to_an_end(given=True)


def test_an_evaluation_whose_process_died_is_begun_again(scene: Scene) -> None:
    scene.configure("north", "gate", add=True)
    scene.permit_all("north")
    run = scene.run("north")

    def die() -> None:
        scene.when_asked = lambda: None
        raise Killed(stored=True)

    scene.when_asked = die
    scene.turns(run, 1)
    scene.stays(run, 1)
    scene.time_passes(240, "approved")
    assert scene.until_over(run, 1) == "Succeeded"


def test_one_process_drives_a_run(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.turns(run, 3, 1)
    assert run.id not in scene.nodes[1].driving
    assert scene.until_over(run) == "Succeeded"


def test_a_job_that_was_claimed_is_not_started_once_more(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "north")
    node = scene.nodes[0]
    scene.drive(0, run, None)
    ready = [job.id for job in node.orchestrator.advance(run.id, driven=True).ready]
    scene.look()
    assert ready
    node.starter(run.id).start(run.id, ready)
    began = scene.active()
    node.starter(run.id).start(run.id, ready)
    assert scene.active() == began
    assert scene.until_over(run) == "Succeeded"
