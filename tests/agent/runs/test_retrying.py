"""A finished run again: what is run again, what stays, and what the timeline then shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import ConflictError, UsageError
from sluice.runs.retrying import retry
from sluice.storage import records

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench, Outcome


def job(name: str, script: str, *more: str) -> str:
    keys = "".join(f"  {line}\n" for line in more)
    return f"- job: {name}\n{keys}  steps:\n  - checkout: none\n  - bash: '{script}'\n    name: s\n"


def again(bench: Bench, run_id: int, from_step: str = "") -> Outcome:
    retry(bench.orchestrator, run_id, from_step=from_step)
    return bench.drive(run_id)


def ran(outcome: Outcome) -> list[str]:
    return sorted(request.identifier.removesuffix(".__default") for request in outcome.dispatcher.requests)


ONCE = "[ $(System.JobAttempt) = 2 ]"
"""A script that succeeds in the second attempt."""


def test_what_failed_and_what_depends_on_it_runs_again_and_the_rest_stays(bench: Bench) -> None:
    yaml = "jobs:\n" + "".join(
        [
            job("Good", "true"),
            job("Bad", ONCE),
            job("After", "true", "dependsOn: Bad"),
            job("Clean", "true", "dependsOn: Bad", "condition: always()"),
            job("Last", "true", "dependsOn: After"),
        ]
    )
    first = bench.run_pipeline(yaml)
    assert ran(first) == ["Bad", "Clean", "Good"]
    second = again(bench, first.run.id)
    assert ran(second) == ["After", "Bad", "Clean", "Last"]
    assert second.run.result == "Succeeded"
    assert {one.attempt for one in second.jobs("Good")} == {1}
    assert {one.attempt for one in second.jobs("Bad")} == {2}


def test_dependencies_are_kept_when_everything_runs_again(bench: Bench) -> None:
    yaml = "jobs:\n" + job("A", "exit 1") + job("B", "exit 1", "dependsOn: A", "condition: always()")
    first = bench.run_pipeline(yaml)
    second = again(bench, first.run.id)
    starts = {one.identifier: one.started_at or 0 for one in second.records if one.type == "Job"}
    ends = {one.identifier: one.finished_at or 0 for one in second.records if one.type == "Job"}
    assert starts["B.__default"] >= ends["A.__default"]


def test_stages_after_the_failed_one_run_again(bench: Bench) -> None:
    stages = [("A", "true", ""), ("B", ONCE, ""), ("C", "true", "  condition: always()\n"), ("D", "true", "")]
    yaml = "stages:\n" + "".join(
        f"- stage: {name}\n{more}  jobs:\n  - job: J\n    steps:\n    - checkout: none\n    - bash: '{script}'\n"
        for name, script, more in stages
    )
    first = bench.run_pipeline(yaml)
    assert first.results()["D"] == "Skipped"
    second = again(bench, first.run.id)
    assert ran(second) == ["B.J", "C.J", "D.J"]
    assert second.run.result == "Succeeded"


def test_of_a_matrix_only_the_legs_that_failed_run_again(bench: Bench) -> None:
    yaml = (
        "jobs:\n- job: T\n  strategy:\n    matrix:\n      good: {x: 'true'}\n      bad: {x: '[ $(System.JobAttempt) = 2 ]'}\n"
        "  steps:\n  - checkout: none\n  - bash: $(x)\n"
    )
    first = bench.run_pipeline(yaml)
    second = again(bench, first.run.id)
    assert [request.identifier for request in second.dispatcher.requests] == ["T.bad"]
    assert second.run.result == "Succeeded"
    assert [one.ref_name for one in second.jobs("T")] == ["good", "bad"]


def test_of_a_deployment_the_hooks_from_the_failed_one_on_run_again(bench: Bench) -> None:
    yaml = (
        "jobs:\n- deployment: D\n  environment: e\n  strategy:\n    runOnce:\n"
        "      preDeploy: {steps: [{bash: 'true'}]}\n"
        "      deploy: {steps: [{bash: '[ $(System.JobAttempt) = 2 ]'}]}\n"
        "      on:\n        failure: {steps: [{bash: 'true'}]}\n        success: {steps: [{bash: 'true'}]}\n"
    )
    first = bench.run_pipeline(yaml)
    assert ran(first) == ["D.deploy", "D.on_failure", "D.preDeploy"]
    second = again(bench, first.run.id)
    assert ran(second) == ["D.deploy", "D.on_success"]
    assert second.run.result == "Succeeded"


def test_the_timeline_of_a_retry_hangs_together(bench: Bench) -> None:
    yaml = "jobs:\n" + job("Good", "true") + job("Bad", ONCE)
    first = bench.run_pipeline(yaml)
    second = again(bench, first.run.id)
    ids = {one.id for one in second.records}
    assert all(one.parent_id in ids for one in second.records if one.type != "Stage")
    assert len({(one.type, one.identifier) for one in second.records}) == len(second.records)
    with bench.database.read() as transaction:
        every = records.of_run(transaction, first.run.id, every_attempt=True)
    assert {one.result for one in every if one.identifier == "Bad.__default"} == {"Failed", "Succeeded"}


def test_a_retry_asks_anew_for_what_was_denied_and_keeps_no_old_question(bench: Bench) -> None:
    bench.connection("depot-west")
    yaml = "steps:\n- checkout: none\n- task: Deliver@1\n  inputs: {to: depot-west, what: x}\n"
    run = bench.run_pipeline(yaml).run
    bench.decisions.deny(run.id)
    assert bench.drive(run.id).run.result == "Canceled"
    waiting = again(bench, run.id)
    assert [one.state for one in bench.requests(run.id)] == ["rejected", "running"]
    assert [one.attempt for one in waiting.records if one.type == "Checkpoint"] == [2]
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_canceled_run_goes_on_where_it_was(bench: Bench) -> None:
    yaml = "jobs:\n" + job("A", "true") + job("B", "[ $(System.JobAttempt) = 2 ] || sleep 1000", "dependsOn: A")
    yaml += job("C", "true", "dependsOn: B")
    first = bench.run_pipeline(yaml, drive={"cancel_at": "B.s"})
    assert first.run.result == "Canceled"
    second = again(bench, first.run.id)
    assert ran(second) == ["B", "C"]
    assert second.run.result == "Succeeded"


@pytest.mark.parametrize("name", ["job.SECOND", "Job.The second one"])
def test_a_job_goes_on_from_the_step_that_is_named(bench: Bench, name: str) -> None:
    count = bench.folder / "count"
    yaml = (
        "steps:\n- checkout: none\n"
        f'- bash: echo x >> {count}; echo "##vso[task.setvariable variable=v;isOutput=true]kept"\n  name: first\n'
        "- bash: '[ $(System.JobAttempt) = 2 ] && [ $(first.v) = kept ]'\n  name: second\n"
        "  displayName: The second one\n"
    )
    first = bench.run_pipeline(yaml)
    second = again(bench, first.run.id, name)
    assert second.run.result == "Succeeded"
    assert count.read_text() == "x\n"
    kept = next(one for one in second.records if one.ref_name == "first")
    assert (kept.result, dict(kept.outputs)) == ("Succeeded", {"v": "kept"})


def test_a_step_that_is_not_there_is_refused_and_nothing_changes(bench: Bench) -> None:
    run = bench.run_pipeline("steps:\n- checkout: none\n- bash: exit 1\n  name: s\n").run
    before = bench.records(run.id)
    with pytest.raises(UsageError, match=r"there is no step 'Job.x' in run 1 \(known: Job.s\)"):
        retry(bench.orchestrator, run.id, from_step="Job.x")
    assert bench.records(run.id) == before


def test_what_succeeded_is_not_run_again(bench: Bench) -> None:
    run = bench.run_pipeline("steps:\n- checkout: none\n- bash: 'true'\n- bash: 'true'\n  name: s\n").run
    with pytest.raises(ConflictError, match="there is nothing to run again"):
        retry(bench.orchestrator, run.id)
    with pytest.raises(ConflictError, match="the state of that job before that step is not kept"):
        retry(bench.orchestrator, run.id, from_step="Job.s")
    assert bench.run(run.id).result == "Succeeded"


def test_a_run_that_is_not_over_is_resumed_instead(bench: Bench) -> None:
    run = bench.create("steps:\n- bash: 'true'\n")
    with pytest.raises(ConflictError, match="go on with it: sluice resume 1"):
        retry(bench.orchestrator, run.id)


def test_a_run_can_be_tried_again_and_again(bench: Bench) -> None:
    yaml = "jobs:\n" + job("A", "[ $(System.JobAttempt) = 4 ]") + job("B", "true", "dependsOn: A")
    run = bench.run_pipeline(yaml).run
    for _ in range(2):
        assert again(bench, run.id).run.result == "Failed"
    assert again(bench, run.id).run.result == "Succeeded"
