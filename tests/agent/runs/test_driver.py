"""Driving runs: what runs at once, what does not, and how a run ends early."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.agent.runs.conftest import Recorder, WatchedDispatcher

from sluice.runs.driver import Driver, Waiting

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench, Outcome

    from sluice.storage.records import RecordRow

RUN_TIMES = 15


def meet(folder: Path, name: str, others: int) -> str:
    """A script that ends well only if so many are running at the same moment."""
    count = f"$(ls {folder} | wc -l)"
    return (
        f"touch {folder}/{name}; for i in $(seq 500); do [ {count} -ge {others} ] && exit 0; sleep 0.01; done; exit 1"
    )


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    folder = tmp_path / "meeting"
    folder.mkdir()
    return folder


def jobs(*scripts: str, indent: str = "") -> str:
    return "".join(
        f"{indent}- job: J{number}\n{indent}  steps:\n{indent}  - checkout: none\n{indent}  - bash: '{script}'\n"
        for number, script in enumerate(scripts)
    )


def running_at_once(outcome: Outcome) -> int:
    ids = {record.id for record in outcome.records if record.type == "Job"}
    running: set[str] = set()
    most = 0
    for change in outcome.observer.changes:
        if change.id in ids:
            (running.add if change.state == "inProgress" else running.discard)(change.id)
            most = max(most, len(running))
    return most


def test_jobs_run_at_the_same_time(bench: Bench, meeting: Path) -> None:
    outcome = bench.run_pipeline("jobs:\n" + jobs(*(meet(meeting, name, 3) for name in "abc")))
    assert outcome.run.result == "Succeeded"


def test_stages_run_at_the_same_time(bench: Bench, meeting: Path) -> None:
    stages = "".join(
        f"- stage: S{name}\n  dependsOn: []\n  jobs:\n{jobs(meet(meeting, name, 2), indent='  ')}" for name in "ab"
    )
    assert bench.run_pipeline(f"stages:\n{stages}").run.result == "Succeeded"


def test_no_more_jobs_run_than_there_is_room_for(bench: Bench) -> None:
    outcome = bench.run_pipeline("jobs:\n" + jobs(*["sleep 0.05"] * 6), drive={"jobs": 2})
    assert outcome.run.result == "Succeeded"
    assert running_at_once(outcome) == 2


def test_max_parallel_holds_for_a_matrix(bench: Bench) -> None:
    legs = "".join(f"      l{number}: {{x: '{number}'}}\n" for number in range(5))
    yaml = f"jobs:\n- job: T\n  strategy:\n    maxParallel: 2\n    matrix:\n{legs}  steps:\n  - bash: sleep 0.05\n"
    outcome = bench.run_pipeline(yaml, drive={"jobs": 10})
    assert outcome.run.result == "Succeeded"
    assert running_at_once(outcome) == 2


def test_a_hundred_jobs(bench: Bench) -> None:
    began = time.monotonic()
    outcome = bench.run_pipeline("jobs:\n" + jobs(*["true"] * 100), drive={"jobs": 8})
    assert outcome.run.result == "Succeeded"
    assert time.monotonic() - began < RUN_TIMES
    assert {record.result for record in outcome.records if record.type == "Task"} == {"Succeeded"}


def test_many_short_jobs_at_once_do_not_get_in_each_others_way(bench: Bench) -> None:
    slices = "jobs:\n- job: T\n  strategy: {parallel: 8}\n  steps:\n  - checkout: none\n  - bash: 'true'\n"
    for _ in range(RUN_TIMES):
        outcome = bench.run_pipeline(slices, drive={"jobs": 8})
        assert [one.message for one in outcome.records if one.message] == []
        assert outcome.run.result == "Succeeded"


def test_a_job_whose_variables_cannot_be_evaluated_fails_alone(bench: Bench) -> None:
    yaml = "jobs:\n- job: Odd\n  timeoutInMinutes: $[ variables.no ]\n  variables: {no: many}\n  steps:\n  - bash: echo no\n"
    outcome = bench.run_pipeline(f"{yaml}- job: Fine\n  steps:\n  - bash: echo yes\n")
    assert outcome.results()["Fine"] == "Succeeded"
    assert outcome.results()["Odd"] == "Failed"
    odd = outcome.jobs("Odd")[0]
    assert odd.message == "azure-pipelines.yml:3:21: 'many' is no number of minutes"
    assert outcome.run.result == "Failed"


def test_slices_without_measure_fail_their_job_in_no_time(bench: Bench) -> None:
    yaml = "jobs:\n- job: T\n  variables: {n: '100000000'}\n  strategy: {parallel: '$[ variables.n ]'}\n"
    outcome = bench.run_pipeline(f"{yaml}  steps:\n  - bash: echo no\n")
    phase = next(one for one in outcome.records if one.type == "Phase")
    assert phase.message.endswith("job 'T' has 100000000 instances; 256 are allowed")


@pytest.mark.parametrize(
    ("legs", "message"),
    [
        ('{"a b": {}}', "'a b' is no name for a leg of a matrix"),
        ('{"a.b": {}, "a_B": {}}', "the legs 'a.b' and 'a_B' of the matrix are too alike"),
        ('{"a": 1}', "leg 'a' of the matrix is no mapping of variables"),
        ("[1, 2", "the matrix is not the JSON text of a mapping of mappings"),
    ],
)
def test_a_matrix_of_nonsense_fails_its_job(bench: Bench, legs: str, message: str) -> None:
    yaml = f"jobs:\n- job: T\n  variables:\n    legs: '{legs}'\n  strategy: {{matrix: '$[ variables.legs ]'}}\n"
    outcome = bench.run_pipeline(f"{yaml}  steps:\n  - bash: echo no\n")
    phase = next(one for one in outcome.records if one.type == "Phase")
    assert phase.result == "Failed"
    assert phase.message.endswith(message)


def test_a_leg_may_have_a_period_in_its_name(bench: Bench) -> None:
    yaml = "jobs:\n- job: T\n  strategy:\n    matrix:\n      py3.11: {v: '3.11'}\n      py3.12: {v: '3.12'}\n"
    outcome = bench.run_pipeline(f"{yaml}  steps:\n  - checkout: none\n  - bash: echo $(v)\n")
    assert {one.ref_name: outcome.output(one.id) for one in outcome.jobs("T")} == {
        "py3.11": ["3.11"],
        "py3.12": ["3.12"],
    }


def test_a_second_interrupt_ends_what_runs_and_starts_nothing_more(bench: Bench) -> None:
    yaml = "jobs:\n" + jobs("trap : INT TERM; sleep 1000; sleep 1000")
    yaml += "- job: After\n  dependsOn: J0\n  condition: always()\n  steps:\n  - bash: echo never\n"
    drivers: list[Driver] = []

    def interrupt_twice() -> None:
        drivers[0].interrupt()
        drivers[0].interrupt()

    run = bench.create(yaml)
    outcome = bench.drive(run.id, started=drivers.append, on_start={"J0.Bash1": interrupt_twice})
    assert outcome.run.result == "Canceled"
    assert outcome.results() == {
        "J0": "Canceled",
        "J0.Bash1": "Canceled",
        "After": "Canceled",
        "After.Checkout1": "Skipped",
        "After.Bash1": "Skipped",
    }


def test_what_a_canceled_job_did_not_run_is_skipped(bench: Bench) -> None:
    yaml = "steps:\n- checkout: none\n- bash: sleep 1000\n  name: slow\n- bash: echo no\n- bash: echo yes\n  condition: always()\n"
    outcome = bench.run_pipeline(yaml, drive={"cancel_at": "Job.slow"})
    assert outcome.results() == {
        "Job": "Canceled",
        "Job.slow": "Canceled",
        "Job.Bash1": "Skipped",
        "Job.Bash2": "Succeeded",
    }


def test_a_run_that_was_driven_to_its_end_is_left_as_it_is(bench: Bench) -> None:
    run = bench.run_pipeline("steps:\n- checkout: none\n- bash: 'true'\n").run
    before = bench.records(run.id)
    again = bench.drive(run.id)
    assert again.dispatcher.requests == []
    assert bench.records(run.id) == before
    assert bench.orchestrator.advance(run.id).timeline.changed() == []


def test_display_names_tell_what_runs(bench: Bench) -> None:
    yaml = (
        "variables: {who: you}\njobs:\n- job: T\n  displayName: For $(who)\n  steps:\n  - checkout: none\n"
        "  - bash: 'true'\n    displayName: Greet $(who)\n"
    )
    names = {one.type: one.name for one in bench.run_pipeline(yaml).records}
    assert (names["Job"], names["Task"]) == ("For you", "Greet you")


def test_whoever_watches_is_told_what_has_been_stored(bench: Bench) -> None:
    unstored: list[tuple[str, str, str]] = []

    def compare(told: RecordRow) -> None:
        stored = {one.id: one for one in bench.records(run.id)}[told.id]
        if (stored.state, stored.result) != (told.state, told.result):
            unstored.append((told.identifier, told.state, stored.state))

    class Comparing(Recorder):
        def record_changed(self, record: RecordRow) -> None:
            compare(record)
            super().record_changed(record)

    run = bench.create("steps:\n- checkout: none\n- bash: exit 1\n- bash: echo never\n")
    dispatcher = WatchedDispatcher(1)
    Driver(bench.orchestrator, dispatcher, Comparing(), lambda _: Waiting.LEAVE, cancel=bench.decisions.cancel).drive(
        run.id
    )
    assert unstored == []
