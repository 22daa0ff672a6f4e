"""Nothing is used without a Permit that holds for that use, now, of what it leads to now."""

from __future__ import annotations

import pytest
from tests.agent.runs.model_pipelines import Trouble
from tests.agent.runs.reference import Limit
from tests.agent.runs.scenes.scene import DAY, Scene

OUTSIDE = (Limit(stage="B"), Limit(branch="refs/heads/other"), Limit(task="Other@1"))
INSIDE = (Limit(stage="A"), Limit(branch="refs/heads/main"), Limit(task="Deliver@1"))


@pytest.mark.parametrize("limit", OUTSIDE, ids=str)
def test_nothing_starts_outside_the_limits_of_its_permit(scene: Scene, limit: Limit) -> None:
    scene.grant("north", "one", limit)
    run = scene.run("north")
    assert scene.until_over(run) == "Failed"
    assert not run.opened


@pytest.mark.parametrize("limit", INSIDE, ids=str)
def test_what_is_within_the_limits_of_its_permit_runs(scene: Scene, limit: Limit) -> None:
    scene.grant("north", "one", limit)
    assert scene.until_over(scene.run("north")) == "Succeeded"


@pytest.mark.parametrize("limit", OUTSIDE[:2], ids=str)
def test_no_variable_group_is_opened_outside_the_limits_of_its_permit(scene: Scene, limit: Limit) -> None:
    scene.grant("north", "one", Limit())
    scene.grant("settings", "one", limit)
    assert scene.until_over(scene.run("north", group=True)) == "Failed"


@pytest.mark.parametrize("limit", OUTSIDE, ids=str)
def test_a_permit_that_is_limited_meanwhile_ends_what_has_begun(scene: Scene, limit: Limit) -> None:
    scene.grant("north", "one", Limit())
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.grant("north", "one", limit)
    assert scene.until_over(run) == "Failed"
    assert run.opened == ["north"]


def test_a_permit_of_another_pipeline_does_not_count(scene: Scene) -> None:
    scene.grant("north", "two", Limit())
    run = scene.run("north")
    scene.stays(run)
    scene.permit(run, 0)
    assert scene.until_over(run) == "Succeeded"


def test_a_permit_that_is_taken_away_holds_no_longer_in_a_stage_that_has_begun(scene: Scene) -> None:
    scene.grant("north", "one", Limit())
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.revoke("north", "one")
    scene.stays(run)
    scene.permit(run, 0)
    assert scene.until_over(run) == "Succeeded"


@pytest.mark.parametrize("at", range(2, 7, 2))
@pytest.mark.parametrize("act", ["revoke", "move", "disable", "delete"])
def test_whatever_happens_between_two_steps_of_the_process_nothing_unlawful_opens(
    scene: Scene, act: str, at: int
) -> None:
    scene.permit_all("north", "settings")
    run = scene.run("north", group=True)
    scene.go_on(0, 4, Trouble(at=at, act=act, choice=0))
    scene.turns(run, 2)
    scene.come_to_an_end(given=True)


def test_a_revoke_before_the_job_starts_keeps_the_variable_group_from_it(scene: Scene) -> None:
    scene.permit_all("north", "settings")
    run = scene.run("north", group=True)
    scene.advance(0, run, None)
    assert run.started
    scene.revoke("settings", "one")
    scene.stays(run)
    scene.permit(run, 0)
    assert scene.until_over(run) == "Succeeded"


def test_what_was_denied_is_not_used_whatever_is_permitted_later(scene: Scene) -> None:
    run = scene.run("north")
    scene.stays(run)
    scene.deny(run, 0)
    scene.permit_all("north")
    assert scene.until_over(run) == "Canceled"
    assert not run.opened


def test_what_is_denied_to_a_step_ends_its_stage(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "$(late)", late="south")
    scene.until_opened(run, 1)
    scene.stays(run)
    scene.deny(run, 0)
    scene.permit_all("south")
    assert scene.until_over(run) == "Canceled"
    assert run.opened == ["north"]


def test_a_permit_is_of_the_address_that_was_asked_for(scene: Scene) -> None:
    run = scene.run("north")
    scene.stays(run)
    scene.edit("north", "move")
    scene.permit(run, 0)
    assert not scene.reference.thing("north").permits, "nobody has seen the new address"
    scene.stays(run)
    scene.permit(run, 0)
    assert scene.until_over(run) == "Succeeded"


@pytest.mark.parametrize("before", [0, 1])
def test_where_a_connection_leads_now_nobody_has_permitted(scene: Scene, before: int) -> None:
    scene.grant("north", "one", Limit())
    run = scene.run("north", "north")
    scene.until_opened(run, before)
    scene.edit("north", "move")
    scene.stays(run)
    scene.permit(run, 0)
    assert scene.until_over(run) == "Succeeded"


def test_a_disabled_connection_opens_for_nobody_until_it_is_enabled(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.edit("north", "disable")
    scene.stays(run)
    scene.edit("north", "enable")
    assert scene.until_over(run) == "Succeeded"


def test_a_connection_that_is_deleted_takes_its_permits_along(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.delete("north")
    scene.always()
    scene.create_again("north")
    scene.always()
    scene.stays(run)
    scene.come_to_an_end(given=False)
    assert run.opened == ["north"]


def test_a_deleted_connection_comes_back_with_its_permits(scene: Scene) -> None:
    scene.permit_all("north")
    scene.delete("north")
    scene.restore("north")
    assert scene.until_over(scene.run("north")) == "Succeeded"


@pytest.mark.parametrize("group", [False, True])
def test_a_run_of_a_pull_request_gets_nothing_that_does_not_let_it_in(scene: Scene, group: bool) -> None:
    scene.permit_all("north", "settings")
    run = scene.run("north", group=group, branch="refs/pull/7/merge")
    assert scene.until_over(run) == "Failed"
    assert not run.opened


@pytest.mark.parametrize("late", [False, True])
def test_a_wait_for_a_permit_ends_after_seven_days(scene: Scene, late: bool) -> None:
    scene.grant("north", "one", Limit())
    run = scene.run(*(("north", "$(late)") if late else ("south",)), late="south")
    scene.until_opened(run, int(late))
    scene.stays(run)
    opened = list(run.opened)
    scene.time_passes(7 * DAY, "approved")
    scene.always()
    scene.permit(run, 0)
    assert not scene.reference.thing("south").permits, "it is too late"
    scene.until_over(run)
    assert run.opened == opened


def test_a_run_that_waits_goes_on_once_somebody_permits_it_elsewhere(scene: Scene) -> None:
    first, second = scene.run("north"), scene.run("north")
    scene.stays(first)
    scene.stays(second, 1)
    scene.permit(first, 0)
    scene.always()
    assert scene.until_over(second, 1) == "Succeeded"
    assert scene.until_over(first) == "Succeeded"


def test_a_canceled_run_comes_to_its_end_and_opens_nothing_more(scene: Scene) -> None:
    scene.permit_all("north")
    waits, works = scene.run("south"), scene.run("north", "north")
    scene.stays(waits)
    scene.until_opened(works, 1)
    for run in (waits, works):
        scene.cancel(run)
        scene.always()
        assert scene.until_over(run) == "Canceled"
    assert (waits.opened, works.opened) == ([], ["north"])


def test_a_retry_asks_for_what_is_not_permitted_any_more(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.cancel(run)
    scene.until_over(run)
    scene.edit("north", "move")
    scene.retry(run)
    scene.stays(run)
    scene.permit(run, 0)
    assert scene.until_over(run) == "Succeeded"


def test_nothing_of_a_retried_stage_that_is_refused_stays_pending(scene: Scene) -> None:
    scene.permit_all("north")
    run = scene.run("north", "north")
    scene.until_opened(run, 1)
    scene.cancel(run)
    scene.until_over(run)
    scene.retry(run)
    scene.delete("north")
    assert scene.until_over(run) == "Failed"
    scene.come_to_an_end(given=False)
