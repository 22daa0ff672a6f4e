"""Exclusive locks between runs that are driven at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.agent.runs.test_checks import Checks

from sluice.authorization.checks.kinds import EXCLUSIVE_LOCK
from sluice.runs.driver import Waiting
from sluice.runs.lock import is_driven

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench, Outcome

LOCKED = """
lockBehavior: {behavior}
stages:
- stage: Deploy
  jobs:
  - job: J
    steps:
    - bash: |
        echo started
        while [ ! -e {flag} ]; do sleep 0.02; done
    - {{task: Deliver@1, inputs: {{to: prod, what: it}}}}
"""
QUICK = """
lockBehavior: {behavior}
stages:
- stage: Deploy
  jobs: [{{job: J, steps: [{{task: Deliver@1, inputs: {{to: prod, what: it}}}}]}}]
"""


class Driven:
    """A run that a thread drives; it stays while it waits."""

    def __init__(self, bench: Bench, run_id: int, **how: object) -> None:
        self.run_id = run_id
        self.waits = threading.Event()
        self.outcome: Outcome

        def waiting(_: object) -> Waiting:
            self.waits.set()
            return Waiting.STAY

        def drive() -> None:
            self.outcome = bench.drive(run_id, waits=waiting, **how)  # type: ignore[arg-type]

        self.thread = threading.Thread(target=drive)
        self.thread.start()

    def result(self) -> str:
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.outcome.run.result


@pytest.fixture
def checks(bench: Bench) -> Checks:
    bench.connection("prod", permit="demo")
    checks = Checks(bench)
    checks.add(EXCLUSIVE_LOCK)
    return checks


def start_holder(bench: Bench, behavior: str) -> tuple[Driven, threading.Event]:
    started = threading.Event()
    text = LOCKED.format(behavior=behavior, flag=bench.folder / "go")
    holder = Driven(bench, bench.create(text).id, on_start={"Deploy.J.Bash1": started.set})
    assert started.wait(30)
    return holder, started


def test_a_second_run_waits_until_the_first_has_left_the_stage(bench: Bench, checks: Checks) -> None:
    holder, _ = start_holder(bench, "sequential")
    second = Driven(bench, bench.create(QUICK.format(behavior="sequential")).id)
    assert second.waits.wait(30)
    (request,) = bench.requests(second.run_id, "running")
    assert request.detail == f"its turn to use the resource alone, run {holder.run_id} has it now"
    (bench.folder / "go").touch()
    assert (holder.result(), second.result()) == ("Succeeded", "Succeeded")


def test_a_run_of_another_pipeline_that_holds_the_lock_is_not_named(bench: Bench, checks: Checks) -> None:
    """Who sees the waiting run need not see that one."""
    bench.permit(bench.store.get("default", "prod"), "another")
    holder, _ = start_holder(bench, "sequential")
    other = Driven(bench, bench.create(QUICK.format(behavior="sequential"), name="another").id)
    assert other.waits.wait(30)
    (request,) = bench.requests(other.run_id, "running")
    assert request.detail == "its turn to use the resource alone, a run of another pipeline has it now"
    (bench.folder / "go").touch()
    assert (holder.result(), other.result()) == ("Succeeded", "Succeeded")


def test_sequential_runs_get_it_in_the_order_in_which_they_asked(bench: Bench, checks: Checks) -> None:
    holder, _ = start_holder(bench, "sequential")
    others = []
    for _ in range(3):
        other = Driven(bench, bench.create(QUICK.format(behavior="sequential")).id)
        assert other.waits.wait(30)
        others.append(other)
    (bench.folder / "go").touch()
    assert [one.result() for one in (holder, *others)] == ["Succeeded"] * 4
    started = [next(record.started_at for record in one.outcome.records if record.type == "Job") for one in others]
    assert started == sorted(started, key=lambda at: at or 0.0)


def test_run_latest_cancels_the_older_waiting_run(bench: Bench, checks: Checks) -> None:
    holder, _ = start_holder(bench, "runLatest")
    older = Driven(bench, bench.create(QUICK.format(behavior="runLatest")).id)
    assert older.waits.wait(30)
    newer = Driven(bench, bench.create(QUICK.format(behavior="runLatest")).id)
    assert older.result() == "Canceled"
    assert newer.waits.wait(30)
    (bench.folder / "go").touch()
    assert (holder.result(), newer.result()) == ("Succeeded", "Succeeded")


def test_a_run_that_only_waits_and_is_left_holds_nothing(bench: Bench, checks: Checks) -> None:
    holder, _ = start_holder(bench, "sequential")
    left = bench.create(QUICK.format(behavior="sequential"))
    bench.drive(left.id)  # waits, and is left
    assert not is_driven(bench.home.root / "locks", left.id)
    third = Driven(bench, bench.create(QUICK.format(behavior="sequential")).id)
    assert third.waits.wait(30)
    (bench.folder / "go").touch()
    assert (holder.result(), third.result()) == ("Succeeded", "Succeeded")
    assert bench.drive(left.id).run.result == "Succeeded"


def test_a_failed_stage_gives_its_lock_back(bench: Bench, checks: Checks) -> None:
    text = QUICK.format(behavior="sequential").replace("steps: [", "steps: [{bash: exit 1}, ")
    assert bench.drive(bench.create(text).id).run.result == "Failed"
    assert bench.drive(bench.create(QUICK.format(behavior="sequential")).id).run.result == "Succeeded"


def test_jobs_of_one_stage_that_ask_late_do_not_wait_for_each_other(bench: Bench, checks: Checks) -> None:
    name = 'echo "##vso[task.setvariable variable=where]prod"'
    job = f"steps: [{{bash: '{name}'}}, {{task: Deliver@1, inputs: {{to: $(where), what: it}}}}]"
    outcome = bench.run_pipeline(f"jobs: [{{job: A, {job}}}, {{job: B, {job}}}]")
    assert outcome.run.result == "Succeeded"
    assert bench.log(outcome.run.id).count("delivered it to prod") == 2


def test_the_lock_of_a_run_that_died_goes_to_the_next_and_the_dead_one_queues_up_again(
    bench: Bench, checks: Checks
) -> None:
    dead = bench.create(QUICK.format(behavior="sequential"))
    advanced = bench.orchestrator.advance(dead.id, driven=True)  # takes the lock, and its process dies
    assert len(advanced.ready) == 1
    holder, _ = start_holder(bench, "sequential")
    again = Driven(bench, dead.id)
    assert again.waits.wait(30)
    assert bench.results(dead.id)["Deploy"] == "inProgress"
    (bench.folder / "go").touch()
    assert (holder.result(), again.result()) == ("Succeeded", "Succeeded")


LATE = """
stages:
- stage: Deploy
  jobs:
  - job: J
    steps:
    - {{task: Deliver@1, inputs: {{to: prod, what: it}}}}
    - bash: while [ ! -e {flag} ]; do sleep 0.02; done
    - {{task: Deliver@1, inputs: {{to: $(where), what: it}}}}
"""
BOTH = """
stages:
- stage: Deploy
  jobs:
  - {job: J, steps: [{task: Deliver@1, inputs: {to: prod, what: it}}]}
  - {job: K, steps: [{task: Deliver@1, inputs: {to: depot, what: it}}]}
"""


def test_who_waits_for_what_a_stage_holds_does_not_keep_it_from_a_lock_that_it_needs_late(
    bench: Bench, checks: Checks
) -> None:
    other, depot = "other", bench.connection("depot", permit="demo")
    checks.add(EXCLUSIVE_LOCK, "depot")
    for one in (depot, bench.store.get("default", "prod")):
        bench.permit(one, other)
    started = threading.Event()
    first = bench.create(LATE.format(flag=bench.folder / "go"), variables={"where": "depot"}).id
    holder = Driven(bench, first, on_start={"Deploy.J.Bash1": started.set})
    assert started.wait(30)
    waiter = Driven(bench, bench.create(BOTH, name=other).id)
    assert waiter.waits.wait(30)
    (bench.folder / "go").touch()
    assert holder.result() == "Succeeded"
    assert waiter.result() == "Succeeded"
