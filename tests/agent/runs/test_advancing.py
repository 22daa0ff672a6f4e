"""Many runs advanced at once: after a restart, and when one Permit lets all runs of a pipeline go on."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sluice.connections.connection import Update
from sluice.errors import SealError
from sluice.runs.advancing import BATCH, Moved, advance_all, unfinished
from sluice.runs.orchestrator import WAIT_SECONDS
from sluice.runs.timeline import Timeline
from sluice.storage import audit, permissions, projects, records

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

SHIP = """
steps:
- checkout: none
- task: Deliver@1
  inputs: {to: depot-west, what: crates}
"""

SHIP_TWICE = "jobs:\n" + "".join(f"- job: {name}\n  steps: [{{checkout: none}}]\n" for name in ("One", "Two"))


CHANGES = {"disable": Update(disabled=True), "edit": Update(description="new")}


def made(bench: Bench, count: int) -> list[int]:
    bench.connection("depot-west", scheme="Token")
    ids = [bench.create(SHIP).id for _ in range(count)]
    assert all(moved.advanced and moved.advanced.asked for moved in advance_all(bench.orchestrator, ids))
    return ids


def stored(bench: Bench, run_id: int) -> list[records.RecordRow]:
    with bench.database.read() as transaction:
        return records.of_run(transaction, run_id)


def ready(bench: Bench) -> list[int]:
    return [moved.run_id for moved in advance_all(bench.orchestrator) if moved.advanced and moved.advanced.ready]


def test_runs_that_wait_are_found_and_stay_as_they_are(bench: Bench) -> None:
    ids = made(bench, 3)
    before = [(stored(bench, one), bench.requests(one)) for one in ids]
    with bench.database.read() as transaction:
        head = audit.check_head(transaction)
    found = list(advance_all(bench.orchestrator))
    assert [moved.run_id for moved in found] == ids
    assert all(moved.waits for moved in found)
    assert [(stored(bench, one), bench.requests(one)) for one in ids] == before
    with bench.database.read() as transaction:
        assert audit.check_head(transaction) == head


def waiting(bench: Bench) -> list[int]:
    """The runs that merely wait; they are found out to do so twice, and advancing them changes nothing."""
    found = [moved.run_id for moved in advance_all(bench.orchestrator) if moved.waits]
    before = [(stored(bench, one), bench.requests(one)) for one in found]
    assert not any(moved.error or (moved.advanced and moved.advanced.ready) for moved in advanced(bench, found))
    assert [(stored(bench, one), bench.requests(one)) for one in found] == before
    return found


def advanced(bench: Bench, ids: list[int]) -> list[Moved]:
    return list(advance_all(bench.orchestrator, ids))


def test_what_happens_elsewhere_lets_runs_merely_wait(bench: Bench) -> None:
    ids = made(bench, 2)
    other = bench.create(SHIP, name="another").id
    advanced(bench, [other])
    bench.decisions.permit(other)
    bench.drive(other)
    assert waiting(bench) == ids


@pytest.mark.parametrize("act", ["deny", "cancel", "disable", "delete", "edit", "open", "late"])
def test_a_run_that_something_happened_to_is_looked_at(bench: Bench, act: str) -> None:
    first, second = made(bench, 2)
    assert waiting(bench) == [first, second]
    if act == "deny":
        bench.decisions.deny(first)
    elif act == "cancel":
        bench.decisions.cancel(first)
    elif act == "delete":
        bench.store.delete("default", "depot-west", by="tester")
    elif act == "open":
        with bench.database.write() as transaction:
            home = projects.find(transaction, "default")
            resource = permissions.Resource(home.id, bench.store.get("default", "depot-west").id)
            permissions.grant(transaction, resource, permissions.ALL_PIPELINES, by="tester", at=bench.clock())
    elif act == "late":
        bench.clock.late = WAIT_SECONDS
    else:
        bench.store.update("default", "depot-west", CHANGES[act], by="tester")
    assert waiting(bench) == ([second] if act in {"deny", "cancel"} else [])


def test_one_permit_makes_all_runs_of_its_pipeline_ready_and_no_others(bench: Bench) -> None:
    ids = made(bench, 3)
    other = bench.create(SHIP, name="another").id
    bench.decisions.permit(ids[0])
    assert ready(bench) == ids
    again = [stored(bench, one) for one in ids]
    assert ready(bench) == ids
    assert [stored(bench, one) for one in ids] == again
    assert [one.state for one in bench.requests(other)] == ["running"]
    with bench.database.read() as transaction:
        assert audit.verify(transaction).breaches == ()
    assert bench.drive(ids[2]).run.result == "Succeeded"


def test_each_is_advanced_as_it_would_be_alone(bench: Bench) -> None:
    first, second = made(bench, 2)
    bench.decisions.permit(first)
    bench.orchestrator.advance(first)
    assert [moved.run_id for moved in advance_all(bench.orchestrator, [second])] == [second]
    shapes = [
        [(one.type, one.identifier, one.state, one.result, one.operation) for one in stored(bench, run)]
        for run in (first, second)
    ]
    assert shapes[0] == shapes[1]


def test_a_run_that_was_edited_by_hand_is_told_and_keeps_no_other_from_going_on(bench: Bench) -> None:
    first, second, third = made(bench, 3)
    bench.decisions.permit(first)
    connection = sqlite3.connect(bench.orchestrator.home.database)
    with connection:
        connection.execute("UPDATE runs SET plan = replace(plan, 'crates', 'cranes') WHERE id = ?", (second,))
    connection.close()
    moved = {one.run_id: one for one in advance_all(bench.orchestrator)}
    assert isinstance(moved[second].error, SealError)
    assert [run for run, one in moved.items() if one.advanced and one.advanced.ready] == [first, third]


def test_runs_that_are_over_are_not_among_them_however_many_there_are(bench: Bench) -> None:
    over = bench.run_pipeline("steps: [{checkout: none}]").run.id
    ids = made(bench, BATCH + 1)
    assert over < ids[0]
    assert list(unfinished(bench.orchestrator)) == ids


def test_a_number_that_no_run_has_is_passed_over(bench: Bench) -> None:
    (run_id,) = made(bench, 1)
    assert [moved.run_id for moved in advance_all(bench.orchestrator, [run_id + 1, run_id])] == [run_id]


def test_what_a_decision_puts_is_stored_in_the_order_of_the_timeline(bench: Bench) -> None:
    run_id = bench.create(SHIP_TWICE).id
    with bench.database.read() as transaction:
        timeline = Timeline(bench.orchestrator.load(transaction, run_id).situation.records)
    first, second = (record for record in timeline if record.type == "Phase")
    new = replace(first, id="new", identifier="Third", type="Phase")
    timeline.put(second, state="inProgress")
    timeline.put(new)
    timeline.put(first, state="inProgress")
    timeline.put(timeline.put(second, state="waiting"), state="pending")
    assert [record.identifier for record in timeline.changed()] == [first.identifier]
    assert timeline.added() == [new]
