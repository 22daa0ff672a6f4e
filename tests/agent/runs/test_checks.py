"""Checks at the checkpoints of runs, end to end in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from sluice.authorization.checks.approval import Verdict
from sluice.authorization.checks.kinds import APPROVAL, Kinds
from sluice.authorization.checks.suite import LEASE_SECONDS
from sluice.authorization.resources import ENDPOINT
from sluice.connections.connection import Update
from sluice.connections.guard import Unrestricted
from sluice.errors import ConflictError, NotFoundError, NotPermittedError, SealError, UsageError
from sluice.hooks.checks import CheckRun, CheckType, Decision
from sluice.hooks.declaration import Field
from sluice.runs import suites
from sluice.runs.check_configuring import Configurations, Entered
from sluice.runs.check_decisions import CheckDecisions
from sluice.runs.checking import settle
from sluice.runs.retrying import retry
from sluice.secret import Secret
from sluice.storage import audit, groups, people, projects, vouched

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

    from sluice.authorization.checks.model import Check, Suite
    from sluice.storage.check_configurations import ConfigurationRow

DEPLOY = """
stages:
- stage: Deploy
  jobs: [{job: J, steps: [{task: Deliver@1, inputs: {to: prod, what: it}}]}]
"""
LATE = """
steps:
- bash: echo "##vso[task.setvariable variable=where]prod"
- task: Deliver@1
  inputs: {to: $(where), what: it}
"""
MINUTE = 60.0


@dataclass
class Gate:
    """A kind of check whose answers a test gives, the last one again and again."""

    answers: list[Decision] = field(default_factory=lambda: [Decision.approved()])
    runs: list[CheckRun] = field(default_factory=list)
    during: Callable[[], object] | None = None

    def evaluate(self, run: CheckRun) -> Decision:
        self.runs.append(run)
        if self.during:
            self.during()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def kind(self) -> CheckType:
        fields = (Field("what", "What"), Field("key", "Key", secret=True))
        return CheckType("gate", "Gate", self.evaluate, fields=fields, timeout=10, bypassable=True)


class Checks:
    """What the tests do with checks."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.gate = Gate()
        bench.orchestrator.kinds = lambda: Kinds({"gate": self.gate.kind})
        with bench.database.write() as transaction:
            for name in ("tester", "alice", "bob"):
                people.create(transaction, name, by="tester", at=0.0)

    def add(self, kind: CheckType | None = None, name: str = "prod", **entered: object) -> ConfigurationRow:
        configurations = Configurations(orchestrator=self.bench.orchestrator, guard=Unrestricted("tester"))
        return configurations.add("default", ENDPOINT, name, kind or self.gate.kind, Entered(**entered))  # type: ignore[arg-type]

    def approval(self, approvers: str = "alice", **settings: str) -> ConfigurationRow:
        return self.add(APPROVAL, settings={"approvers": approvers, **settings})

    def by(self, person: str) -> CheckDecisions:
        return CheckDecisions(database=self.bench.database, clock=self.bench.clock, guard=Unrestricted(person))

    def approve(self, person: str, run_id: int, *checks: str, **how: object) -> None:
        self.by(person).decide(run_id, Verdict.APPROVE, checks, **how)  # type: ignore[arg-type]

    def reject(self, person: str, run_id: int, *checks: str, **how: object) -> None:
        self.by(person).decide(run_id, Verdict.REJECT, checks, **how)  # type: ignore[arg-type]

    def suites(self, run_id: int) -> list[Suite]:
        with self.bench.database.read() as transaction:
            return suites.of_run(transaction, run_id)

    def states(self, run_id: int) -> list[str]:
        return [str(check.state) for one in self.suites(run_id) for check in one.checks]

    def check(self, run_id: int) -> Check:
        (check,) = (check for one in self.suites(run_id) for check in one.checks)
        return check

    def actions(self) -> list[str]:
        with self.bench.database.read() as transaction:
            return [link.entry.action for link in audit.entries(transaction)]


@pytest.fixture
def checks(bench: Bench) -> Checks:
    bench.connection("prod", permit="demo")
    return Checks(bench)


def test_a_stage_starts_once_its_approval_is_given(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    outcome = bench.drive(run.id)
    (request,) = bench.requests(run.id, "running")
    assert (request.resource_type, request.resource_name, request.detail) == (
        "approval",
        "service connection prod",
        "alice",
    )
    assert outcome.results()["Deploy"] == "waiting"
    kinds = {record.type: record.state for record in outcome.records if record.type.startswith("Checkpoint")}
    assert kinds == {
        "Checkpoint": "inProgress",
        "Checkpoint.Authorization": "completed",
        "Checkpoint.Approval": "inProgress",
    }
    checks.approve("alice", run.id, comment="fine")
    assert bench.drive(run.id).run.result == "Succeeded"
    assert checks.states(run.id) == ["approved"]
    assert [action for action in checks.actions() if action.startswith(("Check", "Sluice.Appr", "Sluice.Check"))] == [
        "CheckConfiguration.Created",
        "Sluice.CheckRequested",
        "Sluice.ApprovalApproved",
        "CheckSuite.Completed",
    ]


def test_the_record_of_an_approval_has_its_id(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    outcome = bench.drive(run.id)
    (record,) = (one for one in outcome.records if one.type == "Checkpoint.Approval")
    assert record.id == checks.check(run.id).id == bench.requests(run.id, "running")[0].resource_id


def test_one_rejection_fails_the_stage_and_cancels_the_other_checks(bench: Bench, checks: Checks) -> None:
    checks.approval("alice, bob")
    checks.approval("bob")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.reject("alice", run.id, comment="not now")
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Failed"
    (stage,) = (one for one in outcome.records if one.type == "Stage")
    assert stage.message == "Approval on 'prod': rejected by alice: not now"
    assert checks.states(run.id) == ["rejected", "canceled"]
    assert bench.requests(run.id, "running") == []


def test_a_part_of_an_approval_is_given_to_nobody_who_may_not_decide_it(bench: Bench, checks: Checks) -> None:
    checks.approval("alice", requesterCannotBeApprover="true", blockedApprovers="bob")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    for other in ("tester", "bob"):
        with pytest.raises(ConflictError, match=f"cannot be given to {other}"):
            checks.by("alice").reassign(run.id, "prod", "alice", other)
    checks.approve("alice", run.id)


def test_an_approval_comes_too_late_though_nobody_has_looked_since(bench: Bench, checks: Checks) -> None:
    checks.approval("alice, bob")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.approve("alice", run.id)
    with pytest.raises(UsageError, match="times out before that"):
        checks.approve("bob", run.id, deferred_to=bench.clock() + 31 * 24 * 3600)
    bench.clock.late = 30 * 24 * 3600.0 + 1
    with pytest.raises(ConflictError, match="too late"):
        checks.approve("bob", run.id)
    assert checks.by("bob").awaited(run.project_id, mine=True) == []
    with pytest.raises(ConflictError, match="too late"):
        checks.by("bob").bypass(run.id, "prod")
    assert bench.drive(run.id).run.result == "Canceled"


def test_a_deferred_approval_counts_from_its_moment_whoever_looks_when(bench: Bench, checks: Checks) -> None:
    checks.approval("alice")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.approve("alice", run.id, deferred_to=bench.clock() + 29 * 24 * 3600)
    bench.clock.late = 40 * 24 * 3600.0
    assert bench.drive(run.id).run.result == "Succeeded"


def test_nobody_approving_in_time_skips_the_stage_which_can_be_retried(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    bench.clock.late = 30 * 24 * 3600.0 + 1
    outcome = bench.drive(run.id)
    assert (outcome.results()["Deploy"], outcome.run.result) == ("Skipped", "Canceled")
    assert checks.states(run.id) == ["timedOut"]
    retry(bench.orchestrator, run.id)
    bench.drive(run.id)
    assert checks.states(run.id) == ["timedOut", "running"]
    checks.approve("alice", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_approvers_in_sequence_are_asked_one_after_the_other(bench: Bench, checks: Checks) -> None:
    checks.approval("alice, bob", executionOrder="inSequence")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    with pytest.raises(NotPermittedError, match="bob") as early:
        checks.approve("bob", run.id)
    assert "not the turn of bob" in early.value.why
    checks.approve("alice", run.id)
    bench.drive(run.id)
    assert bench.requests(run.id, "running")[0].detail == "bob (1 of 2 approved)"
    checks.approve("bob", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_what_approvers_are_told_is_part_of_what_the_run_waits_for(bench: Bench, checks: Checks) -> None:
    checks.approval("alice", instructions="look at\n  the plan")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    assert bench.requests(run.id, "running")[0].detail == "alice; instructions: look at the plan"
    checks.approve("alice", run.id, deferred_to=bench.orchestrator.clock() + 7 * 86400)
    bench.drive(run.id)
    assert "UTC, which an approver named" in bench.requests(run.id, "running")[0].detail


def test_the_requester_may_not_approve_where_that_is_excluded_whoever_asks(bench: Bench, checks: Checks) -> None:
    checks.approval("tester, alice", minRequiredApprovers="1", requesterCannotBeApprover="true")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    with pytest.raises(NotPermittedError) as refused:
        checks.approve("tester", run.id, checks.check(run.id).id)
    assert "the requester may not approve" in refused.value.why
    checks.approve("alice", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_member_approves_for_the_group(bench: Bench, checks: Checks) -> None:
    with bench.database.write() as transaction:
        project = projects.find(transaction, "default")
        group = groups.create(transaction, project, "release managers", by="tester", at=0.0)
        groups.add_member(transaction, group, people.get(transaction, "bob"), by="tester", at=0.0)
    checks.approval("release managers")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    with pytest.raises(NotPermittedError):
        checks.approve("alice", run.id)
    checks.approve("bob", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_an_approver_whom_nobody_knows_is_refused(checks: Checks) -> None:
    with pytest.raises(NotFoundError, match="alicia"):
        checks.approval("alicia")


def recreated(bench: Bench, name: str) -> None:
    """Somebody else has the name now."""
    with bench.database.write() as transaction:
        people.delete(transaction, people.get(transaction, name), by="tester", at=0.0)
        people.create(transaction, name, by="tester", at=0.0)


@pytest.mark.parametrize("asked", [False, True])
def test_who_has_the_name_of_an_approver_later_is_none(bench: Bench, checks: Checks, asked: bool) -> None:
    row = checks.approval()
    configurations = Configurations(orchestrator=bench.orchestrator, guard=Unrestricted("tester"))
    run = bench.create(DEPLOY)
    if asked:
        bench.drive(run.id)
    recreated(bench, "alice")
    configurations.update("default", row.id, Entered(timeout=30))  # that is no word on approvers
    bench.drive(run.id)
    with pytest.raises(NotPermittedError, match="alice is no approver of it: alice"):
        checks.approve("alice", run.id)
    configurations.update("default", row.id, Entered(settings={"approvers": "alice"}))
    again = bench.create(DEPLOY)
    bench.drive(again.id)
    checks.approve("alice", again.id)


def test_a_part_that_was_given_to_somebody_is_not_that_of_who_has_the_name_later(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.by("tester").reassign(run.id, checks.check(run.id).id, "alice", "bob")
    recreated(bench, "bob")
    with pytest.raises(NotPermittedError):
        checks.approve("bob", run.id)


def test_a_group_that_is_made_again_has_no_part_in_approvals_of_the_first(bench: Bench, checks: Checks) -> None:
    with bench.database.write() as transaction:
        project = projects.find(transaction, "default")
        first = groups.create(transaction, project, "managers", by="tester", at=0.0)
    checks.approval("managers")
    with bench.database.write() as transaction:
        groups.delete(transaction, first, by="tester", at=0.0)
        second = groups.create(transaction, project, "managers", by="tester", at=0.0)
        groups.add_member(transaction, second, people.get(transaction, "bob"), by="tester", at=0.0)
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    with pytest.raises(NotPermittedError):
        checks.approve("bob", run.id)


def test_a_decision_that_is_replayed_or_comes_too_late_changes_nothing(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY.replace("prod, what: it", "prod, what: it}}, {bash: exit 1, env: {A: b"))
    bench.drive(run.id)
    first = checks.check(run.id).id
    checks.approve("alice", run.id, first)
    assert bench.drive(run.id).run.result == "Failed"
    with pytest.raises(ConflictError, match="decided already"):
        checks.approve("alice", run.id, first)
    retry(bench.orchestrator, run.id)
    bench.drive(run.id)
    with pytest.raises(ConflictError, match="decided already"):
        checks.approve("alice", run.id, first)
    assert checks.states(run.id) == ["approved", "running"]


def test_a_deferred_approval_counts_from_its_moment_on(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    bench.clock.now = bench.clock()
    checks.approve("alice", run.id, deferred_to=bench.clock() + MINUTE)
    assert bench.drive(run.id).results()["Deploy"] == "waiting"
    bench.clock.late = MINUTE
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_part_can_be_given_to_somebody_else(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.by("tester").reassign(run.id, checks.check(run.id).id, "alice", "bob")
    with bench.database.read() as transaction:
        told = [audit.describe(link.entry) for link in audit.entries(transaction)]
    assert told[-1].endswith(f"of run {run.id} of alice to bob.")
    with pytest.raises(NotPermittedError):
        checks.approve("alice", run.id)
    checks.approve("bob", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_checks_that_are_added_later_do_not_concern_a_checkpoint_that_has_begun(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.approval("bob")
    checks.approve("alice", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_an_edit_of_the_address_between_approval_and_use_asks_again(bench: Bench, checks: Checks) -> None:
    depot = bench.store.get("default", "prod")
    checks.approval()
    run = bench.create(DEPLOY.replace("steps: [", "steps: [{bash: echo}, "))
    bench.drive(run.id)
    checks.approve("alice", run.id)

    def move() -> None:
        bench.store.update("default", "prod", Update(url="https://elsewhere.invalid"), by="tester")

    outcome = bench.drive(run.id, on_start={"Deploy.J.Bash1": move})
    assert [one.resource_type for one in bench.requests(run.id, "running")] == ["endpoint"]
    assert "delivered" not in bench.log(run.id)
    bench.permit(depot)
    outcome = bench.drive(run.id)
    assert [one.resource_type for one in bench.requests(run.id, "running")] == ["approval"]
    assert outcome.run.result == ""
    checks.approve("alice", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"
    assert "delivered it to prod" in bench.log(run.id)


def test_an_edit_of_the_address_while_checks_run_asks_the_approvers_again(bench: Bench, checks: Checks) -> None:
    depot = bench.store.get("default", "prod")
    checks.approval("alice, bob")
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    old = checks.check(run.id).id
    checks.approve("alice", run.id)
    bench.store.update("default", "prod", Update(url="https://elsewhere.invalid"), by="tester")
    bench.permit(depot)
    bench.drive(run.id)
    assert [one.resource_type for one in bench.requests(run.id, "running")] == ["approval"]
    with pytest.raises(ConflictError):
        checks.approve("bob", run.id, old)
    assert checks.states(run.id) == ["canceled", "running"]
    shown = {(one.state, one.result) for one in bench.records(run.id) if one.type == "Checkpoint.Approval"}
    assert shown == {("completed", "Canceled"), ("inProgress", "")}


def test_a_name_from_a_variable_waits_for_the_checks_at_its_step_and_tells_that_it_is_one(
    bench: Bench, checks: Checks
) -> None:
    checks.approval()
    run = bench.create(LATE)
    outcome = bench.drive(run.id)
    (request,) = bench.requests(run.id, "running")
    assert request.detail == "alice; a variable named it at run time"
    assert request.job_id
    assert "delivered" not in bench.log(run.id)
    checks.approve("alice", run.id)
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Succeeded"
    assert "delivered it to prod" in bench.log(run.id)
    assert {one.state for one in outcome.records} == {"completed"}


def test_a_name_from_a_variable_whose_checks_are_rejected_fails_its_step(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(LATE)
    bench.drive(run.id)
    checks.reject("alice", run.id)
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Failed"
    assert {one.state for one in outcome.records} == {"completed"}
    assert next(one.result for one in outcome.records if one.type == "Checkpoint") == "Failed"
    assert "rejected by alice" in bench.log(run.id)
    assert "delivered" not in bench.log(run.id)


def test_canceling_the_run_cancels_its_checks(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    bench.decisions.cancel(run.id)
    assert bench.drive(run.id).run.result == "Canceled"
    assert checks.states(run.id) == ["canceled"]
    with pytest.raises(ConflictError):
        checks.approve("alice", run.id)


def test_a_crash_between_decision_and_advance_loses_nothing(bench: Bench, checks: Checks) -> None:
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.approve("alice", run.id)  # and nobody advances the run: that process is gone
    assert bench.drive(run.id).run.result == "Succeeded"


# evaluated checks


def test_an_evaluation_is_told_the_facts_and_the_secret_settings(bench: Bench, checks: Checks) -> None:
    checks.add(settings={"what": "weather"}, secrets={"key": Secret("s3cr3t-key")})
    run = bench.create(DEPLOY)
    assert bench.drive(run.id).run.result == "Succeeded"
    (given,) = checks.gate.runs
    assert (given.setting("what"), given.secret("key")) == ("weather", Secret("s3cr3t-key"))
    facts = given.facts
    assert (facts.pipeline, facts.run_id, facts.stage, facts.requester) == ("demo", run.id, "Deploy", "tester")
    assert [(one.kind, one.name) for one in facts.resources] == [("endpoint", "prod")]
    assert given.callback is not None


def test_a_secret_setting_survives_the_rotation_of_the_master_key(bench: Bench, checks: Checks) -> None:
    checks.add(secrets={"key": Secret("s3cr3t-key")})
    bench.store.rotate_key(by="tester")
    bench.drive(bench.create(DEPLOY).id)
    assert checks.gate.runs[0].secret("key") == Secret("s3cr3t-key")


def test_a_check_that_has_begun_gets_its_secret_until_its_settings_lead_elsewhere(bench: Bench, checks: Checks) -> None:
    checks.gate.answers = [Decision.waiting("not yet")]
    row = checks.add(settings={"what": "weather"}, secrets={"key": Secret("s3cr3t-key")}, retry_interval=1)
    configurations = Configurations(orchestrator=bench.orchestrator, guard=Unrestricted("tester"))
    bench.clock.now = bench.clock()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    for changes in (Entered(timeout=20), Entered(settings={"what": "elsewhere"})):
        configurations.update("default", row.id, changes)
        bench.clock.late += MINUTE
        bench.drive(run.id)
    assert [one.secret("key") for one in checks.gate.runs] == [Secret("s3cr3t-key"), Secret("s3cr3t-key"), None]
    assert {one.setting("what") for one in checks.gate.runs} == {"weather"}


def test_a_rejection_with_a_retry_interval_is_asked_again(bench: Bench, checks: Checks) -> None:
    checks.gate.answers = [Decision.rejected("closed"), Decision.approved()]
    checks.add(retry_interval=1)
    bench.clock.now = bench.clock()
    run = bench.create(DEPLOY)
    assert bench.drive(run.id).results()["Deploy"] == "waiting"
    assert bench.requests(run.id, "running")[0].detail == "closed"
    bench.clock.late = MINUTE
    assert bench.drive(run.id).run.result == "Succeeded"
    assert len(checks.gate.runs) == 2
    assert checks.gate.runs[1].so_far is not None
    assert checks.gate.runs[1].so_far.count == 1


def test_a_rejection_without_one_fails_the_stage(bench: Bench, checks: Checks) -> None:
    checks.gate.answers = [Decision.rejected("closed")]
    checks.add()
    outcome = bench.drive(bench.create(DEPLOY).id)
    assert outcome.run.result == "Failed"
    assert [one.message for one in outcome.records if one.type == "Stage"] == ["Gate on 'prod': closed"]


def test_a_defect_of_a_kind_does_not_pass_the_check(
    bench: Bench, checks: Checks, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("of the plugin")

    checks.gate.during = fail
    checks.add()
    assert bench.drive(bench.create(DEPLOY).id).run.result == "Failed"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_pass_holds_for_one_interval_while_others_are_open(bench: Bench, checks: Checks) -> None:
    checks.add(retry_interval=1)
    checks.approval()
    bench.clock.now = bench.clock()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    assert len(checks.gate.runs) == 1
    bench.clock.late = 2 * MINUTE
    checks.approve("alice", run.id)
    assert bench.drive(run.id).run.result == "Succeeded"
    assert len(checks.gate.runs) == 2


def test_a_time_out_of_an_evaluated_check_fails_the_stage(bench: Bench, checks: Checks) -> None:
    checks.gate.answers = [Decision.waiting("not yet")]
    checks.add(retry_interval=1)
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    bench.clock.late = 11 * MINUTE
    assert bench.drive(run.id).results()["Deploy"] == "Failed"


def test_a_bypass_lets_the_stage_start_and_is_recorded(bench: Bench, checks: Checks) -> None:
    checks.gate.answers = [Decision.waiting("not yet")]
    checks.add()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    checks.by("tester").bypass(run.id, "gate", comment="fire")
    assert bench.drive(run.id).run.result == "Succeeded"
    assert checks.states(run.id) == ["bypassed"]
    assert "Sluice.CheckBypassed" in checks.actions()


def test_a_check_that_passed_is_asked_once_more_while_others_are_open(bench: Bench, checks: Checks) -> None:
    checks.gate.answers = [Decision.approved(), Decision.waiting("not yet"), Decision.approved()]
    checks.add()
    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    assert sorted(checks.states(run.id)) == ["approved", "running"]
    with pytest.raises(ConflictError, match="cannot be rerun: it is running"):
        checks.by("tester").rerun(run.id, next(iter(bench.requests(run.id, "running"))).resource_id)
    checks.by("tester").rerun(run.id, "gate", comment="it changed")
    bench.drive(run.id)
    assert checks.states(run.id) == ["running", "running"]
    assert "Sluice.CheckRerun" in checks.actions()
    checks.approve("alice", run.id)
    bench.clock.late = 2 * MINUTE
    outcome = bench.drive(run.id)
    assert outcome.results()["Deploy"] == "waiting"  # with retry interval 0 a "not yet" waits for its time-out
    bench.clock.late = 20 * MINUTE
    assert bench.drive(run.id).results()["Deploy"] == "Failed"


def test_a_check_of_a_checkpoint_that_is_over_is_not_rerun(bench: Bench, checks: Checks) -> None:
    checks.add()
    run = bench.create(DEPLOY)
    assert bench.drive(run.id).run.result == "Succeeded"
    with pytest.raises(ConflictError, match="are over: they are approved"):
        checks.by("tester").rerun(run.id, checks.check(run.id).id)


def test_an_evaluation_holds_no_transaction(bench: Bench, checks: Checks) -> None:
    checks.gate.during = lambda: bench.connection("made-meanwhile")
    checks.add()
    assert bench.drive(bench.create(DEPLOY).id).run.result == "Succeeded"


def test_an_evaluation_that_died_is_begun_again_and_a_late_answer_counts_no_more(bench: Bench, checks: Checks) -> None:
    reached, go = threading.Event(), threading.Event()
    calls: list[None] = []

    def evaluate(_: CheckRun) -> Decision:
        calls.append(None)
        if len(calls) > 1:
            return Decision.approved()
        reached.set()
        assert go.wait(30)
        return Decision.rejected("too late")

    kind = CheckType("slow", "Slow", evaluate)
    bench.orchestrator.kinds = lambda: Kinds({"slow": kind})
    checks.add(kind)
    run = bench.create(DEPLOY)
    slow = threading.Thread(target=lambda: settle(bench.orchestrator, run.id))
    slow.start()
    assert reached.wait(30)
    bench.clock.late = LEASE_SECONDS
    settle(bench.orchestrator, run.id)
    go.set()
    slow.join()
    assert (checks.states(run.id), len(calls)) == (["approved"], 2)


def test_a_kind_that_no_plugin_offers_any_more_fails_the_stage(bench: Bench, checks: Checks) -> None:
    checks.add()
    bench.orchestrator.kinds = lambda: Kinds({})
    outcome = bench.drive(bench.create(DEPLOY).id)
    assert outcome.run.result == "Failed"


# tampering


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM check_configurations",
        "UPDATE check_configurations SET disabled = 1",
        "UPDATE check_configurations SET settings = '{}'",
        "UPDATE check_configurations SET kind = 'gate', sequence = sequence",
    ],
)
def test_checks_that_were_edited_by_hand_let_nothing_pass(bench: Bench, checks: Checks, edit: str) -> None:
    import sqlite3

    checks.approval()
    run = bench.create(DEPLOY)
    with sqlite3.connect(bench.home.database) as database:
        database.execute(edit)
    with pytest.raises(SealError, match="not those that Sluice stored"):
        bench.drive(run.id)
    with bench.database.read() as transaction:
        assert any("checks of endpoint" in line for line in vouched.broken(transaction))


def test_an_approval_that_was_written_by_hand_does_not_count(bench: Bench, checks: Checks) -> None:
    import sqlite3

    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    with sqlite3.connect(bench.home.database) as database:
        database.execute("UPDATE check_suites SET state = 'approved'")
    with pytest.raises(SealError, match="not as they were stored"):
        bench.drive(run.id)


def test_a_stage_that_was_started_by_hand_gets_no_secret(bench: Bench, checks: Checks) -> None:
    import sqlite3

    checks.approval()
    run = bench.create(DEPLOY)
    bench.drive(run.id)
    with sqlite3.connect(bench.home.database) as database:
        database.execute("UPDATE records SET state = 'inProgress' WHERE type = 'Stage'")
    bench.drive(run.id)
    assert "delivered" not in bench.log(run.id)
