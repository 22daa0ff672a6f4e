"""How runs wait for Permits: at the checkpoint of a stage, and at a step whose connection is known only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.authorization import texts
from sluice.connections.connection import Update
from sluice.errors import ConflictError, NotFoundError, PipelineError
from sluice.runs.driver import Waiting
from sluice.runs.waits import REFUSED, TIMED_OUT
from sluice.storage import actions, audit, usage

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench, Outcome

STAGED = """
stages:
- stage: Ship
  displayName: Ship it
  jobs:
  - job: Out
    steps:
    - checkout: none
    - task: Deliver@1
      name: hand
      inputs: {to: depot-west, what: crates}
"""

LATE = """
steps:
- checkout: none
- bash: |
    echo "first" >> "$(first)"
    echo "##vso[task.setvariable variable=where]depot-late"
  name: choose
- task: Deliver@1
  name: hand
  inputs: {depot: $(where), what: crates}
- bash: echo cleaning
  name: clean
  condition: always()
- bash: echo after
  name: after
"""


def first_runs(bench: Bench) -> int:
    """How often the first step of `LATE` has really run."""
    return len((bench.folder / "first").read_text().splitlines())


def test_a_stage_waits_at_its_checkpoint_and_goes_on_when_permitted(bench: Bench) -> None:
    bench.connection("depot-west", scheme="Token")
    waiting = bench.run_pipeline(STAGED)
    assert waiting.run.state == "inProgress"
    assert waiting.results()["Ship"] == "waiting"
    stage = next(one for one in waiting.records if one.type == "Stage")
    assert stage.operation == texts.banner(1, "Ship it")
    assert [one.resource_name for one in bench.requests(waiting.run.id, "running")] == ["depot-west"]
    assert waiting.dispatcher.requests == []
    bench.decisions.permit(waiting.run.id)
    done = bench.drive(waiting.run.id)
    assert done.run.result == "Succeeded"
    assert "delivered crates to depot-west with its token" in bench.log(done.run.id)
    checkpoints = {one.type: one.result for one in done.records if one.type.startswith("Checkpoint")}
    assert checkpoints == {"Checkpoint": "Succeeded", "Checkpoint.Authorization": "Succeeded"}


def test_a_permit_holds_for_later_runs_of_the_pipeline_and_for_no_other(bench: Bench) -> None:
    bench.connection("depot-west", permit="demo")
    assert bench.run_pipeline(STAGED).run.result == "Succeeded"
    assert bench.run_pipeline(STAGED).run.result == "Succeeded"
    assert bench.run_pipeline(STAGED, name="other").run.state == "inProgress"


def test_a_permit_in_one_run_lets_another_waiting_run_of_the_pipeline_go_on(bench: Bench) -> None:
    bench.connection("depot-west")
    first, second = bench.run_pipeline(STAGED).run, bench.run_pipeline(STAGED).run
    bench.decisions.permit(first.id)
    assert bench.drive(second.id).run.result == "Succeeded"
    assert bench.requests(second.id)[0].state == "approved"


def test_a_denial_cancels_the_stage_and_is_not_remembered(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.decisions.deny(run.id)
    denied = bench.drive(run.id)
    assert denied.results() == {"Ship": "Canceled", "Ship.Out": "Skipped"}
    assert next(one.message for one in denied.records if one.type == "Stage") == REFUSED
    assert denied.run.result == "Canceled"
    assert bench.run_pipeline(STAGED).results()["Ship"] == "waiting"


def test_nobody_permits_in_time(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.clock.late = 7 * 24 * 3600 + 1
    with pytest.raises(ConflictError, match="it timed out"):
        bench.decisions.permit(run.id)
    late = bench.drive(run.id)
    assert late.results()["Ship"] == "Skipped"
    assert next(one.message for one in late.records if one.type == "Stage") == TIMED_OUT
    assert late.run.result == "Canceled"
    assert bench.requests(run.id)[0].state == "timedOut"


def test_a_canceled_run_asks_for_nothing(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.create(STAGED.replace("  jobs:", "  condition: always()\n  jobs:"))
    bench.decisions.cancel(run.id)
    canceled = bench.drive(run.id)
    assert canceled.results()["Ship"] == "Canceled"
    assert bench.requests(run.id) == []


def test_a_cancellation_ends_the_wait(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.decisions.cancel(run.id)
    canceled = bench.drive(run.id)
    assert canceled.run.result == "Canceled"
    assert [one.state for one in bench.requests(run.id)] == ["canceled"]
    assert next(one.message for one in canceled.records if one.type == "Stage") == texts.ABORTED


def test_stages_that_do_not_depend_on_a_waiting_one_go_on(bench: Bench) -> None:
    bench.connection("depot-west")
    yaml = f"{STAGED}\n- stage: Alone\n  dependsOn: []\n  jobs: [{{job: J, steps: [{{bash: echo alone}}]}}]\n"
    waiting = bench.run_pipeline(yaml)
    assert waiting.results()["Alone"] == "Succeeded"
    assert waiting.results()["Ship"] == "waiting"


def test_every_connection_of_a_stage_is_asked_for_at_once_and_all_are_needed(bench: Bench) -> None:
    for name in ("one", "two"):
        bench.connection(name)
    yaml = "steps:\n- checkout: none\n" + "".join(
        f"- task: Deliver@1\n  inputs: {{to: {name}, what: x}}\n" for name in ("one", "two", "one")
    )
    run = bench.run_pipeline(yaml).run
    assert [one.resource_name for one in bench.requests(run.id)] == ["one", "two"]
    assert next(one for one in bench.records(run.id) if one.type == "Stage").operation == texts.banner(2)
    bench.decisions.permit(run.id, ["two"])
    still = bench.drive(run.id)
    assert [one.resource_name for one in bench.requests(run.id, "running")] == ["one"]
    assert next(one for one in still.records if one.type == "Stage").operation == texts.banner(1)
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_connection_that_a_connection_needs_is_asked_for_too(bench: Bench) -> None:
    bench.connection("hop")
    bench.connection("depot-west", via="hop", permit="demo")
    run = bench.run_pipeline(STAGED).run
    assert [one.resource_name for one in bench.requests(run.id)] == ["hop"]
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_permit_that_is_revoked_before_the_run_goes_on_is_asked_for_again(bench: Bench) -> None:
    connection = bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.decisions.permit(run.id)
    bench.revoke(connection)
    again = bench.drive(run.id)
    assert again.results()["Ship"] == "waiting"
    assert [one.state for one in bench.requests(run.id)] == ["approved", "running"]


def test_a_connection_that_is_disabled_while_a_run_waits_is_waited_for(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.store.update("default", "depot-west", Update(disabled=True), by="tester")
    with pytest.raises(ConflictError, match="is disabled"):
        bench.decisions.permit(run.id)
    bench.drive(run.id)
    assert [one.detail for one in bench.requests(run.id, "running")] == ["it is disabled"]
    bench.store.update("default", "depot-west", Update(disabled=False), by="tester")
    bench.drive(run.id)
    assert [one.detail for one in bench.requests(run.id, "running")] == [""]
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_connection_that_is_disabled_after_its_permit_pauses_the_run(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.decisions.permit(run.id)
    bench.store.update("default", "depot-west", Update(disabled=True), by="tester")
    paused = bench.drive(run.id)
    assert paused.run.result == ""
    assert [one.detail for one in bench.requests(run.id, "running")] == ["it is disabled"]
    bench.store.update("default", "depot-west", Update(disabled=False), by="tester")
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_stage_that_cannot_have_what_it_waits_for_any_more_asks_for_it_no_more(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.store.delete("default", "depot-west", by="tester")
    assert bench.drive(run.id).run.result == "Failed"
    assert [one.state for one in bench.requests(run.id)] == ["canceled"]
    with pytest.raises(ConflictError, match="it is over"):
        bench.decisions.permit(run.id)


def test_a_connection_that_is_edited_while_a_run_waits_is_used_as_it_is_then(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.store.update("default", "depot-west", Update(description="moved"), by="tester")
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_connection_that_does_not_exist_is_no_run(bench: Bench) -> None:
    bench.connection("depot-east")
    with pytest.raises(PipelineError) as refused:
        bench.create(STAGED)
    assert str(refused.value) == (
        "azure-pipelines.yml:11:20: The pipeline is not valid. Job Out: Step hand input depot references service "
        "connection depot-west which could not be found. The service connection does not exist, has been disabled or "
        "has not been authorized for use. For authorization details, refer to https://aka.ms/yamlauthz. "
        "(did you mean 'depot-east'?)"
    )


def test_what_is_asked_granted_and_used_is_on_record(bench: Bench) -> None:
    connection = bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    bench.decisions.permit(run.id)
    bench.drive(run.id)
    with bench.database.read() as transaction:
        recorded = {link.entry.action for link in audit.newest(transaction, 100)}
        uses = usage.history(transaction, connection.id, project_id=connection.project_id)
    assert {actions.PERMISSION_REQUESTED.id, actions.AUTHORIZED_FOR_PIPELINE.id} <= recorded
    assert [(use.run_id, use.stage, use.result) for use in uses] == [(run.id, "Ship", "Succeeded")]


def late(bench: Bench) -> Outcome:
    waiting = bench.run_pipeline(LATE, variables={"first": str(bench.folder / "first")})
    assert waiting.results() == {
        "Job": "waiting",
        "Job.choose": "Succeeded",
        "Job.hand": "pending",
        "Job.clean": "pending",
        "Job.after": "pending",
    }
    return waiting


def test_a_name_known_only_at_run_time_pauses_at_its_step_and_repeats_nothing(bench: Bench) -> None:
    bench.connection("depot-late", scheme="Token")
    run = late(bench).run
    (request,) = bench.requests(run.id)
    assert (request.resource_name, request.stage, bool(request.job_id)) == ("depot-late", "__default", True)
    assert request.where == "azure-pipelines.yml:10:19"
    bench.decisions.permit(run.id)
    done = bench.drive(run.id)
    assert done.run.result == "Succeeded"
    assert first_runs(bench) == 1
    assert "delivered crates to depot-late with its token" in bench.log(run.id)


def test_a_run_time_name_that_does_not_exist_fails_the_step_with_the_documented_text(bench: Bench) -> None:
    failed = bench.run_pipeline(LATE, variables={"first": str(bench.folder / "first")})
    step = next(one for one in failed.records if one.ref_name == "hand")
    assert step.result == "Failed"
    text = (
        "Job Job: Step hand input depot references service connection depot-late which could not be found. The service "
        "connection does not exist, has been disabled or has not been authorized for use."
    )
    assert text in step.issues[0]["message"]
    assert failed.results()["Job.clean"] == "Succeeded"
    assert failed.results()["Job.after"] == "Skipped"


def test_a_run_time_name_that_is_denied_cancels_the_job_but_for_its_cleaning(bench: Bench) -> None:
    bench.connection("depot-late")
    run = late(bench).run
    bench.decisions.deny(run.id)
    denied = bench.drive(run.id)
    assert denied.results()["Job"] == "Canceled"
    assert denied.results()["Job.clean"] == "Succeeded"
    assert denied.results()["Job.after"] == "Skipped"
    assert denied.run.result == "Canceled"
    assert next(one.message for one in denied.records if one.type == "Job") == REFUSED
    assert first_runs(bench) == 1


def test_a_run_time_wait_ends_with_its_time(bench: Bench) -> None:
    bench.connection("depot-late")
    run = late(bench).run
    bench.clock.late = 7 * 24 * 3600 + 1
    ended = bench.drive(run.id)
    assert (ended.run.result, ended.results()["Job.clean"]) == ("Canceled", "Succeeded")
    assert next(one.message for one in ended.records if one.type == "Job") == TIMED_OUT


def test_a_run_time_wait_is_canceled_with_the_run(bench: Bench) -> None:
    bench.connection("depot-late")
    run = late(bench).run
    bench.decisions.cancel(run.id)
    ended = bench.drive(run.id)
    assert (ended.run.result, ended.results()["Job.clean"]) == ("Canceled", "Succeeded")
    assert bench.requests(run.id, "running") == []


def test_a_run_time_connection_is_asked_for_together_with_those_it_needs(bench: Bench) -> None:
    bench.connection("hop")
    bench.connection("depot-late", via="hop", permit="demo")
    run = late(bench).run
    assert [one.resource_name for one in bench.requests(run.id)] == ["hop"]
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_run_time_permit_that_is_revoked_before_its_use_pauses_again(bench: Bench) -> None:
    connection = bench.connection("depot-late")
    run = late(bench).run
    bench.decisions.permit(run.id)
    bench.revoke(connection)
    again = bench.drive(run.id)
    assert again.results()["Job"] == "waiting"
    assert [one.state for one in bench.requests(run.id)] == ["approved", "running"]
    assert first_runs(bench) == 1


def test_a_permit_that_is_revoked_after_the_checkpoint_pauses_at_the_step(bench: Bench) -> None:
    connection = bench.connection("depot-west", permit="demo")
    revoked = bench.folder / "revoked"
    first = f"    - {{bash: 'until [ -e {revoked} ]; do sleep 0.01; done', name: first}}\n"

    def revoke() -> None:
        bench.revoke(connection)
        revoked.touch()

    run = bench.create(STAGED.replace("    - task", f"{first}    - task"))
    paused = bench.drive(run.id, on_start={"Ship.Out.first": revoke})
    assert paused.results()["Ship.Out"] == "waiting"
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_run_time_connection_that_is_disabled_meanwhile_is_waited_for(bench: Bench) -> None:
    record = bench.connection("depot-late")
    run = late(bench).run
    bench.permit(record)
    bench.store.update("default", "depot-late", Update(disabled=True), by="tester")
    paused = bench.drive(run.id)
    assert paused.run.result == ""
    assert [one.detail for one in bench.requests(run.id, "running")] == ["it is disabled"]
    bench.store.update("default", "depot-late", Update(disabled=False), by="tester")
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_run_time_connection_that_is_deleted_meanwhile_fails_the_step(bench: Bench) -> None:
    bench.connection("depot-late")
    run = late(bench).run
    bench.store.delete("default", "depot-late", by="tester")
    failed = bench.drive(run.id)
    assert failed.results()["Job.hand"] == "Failed"


def test_two_jobs_ask_for_the_same_connection_and_one_permit_serves_both(bench: Bench) -> None:
    bench.connection("depot-late")
    job = "\n".join(f"  {line}" for line in LATE.strip().splitlines())
    yaml = f"jobs:\n- job: A\n{job}\n- job: B\n{job}\n"
    waiting = bench.run_pipeline(yaml, variables={"first": str(bench.folder / "first")})
    assert len(bench.requests(waiting.run.id)) == 2
    bench.decisions.permit(waiting.run.id, ["Depot-Late"])
    assert bench.drive(waiting.run.id).run.result == "Succeeded"


def test_deciding_about_what_is_not_asked_is_refused(bench: Bench) -> None:
    bench.connection("depot-west")
    run = bench.run_pipeline(STAGED).run
    with pytest.raises(NotFoundError, match="does not wait for 'elsewhere'"):
        bench.decisions.permit(run.id, ["elsewhere"])
    with pytest.raises(NotFoundError, match="there is no run 99"):
        bench.decisions.deny(99)
    bench.decisions.permit(run.id)
    bench.drive(run.id)
    with pytest.raises(ConflictError, match="asks for no permission: it is over"):
        bench.decisions.permit(run.id)
    with pytest.raises(ConflictError, match=r"is over \(succeeded\)"):
        bench.decisions.cancel(run.id)


def test_a_permit_given_while_the_process_leaves_is_not_lost(bench: Bench) -> None:
    bench.connection("depot-west")

    def decide_at_the_last_moment(requests: object) -> Waiting:
        bench.decisions.permit(run.id)
        return Waiting.LEAVE

    run = bench.create(STAGED)
    assert bench.drive(run.id, waits=decide_at_the_last_moment).run.result == "Succeeded"


def test_a_permit_given_while_the_process_stays_wakes_it(bench: Bench) -> None:
    bench.connection("depot-west")

    def permit(requests: object) -> Waiting:
        bench.decisions.permit(run.id)
        return Waiting.STAY

    run = bench.create(STAGED)
    done = bench.drive(run.id, waits=permit)
    assert done.run.result == "Succeeded"
    assert done.observer.waits == [("depot-west",), ()]
