"""The working copy of a run's timeline."""

from __future__ import annotations

import pytest

from sluice.runs.timeline import Timeline
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow


def row(kind: str, identifier: str, state: str = "inProgress") -> RecordRow:
    return RecordRow(id=f"{kind} {identifier}", type=kind, identifier=identifier, name="", ref_name="", state=state)


PHASE = row("Phase", "S.J")


@pytest.mark.parametrize(
    ("states", "quiet"),
    [
        (["pending"], True),
        (["inProgress", "pending"], True),
        (["inProgress", "waiting"], False),
        (["completed", "pending"], False),
        ([], False),
    ],
)
def test_a_phase_is_quiet_while_its_instances_merely_run(states: list[str], quiet: bool) -> None:
    jobs = [row("Job", f"S.J.{number}", state) for number, state in enumerate(states)]
    timeline = Timeline([PHASE, row("Phase", "S.K"), row("Job", "S.K.0", "completed"), *jobs])
    assert timeline.is_quiet(PHASE) is quiet
    assert timeline.once_stored().is_quiet(PHASE) is quiet


def test_a_phase_that_has_not_started_is_not_quiet() -> None:
    pending = row("Phase", "S.J", "pending")
    assert not Timeline([pending, row("Job", "S.J.0", "pending")]).is_quiet(pending)


def test_a_phase_is_not_quiet_any_more_when_an_instance_ends() -> None:
    timeline = Timeline([PHASE, row("Job", "S.J.0")])
    timeline.complete(timeline.jobs(PHASE)[0], Result.SUCCEEDED, 1.0)
    assert not timeline.is_quiet(PHASE)


def test_once_it_is_stored_nothing_is_changed_and_later_changes_are_its_own() -> None:
    first = Timeline([PHASE, row("Job", "S.J.0")])
    job = first.put(first.jobs(PHASE)[0], state="waiting")
    added = first.put(row("Job", "S.J.1"))
    second = first.once_stored()
    assert (second.added(), second.changed()) == ([], [])
    assert second.jobs(PHASE) == [job, added]
    assert second.by_id(job.id) == job
    ended = second.complete(added, Result.FAILED, 1.0)
    third = second.put(row("Job", "S.J.2"))
    assert (second.added(), second.changed()) == ([third], [ended])
    assert (first.added(), first.changed()) == ([added], [job])
    assert first.jobs(PHASE) == [job, added]


def test_steps_are_read_when_they_are_asked_for_in_both() -> None:
    job, step = row("Job", "S.J.0"), row("Task", "S.J.0.one")
    read: list[str] = []

    def steps(of: RecordRow) -> list[RecordRow]:
        read.append(of.id)
        return [step]

    first = Timeline([PHASE, job], steps)
    second = first.once_stored()
    assert first.steps(job) == second.steps(job) == [step]
    assert second.once_stored().steps(job) == [step]
    assert read == [job.id, job.id]
