"""Deciding, driven at random: whatever people, jobs and crashes do, a run stays lawful and comes to its end."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sluice.authorization.checks import approval, suite
from sluice.authorization.checks.approval import Statement, Verdict, same_person
from sluice.authorization.checks.kinds import APPROVAL
from sluice.authorization.checks.lock import Claim, Place
from sluice.authorization.checks.model import Check, Configuration, Covered, State, Suite
from sluice.authorization.resources import ENDPOINT, Assessment, Known, Need, assess
from sluice.authorization.texts import CHECKS
from sluice.errors import Location
from sluice.hooks.checks import CheckType, Decision
from sluice.language.plan import Job, Plan, Stage, Step, Strategy, Text
from sluice.runs.checkpoints import Due
from sluice.runs.contexts import Contexts
from sluice.runs.creation import first_records
from sluice.runs.decide import Advanced, Situation, advance
from sluice.runs.evaluation import Evaluation
from sluice.runs.phases import Instance
from sluice.runs.timeline import STARTED_AFTER, Timeline
from sluice.runs.waits import Asker, is_denial, needs_of
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow, ended
from sluice.storage.requests import RequestRow

NAMES = ("north", "south")
NOWHERE = Location("p.yml", 1, 1)
WAIT = 100.0
GOOD = {"Succeeded", "SucceededWithIssues"}
ENDS = st.sampled_from([Result.SUCCEEDED, Result.SUCCEEDED_WITH_ISSUES, Result.FAILED])
CONDITIONS = st.sampled_from(
    ["", "", "always()", "always()", "failed()", "not(canceled())", "succeededOrFailed()", "false"]
)


def text(value: str) -> Text:
    return Text(value, NOWHERE)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Job, ...]:
    made: list[Job] = []
    for number in range(draw(st.integers(1, 3))):
        before = [job.name for job in made]
        legs = draw(st.integers(1, 3))
        matrix = {f"leg{leg}": {"x": text(str(leg))} for leg in range(legs)}
        most = draw(st.sampled_from([None, "1", "2"]))
        condition = draw(CONDITIONS)
        made.append(
            Job(
                name=f"J{number}",
                display_name=f"J{number}",
                steps=(Step(task=text("CmdLine@2"), name="s", display_name="s"),),
                depends_on=tuple(draw(st.lists(st.sampled_from(before), unique=True))) if before else (),
                condition=text(condition) if condition else None,
                continue_on_error=text("true") if draw(st.booleans()) else None,
                strategy=Strategy(matrix=matrix, max_parallel=text(most) if most else None) if legs > 1 else None,
            )
        )
    return tuple(made)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    made: list[Stage] = []
    for number in range(draw(st.integers(1, 3))):
        before = [stage.name for stage in made]
        condition = draw(CONDITIONS)
        made.append(
            Stage(
                name=f"S{number}",
                display_name=f"S{number}",
                jobs=draw(jobs()),
                depends_on=tuple(before[-1:] if draw(st.booleans()) else draw(st.sets(st.sampled_from(before))))
                if before
                else (),
                condition=text(condition) if condition else None,
            )
        )
    return Plan(file="p.yml", stages=tuple(made))


IDS = itertools.count()
GATE = CheckType("gate", "Gate", lambda run: Decision.approved(), retry_interval=1, timeout=5)


def _configured(kind: CheckType, resource: Covered) -> Configuration:
    settings = {"approvers": "alice, bob"} if kind is APPROVAL else {}
    return Configuration(
        project_id=1,
        resource_kind=resource.kind,
        resource_id=resource.id,
        kind=kind.name,
        settings=settings,
        timeout=5,
        retry_interval=kind.retry_interval,
    )


class World:
    """The facts of this moment; what the pipeline says is evaluated for real."""

    driven = True

    def __init__(self, evaluation: Evaluation, permitted: set[str], moves: Mapping[str, int], *, now: float) -> None:
        self.now = now
        self._evaluation = evaluation
        self._permitted = permitted
        self._moves = moves

    def assess(self, needs: Sequence[Need]) -> Assessment:
        known = {
            (ENDPOINT, name): Known(
                id=name, name=name, type="Depot", permitted=name in self._permitted, version=self._moves[name]
            )
            for name in NAMES
        }
        return assess(needs, known, {ENDPOINT: NAMES})

    def new_id(self) -> str:
        return f"id-{next(IDS)}"

    def checks_on(self, resource: Covered) -> list[Check]:
        kinds = {"north": [APPROVAL], "south": [APPROVAL, GATE]}[resource.name]
        return [
            suite.new_check(_configured(kind, resource), resource, kind, check_id=self.new_id(), now=self.now)
            for kind in kinds
        ]

    def moved(self, resource: Covered, version: int) -> bool:
        return resource.version != version

    def lock_claims(self, place: Place) -> list[Claim]:
        return []

    def stage_runs(self, stage: Stage, timeline: Timeline) -> bool:
        return self._evaluation.stage_runs(stage, timeline)

    def job_runs(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        return self._evaluation.job_runs(stage, job, timeline)

    def instances(self, stage: Stage, job: Job, timeline: Timeline) -> tuple[list[Instance], int]:
        return self._evaluation.instances(stage, job, timeline)

    def continues_on_error(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        return self._evaluation.continues_on_error(stage, job, timeline)


def rolled_up(results: Iterable[str]) -> str:
    """How results add up, said once more: the first of Failed and Canceled wins, then issues; Skipped counts not."""
    results = [result for result in results if result != "Skipped"]
    if not results:
        return "Skipped"
    over = [result for result in results if result in {"Failed", "Canceled"}]
    return over[0] if over else "SucceededWithIssues" if "SucceededWithIssues" in results else "Succeeded"


class Runs(RuleBasedStateMachine):
    """A run: its stored state, and what the world does to it."""

    @initialize(plan=plans(), data=st.data())
    def create(self, plan: Plan, data: st.DataObject) -> None:
        self.plan = plan
        self.needs = {
            stage.name: [Need(name=name) for name in data.draw(st.lists(st.sampled_from(NAMES), unique=True))]
            for stage in plan.stages
        }
        self.stored = {record.id: record for record in first_records(plan, self.needs)}
        self.requests: list[RequestRow] = []
        self.permitted: set[str] = set()
        self.suites: dict[str, Suite] = {}
        self.moves = dict.fromkeys(NAMES, 1)
        self.canceled = False
        self.now = 0.0
        self.result: Result | None = None
        self.advanced: Advanced
        self.canceled_before: set[str] = set()
        self.settle()

    # what happens

    @rule(name=st.sampled_from(NAMES))
    def permit(self, name: str) -> None:
        self.permitted.add(name)
        self.decide(name, "approved")
        self.settle()

    @rule(name=st.sampled_from(NAMES))
    def revoke(self, name: str) -> None:
        self.permitted.discard(name)
        self.settle()

    @rule(name=st.sampled_from(NAMES))
    def move(self, name: str) -> None:
        """An edit of the url: the permits go with it."""
        self.moves[name] += 1
        self.permitted.discard(name)
        self.settle()

    @precondition(lambda self: self.approvals())
    @rule(data=st.data(), verdict=st.sampled_from([Verdict.APPROVE, Verdict.APPROVE, Verdict.REJECT]))
    def decide_approval(self, data: st.DataObject, verdict: Verdict) -> None:
        one, check = data.draw(st.sampled_from(self.approvals()))
        by = data.draw(st.sampled_from(approval.waits_for(check)))
        statement = Statement(verdict=verdict, by=by, at=self.now)
        self.suites[one.id] = suite.put(one, approval.decide(check, statement, "tester", same_person))
        self.settle()

    @precondition(lambda self: self.advanced.evaluate)
    @rule(data=st.data(), decision=st.sampled_from([Decision.approved(), Decision.rejected("no"), Decision.error("?")]))
    def evaluate(self, data: st.DataObject, decision: Decision) -> None:
        due = data.draw(st.sampled_from(self.advanced.evaluate))
        self.say(due, decision)
        self.settle()

    @precondition(lambda self: self.deniable())
    @rule(data=st.data())
    def deny(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.deniable()))
        self.put(replace(request, state="rejected"))
        self.settle()
        if not request.job_id:
            stage = self.of("Stage", request.stage)
            assert stage.result == "Canceled"
            assert {one.result for one in self.below(stage)} == {"Skipped"}

    @precondition(lambda self: not self.canceled and self.result is None)
    @rule()
    def cancel(self) -> None:
        self.canceled = True
        self.canceled_before = {record.id for record in self.stored.values() if record.type == "Job"}
        self.settle()
        assert not [one for one in self.stored.values() if one.type in {"Stage", "Job"} and one.state == "waiting"]

    @rule(seconds=st.sampled_from([1.0, WAIT]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle()
        assert all(request.expires_at > self.now for request in self.open())

    @precondition(lambda self: self.advanced.ready)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.advanced.ready))
        self.store([replace(job, state="inProgress", started_at=self.now)])
        self.settle()

    @precondition(lambda self: self.running())
    @rule(data=st.data(), result=ENDS)
    def finish(self, data: st.DataObject, result: Result) -> None:
        job = data.draw(st.sampled_from(self.running()))
        stops = job.details.get("canceled") or job.id in self.advanced.stop
        self.end(job, Result.CANCELED if stops else result)
        self.settle()

    @precondition(lambda self: self.running())
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def suspend(self, data: st.DataObject, name: str) -> None:
        job = data.draw(st.sampled_from(self.running()))
        details: dict[str, Any] = {**job.details, "suspendedAt": "s", "needs": [asdict(Need(name=name))]}
        self.store([replace(job, state="waiting", details=details)])
        self.settle()

    @rule(lost=st.booleans())
    def crash(self, lost: bool) -> None:
        """The process dies; the next one finds jobs that nobody runs."""
        for job in self.running():
            if lost:
                self.end(job, Result.FAILED)
            else:
                self.store([replace(job, state="pending")])
        self.settle()

    # how it is stored

    def settle(self) -> None:
        before = {one.identifier for one in self.stored.values() if one.type == "Stage" and one.state == "inProgress"}
        advanced = self.advanced = self.decided()
        for stage in self.plan.stages:
            now = advanced.timeline.stage(stage)
            if now.state == "inProgress" and stage.name not in before:
                assert {need.name for need in self.needs[stage.name]} <= self.permitted
                self.has_passed(stage.name, now.attempt, {need.name for need in self.needs[stage.name]}, advanced)
        for job in advanced.timeline:
            if job.state == "pending" and self.stored.get(job.id, job).state == "waiting":
                assert job.details.get("canceled") or {need.name for need in needs_of(job)} <= self.permitted
                known = (self.suites | {one.id: one for one in advanced.suites}).values()
                ended = [one for one in known if one.job_id == job.id and not one.open and not one.replaced]
                refused = any(one.state is not State.APPROVED for one in ended)  # then its step fails and says why
                if not job.details.get("canceled") and not refused:
                    stage_name = job.identifier.partition(".")[0]
                    attempt = self.of("Stage", stage_name).attempt
                    self.has_passed(stage_name, attempt, {need.name for need in needs_of(job)}, advanced, job.id)
        self.store(advanced.timeline)
        self.suites |= {one.id: one for one in advanced.suites}
        self.requests += [replace(one, id=len(self.requests) + at) for at, one in enumerate(advanced.asked, start=1)]
        for number, state in advanced.closed:
            self.put(replace(next(one for one in self.requests if one.id == number), state=state))
        for number, detail in advanced.details:
            self.put(replace(next(one for one in self.requests if one.id == number), detail=detail))
        self.result = self.result or advanced.result
        self.nothing_more_happens(advanced)

    def has_passed(self, stage: str, attempt: int, names: set[str], advanced: Advanced, job_id: str = "") -> None:
        """Every resource is covered by checks that were approved for where it leads now."""
        known = (self.suites | {one.id: one for one in advanced.suites}).values()
        for name in names:
            assert any(
                one.state is State.APPROVED
                and (one.stage, one.attempt) == (stage, attempt)
                and one.job_id in {"", job_id}
                and (covered := one.covers(ENDPOINT, name)) is not None
                and covered.version == self.moves[name]
                for one in known
            )

    def nothing_more_happens(self, advanced: Advanced) -> None:
        again = self.decided()
        assert again.timeline.added() == []
        assert again.timeline.changed() == []
        assert (again.asked, again.closed, again.suites, again.details) == ((), (), (), ())
        assert [job.id for job in again.ready] == [job.id for job in advanced.ready]
        assert again.stop == advanced.stop
        assert again.result == advanced.result

    def decided(self) -> Advanced:
        denied = frozenset(one.stage for one in self.requests if is_denial(one))
        contexts = Contexts(
            self.plan,
            started=0.0,
            canceled=self.canceled,
            denied=denied,
            counter=lambda prefix, seed: seed,
            open_outputs=lambda _: {},
        )
        situation = Situation(
            asker=Asker(run_id=1, project_id=1, pipeline_id=1, wait_seconds=WAIT),
            canceled=self.canceled,
            plan=self.plan,
            records=list(self.stored.values()),
            requests=list(self.requests),
            suites=list(self.suites.values()),
        )
        world = World(Evaluation(contexts=contexts, root={}), self.permitted, self.moves, now=self.now)
        return advance(situation, world)

    def store(self, records: Iterable[RecordRow]) -> None:
        self.stored |= {record.id: record for record in records}

    def put(self, request: RequestRow) -> None:
        self.requests = [request if one.id == request.id else one for one in self.requests]

    def decide(self, name: str, state: str) -> None:
        for request in self.open():
            if request.resource_name == name:
                self.put(replace(request, state=state))

    def end(self, job: RecordRow, result: Result) -> None:
        steps = [one for one in self.stored.values() if one.parent_id == job.id]
        self.store([ended(one, str(result), self.now) for one in (*steps, job)])

    def open(self) -> list[RequestRow]:
        return [one for one in self.requests if one.state == "running"]

    def say(self, due: Due, decision: Decision) -> None:
        claimed = suite.claim(self.suites[due.suite_id], due.check_id, self.now)
        check = claimed.check(due.check_id)
        assert check is not None
        self.suites[due.suite_id] = suite.record(claimed, due.check_id, check.evaluations, decision, self.now)

    def deniable(self) -> list[RequestRow]:
        return [one for one in self.open() if one.resource_type not in CHECKS]

    def approvals(self) -> list[tuple[Suite, Check]]:
        return [
            (one, check)
            for one in self.suites.values()
            for check in one.checks
            if one.open and approval.is_approval(check) and approval.waits_for(check)
        ]

    def running(self) -> list[RecordRow]:
        return [one for one in self.stored.values() if one.type == "Job" and one.state == "inProgress"]

    def of(self, kind: str, identifier: str) -> RecordRow:
        return next(one for one in self.stored.values() if (one.type, one.identifier) == (kind, identifier))

    def below(self, parent: RecordRow) -> list[RecordRow]:
        kinds = {"Stage": "Phase", "Phase": "Job"}
        return [one for one in self.stored.values() if one.parent_id == parent.id and one.type == kinds[parent.type]]

    # what always holds

    @invariant()
    def dependencies_come_first(self) -> None:
        for stage in self.plan.stages:
            if self.of("Stage", stage.name).state != "pending":
                assert all(self.of("Stage", name).completed for name in stage.depends_on)
            for job in stage.jobs:
                if self.of("Phase", f"{stage.name}.{job.name}").state == "inProgress":
                    assert all(self.of("Phase", f"{stage.name}.{name}").completed for name in job.depends_on)

    @invariant()
    def no_more_run_at_once_than_allowed(self) -> None:
        for phase in (one for one in self.stored.values() if one.type == "Phase"):
            most = int(phase.details.get("maxParallel", 0))
            busy = [one for one in self.below(phase) if one.state == "inProgress"]
            ready = [one for one in self.advanced.ready if one.parent_id == phase.id]
            assert not most or len(busy) + len(ready) <= most or (len(busy) >= most and not ready)

    @invariant()
    def results_add_up(self) -> None:
        for stage in self.plan.stages:
            record = self.of("Stage", stage.name)
            phases = [self.of("Phase", f"{stage.name}.{job.name}") for job in stage.jobs]
            for job, phase in zip(stage.jobs, phases, strict=True):
                instances = self.below(phase)
                if phase.completed and instances:
                    result = rolled_up(one.result for one in instances)
                    forgiven = result == "Failed" and job.continue_on_error
                    assert phase.result == ("SucceededWithIssues" if forgiven else result)
            if record.completed and record.started_at is not None and any(self.below(phase) for phase in phases):
                assert record.result == rolled_up(phase.result for phase in phases)

    @invariant()
    def the_default_condition_means_that_all_before_succeeded(self) -> None:
        for stage in self.plan.stages:
            by_name = {job.name: job for job in stage.jobs}
            for job in stage.jobs:
                phase = self.of("Phase", f"{stage.name}.{job.name}")
                if job.condition is None and phase.state == "inProgress":
                    before = _all_before(job, by_name)
                    assert {self.of("Phase", f"{stage.name}.{name}").result for name in before} <= GOOD

    @invariant()
    def what_is_over_asks_for_nothing(self) -> None:
        for request in self.open():
            assert not self.of("Stage", request.stage).completed
            assert not request.job_id or self.stored[request.job_id].state == "waiting"

    @invariant()
    def a_run_is_over_or_something_is_to_come(self) -> None:
        if not (self.open() or self.running() or self.advanced.ready):
            assert self.result is not None
            assert all(one.completed for one in self.stored.values() if not one.type.startswith("Checkpoint"))
        if self.result is not None:
            assert (self.open(), self.running(), self.advanced.ready) == ([], [], ())
            assert not self.canceled or self.result is Result.CANCELED

    @invariant()
    def a_canceled_run_starts_only_what_still_wants_to_run(self) -> None:
        if self.canceled:
            for job in self.advanced.ready:
                phase = self.stored[job.parent_id]
                stage = self.stored[phase.parent_id]
                wanted = phase.details.get(STARTED_AFTER) or stage.details.get(STARTED_AFTER)
                assert job.details.get("canceled") or (wanted and job.id not in self.canceled_before)

    def teardown(self) -> None:
        """From wherever it is, a run comes to its end when every job ends, and all is permitted or nobody decides."""
        if not hasattr(self, "advanced"):
            return
        permits = not self.canceled and len(self.stored) % 2 == 0
        for _ in range(200):
            if self.result is not None:
                assert self.open() == []
                return
            for name in NAMES if permits else ():
                self.permit(name)
            for one, check in self.approvals() if permits else ():
                statement = Statement(verdict=Verdict.APPROVE, by=approval.waits_for(check)[0], at=self.now)
                decided = approval.decide(check, statement, "tester", same_person)
                self.suites[one.id] = suite.put(self.suites[one.id], decided)
            for due in self.advanced.evaluate:
                self.say(due, Decision.approved())
            idle = not (self.advanced.evaluate or self.advanced.ready or self.running())
            self.now += WAIT if not permits else 60.0 if idle else 0.0
            for job in self.advanced.ready:
                self.store([replace(job, state="inProgress", started_at=self.now)])
            for job in self.running():
                self.end(job, Result.SUCCEEDED)
            self.settle()
        pytest.fail("the run does not end")


def _all_before(job: Job, jobs: dict[str, Job]) -> set[str]:
    found = set(job.depends_on)
    for name in job.depends_on:
        found |= _all_before(jobs[name], jobs)
    return found


def test_whatever_happens_a_run_stays_lawful_and_ends() -> None:
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=250, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
