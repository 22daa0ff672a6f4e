"""What may be used, what waits for a permit, and what can never be used."""

from __future__ import annotations

import pytest

from sluice.authorization import texts
from sluice.authorization.limits import Limits
from sluice.authorization.resources import (
    COMMANDS,
    ENDPOINT,
    PROTECTED,
    VARIABLE_GROUP,
    Known,
    Need,
    Reason,
    assess,
    in_other_project,
)
from sluice.authorization.trust import RunOrigin

WEB = Known(id="1", name="web", type="ssh", scheme="UsernamePassword")
GROUP = Known(id="2", name="settings", kind=VARIABLE_GROUP)


def test_a_connection_and_a_group_of_one_name_are_two_resources() -> None:
    group = Known(id="3", name="web", kind=VARIABLE_GROUP, permitted=True)
    known = {(ENDPOINT, "web"): WEB, (VARIABLE_GROUP, "web"): group}
    needs = [Need(name="web", where="a"), Need(name="web", kind=VARIABLE_GROUP), Need(name="web", where="b", job="J")]
    assessment = assess(needs, known, {})
    assert assessment.permitted == (group,)
    (pending,) = assessment.pending
    assert (pending.resource, [need.where for need in pending.needs]) == (WEB, ["a", "b"])


def test_a_group_that_does_not_exist_is_told_in_the_documented_words() -> None:
    need = Need(name="setings", kind=VARIABLE_GROUP, where="f:1:2")
    (refusal,) = assess([need], {}, {ENDPOINT: ["setings"], VARIABLE_GROUP: ["settings"]}).refusals
    assert refusal.text == (
        "Could not find a variable group with name setings. "
        "The variable group does not exist or has not been authorized for use."
    )
    assert (refusal.reason, refusal.hint) == (Reason.MISSING, "did you mean 'settings'?")
    (refusal,) = assess([need], {}, {}).refusals
    assert refusal.hint.startswith("create it: sluice variable-group create 'setings'")


def test_a_connection_that_does_not_exist_is_told_with_the_place_that_names_it() -> None:
    need = Need(name="wbe", job="J", step="Deliver1", input="depot")
    (refusal,) = assess([need], {}, {ENDPOINT: ["web"], VARIABLE_GROUP: ["wbe"]}).refusals
    assert refusal.text.startswith("Job J: Step Deliver1 input depot references service connection wbe")
    assert refusal.hint == "did you mean 'web'?"


@pytest.mark.parametrize(
    ("need", "resource", "reason"),
    [
        (Need(name="web", type="docker"), WEB, Reason.WRONG_TYPE),
        (Need(name="web", type="SSH", schemes=("None",)), WEB, Reason.WRONG_SCHEME),
        (Need(name="web"), Known(id="1", name="web", disabled=True, permitted=True), Reason.DISABLED),
    ],
)
def test_what_no_permit_can_mend_is_refused(need: Need, resource: Known, reason: Reason) -> None:
    (refusal,) = assess([need], {need.key: resource}, {}).refusals
    assert refusal.reason is reason


def test_what_a_connection_goes_through_is_needed_too() -> None:
    jump = Known(id="3", name="Jump", type="ssh", linked=("web",))
    near = Known(id="4", name="near", type="ssh", linked=("jump",), permitted=True)
    known = {(ENDPOINT, "near"): near, (ENDPOINT, "jump"): jump, (ENDPOINT, "web"): WEB}
    assessment = assess([Need(name="near", job="J")], known, {})
    assert assessment.permitted == (near,)
    assert [one.resource.name for one in assessment.pending] == ["Jump", "web"]


def test_the_dialog_names_the_type_of_the_resource() -> None:
    assert "will permit the use of Variable group 'settings' for" in texts.permit_question(VARIABLE_GROUP, GROUP.name)


def test_a_connection_of_another_project_has_a_reason_of_its_own_and_the_command_that_shares_it() -> None:
    (missing,) = assess([Need(name="web one")], {}, {}).refusals
    refusal = in_other_project(missing, "the shop", "default")
    assert (refusal.reason, str(refusal.reason)) == (Reason.OTHER_PROJECT, "other-project")
    assert refusal.mend == "sluice connection share 'web one' --from 'the shop' --project default --as 'web one'"
    assert refusal.hint == f"the project 'the shop' has one, share it: {refusal.mend}"


@pytest.mark.parametrize("kind", PROTECTED)
def test_the_command_that_widens_a_limited_permit_can_be_copied(kind: str) -> None:
    limits = (Limits.of(["Deploy"], ["refs/heads/main"]),)
    known = Known(id="1", name="web", kind=kind, limits=limits)
    need = Need(name="web", kind=kind, stage="Test")
    origin = RunOrigin(branch="refs/heads/main", pipeline="my release")
    (refusal,) = assess([need], {need.key: known}, {}, origin).refusals
    assert refusal.reason is Reason.OUTSIDE_LIMITS
    assert refusal.mend == refusal.hint
    limited = " --stage Deploy --stage Test --branch refs/heads/main"
    assert refusal.hint == f"sluice {COMMANDS[kind]} permit web --pipeline 'my release'{limited}"
