"""No stage starts, and no step gets anything, before its checks have passed for it."""

from __future__ import annotations

import pytest
from tests.agent.runs.model_pipelines import Trouble
from tests.agent.runs.scenes.scene import DAY, Scene

WAYS = {
    "approval": ["alice"],
    "both": ["bob", "alice"],
    "either": ["bob"],
    "in turn": ["alice", "bob"],
    "crew": ["alice", "bob"],
    "independent": ["alice"],
}
OTHERS = {
    "approval": ["tester", "bob"],
    "both": ["alice", "alice", "tester"],
    "either": ["tester"],
    "in turn": ["bob", "alice", "tester"],
    "crew": ["alice", "alice", "tester"],
    "independent": ["tester", "bob"],
}
"""Approvals that are not enough, or not allowed."""


@pytest.mark.parametrize("kind", WAYS)
def test_an_approval_passes_when_those_who_may_have_approved(scene: Scene, kind: str) -> None:
    scene.configure("north", kind, add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    for who in WAYS[kind]:
        scene.approve_all(run, who)
    assert scene.until_over(run) == "Succeeded"


def test_many_approvals_in_one_decision_all_count(scene: Scene) -> None:
    for _ in range(3):
        scene.configure("north", "approval", add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    scene.approve_at_once(run, "alice")
    assert scene.until_over(run) == "Succeeded"


@pytest.mark.parametrize("kind", OTHERS)
def test_nobody_else_approves_and_nobody_twice(scene: Scene, kind: str) -> None:
    scene.configure("north", kind, add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    for who in OTHERS[kind]:
        scene.approve_all(run, who)
        scene.stays(run)


def test_a_deferred_approval_counts_from_its_moment_on(scene: Scene) -> None:
    scene.configure("north", "approval", add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    scene.approve_all(run, later=3600)
    scene.stays(run)
    scene.time_passes(3601, "approved")
    scene.always()
    assert scene.until_over(run) == "Succeeded"


def test_what_was_rejected_is_not_used_whoever_approves_later(scene: Scene) -> None:
    scene.configure("north", "both", add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    (asked,) = scene.approvals()
    scene.reject(*asked, "alice")
    scene.approve_all(run, "bob")
    assert scene.until_over(run) == "Failed"
    assert not run.opened


@pytest.mark.parametrize("kind", ["approval", "gate"])
def test_where_a_connection_leads_after_its_checks_passed_is_asked_about_anew(scene: Scene, kind: str) -> None:
    scene.configure("north", kind, add=True)
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.turns(run, 2)
    scene.approve_all(run)
    scene.until_opened(run, 1)
    scene.edit("north", "move")
    scene.permit_all("north")
    scene.gate_says = "waiting"
    scene.stays(run)
    scene.gate_says = "approved"
    scene.time_passes(60, "approved")
    scene.approve_all(run)
    assert scene.until_over(run) == "Succeeded"


@pytest.mark.parametrize("kind", ["approval", "gate"])
def test_what_a_step_asks_for_late_is_not_opened_before_its_checks_passed(scene: Scene, kind: str) -> None:
    scene.configure("south", kind, add=True)
    scene.permit_all("north", "south")
    scene.gate_says = "waiting"
    run = scene.run("north", "$(late)", late="south")
    scene.until_opened(run, 1)
    scene.stays(run)
    scene.time_passes(60, "approved")
    scene.approve_all(run)
    assert scene.until_over(run) == "Succeeded"


@pytest.mark.parametrize("kind", ["approval", "gate"])
def test_a_check_that_is_added_to_what_a_stage_uses_holds_for_what_asks_later(scene: Scene, kind: str) -> None:
    scene.permit_all("north", "south", "settings")
    first = scene.run("north", "$(late)", late="south")
    scene.until_opened(first, 1)
    scene.configure("south", kind, add=True)
    scene.gate_says = "waiting"
    scene.stays(first)


@pytest.mark.parametrize("kind", ["approval", "gate"])
def test_checks_on_a_variable_group_hold_for_its_values(scene: Scene, kind: str) -> None:
    scene.configure("settings", kind, add=True)
    scene.permit_all("north", "settings")
    scene.gate_says = "waiting"
    run = scene.run("north", group=True)
    scene.stays(run)
    scene.time_passes(60, "approved")
    scene.approve_all(run)
    assert scene.until_over(run) == "Succeeded"


def test_an_approval_is_of_one_attempt(scene: Scene) -> None:
    scene.configure("north", "approval", add=True)
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.turns(run, 2)
    scene.approve_all(run)
    scene.until_opened(run, 1)
    scene.cancel(run)
    scene.until_over(run)
    scene.retry(run)
    scene.turns(run, 4)
    assert run.opened == ["north"], "nobody has approved this attempt"
    scene.approve_all(run)
    assert scene.until_over(run) == "Succeeded"


def test_an_approval_ends_after_its_time(scene: Scene) -> None:
    scene.configure("north", "approval", add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    scene.time_passes(30 * DAY, "approved")
    scene.approve_all(run)
    assert not any(scene.reference.approvals.values()), "it is too late"
    scene.until_over(run)
    assert not run.opened


@pytest.mark.parametrize("late", [False, True])
def test_an_approval_ends_after_its_time_also_while_a_permit_is_missing(scene: Scene, late: bool) -> None:
    scene.configure("south", "approval", add=True)
    scene.permit_all("north", "south")
    run = scene.run("north", "$(late)", late="south") if late else scene.run("south")
    scene.until_opened(run, int(late))
    scene.stays(run)
    scene.time_passes(27 * DAY, "approved")
    scene.revoke("south", "one")
    scene.stays(run)
    scene.time_passes(4 * DAY, "approved")
    scene.until_over(run)
    assert "south" not in run.opened


def test_nobody_waits_for_the_lock_of_a_stage_that_misses_a_permit(scene: Scene) -> None:
    scene.configure("north", "lock", add=True)
    scene.permit_all("north")
    holder = scene.run("north", "north")
    waits, last = scene.run("north", pipeline="two"), scene.run("north")
    scene.until_opened(holder, 1)
    scene.turns(waits, 2, 1)
    scene.time_passes(1, "approved")
    scene.turns(last, 2, 1)
    scene.revoke("north", "two")
    scene.turns(waits, 2, 1)
    assert scene.until_over(holder) == "Succeeded"
    assert scene.until_over(last, 1) == "Succeeded"
    scene.permit(waits, 0)
    assert scene.until_over(waits, 1) == "Succeeded"


@pytest.mark.parametrize("says", ["waiting", "error"])
def test_a_check_that_never_passes_ends_after_its_time(scene: Scene, says: str) -> None:
    scene.configure("north", "gate", add=True)
    scene.permit_all("north")
    scene.gate_says = says
    run = scene.run("north")
    scene.stays(run)
    for _ in range(3):
        scene.time_passes(6 * 3600, says)
        scene.turns(run, 2)
    assert scene.is_over(run)
    assert not run.opened


def test_all_checks_hold_in_the_same_moment(scene: Scene) -> None:
    scene.configure("north", "gate", add=True)
    scene.configure("north", "approval", add=True)
    scene.permit_all("north")
    run = scene.run("north")
    scene.stays(run)
    scene.time_passes(60, "waiting")
    scene.approve_all(run)
    scene.time_passes(60, "waiting")
    scene.stays(run)
    scene.time_passes(60, "approved")
    assert scene.until_over(run) == "Succeeded"


@pytest.mark.parametrize("at", range(1, 5))
def test_an_approval_during_an_evaluation_is_not_forgotten(scene: Scene, at: int) -> None:
    scene.configure("north", "gate", add=True)
    scene.configure("settings", "approval", add=True)
    scene.permit_all("north", "settings")
    scene.gate_says = "waiting"
    run = scene.run("north", group=True)
    scene.turns(run, 1)
    scene.time_passes(60, "approved")
    scene.turns(run, 1, trouble=Trouble(at=at, act="approve"))
    scene.turns(run, 2)
    scene.approve_all(run)
    assert scene.until_over(run) == "Succeeded"


def test_an_approval_while_a_service_is_asked_is_not_forgotten(scene: Scene) -> None:
    scene.configure("north", "gate", add=True)
    scene.configure("north", "approval", add=True)
    scene.permit_all("north")
    scene.gate_says = "waiting"
    run = scene.run("north")
    scene.turns(run, 2)
    scene.time_passes(60, "waiting")
    scene.when_asked = lambda: scene.approve_all(run)
    scene.turns(run, 2)
    assert any(scene.reference.approvals.values())
    scene.time_passes(60, "approved")
    assert scene.until_over(run) == "Succeeded"
