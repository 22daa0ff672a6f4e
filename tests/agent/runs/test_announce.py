from __future__ import annotations

from dataclasses import replace

from sluice.cli.view.silent import SilentView
from sluice.hooks.observation import RunEvent
from sluice.language.plan import Plan
from sluice.runs.announce import Announcer
from sluice.storage.records import RecordRow
from sluice.storage.runs import RunRow

RUN = RunRow(
    id=7,
    project_id=1,
    pipeline_id=1,
    pipeline="site",
    name="20261124.1",
    state="inProgress",
    result="",
    cancel_requested_by="",
    requested_by="ann",
    created_at=0,
)
JOB = RecordRow(id="j", type="Job", identifier="Build.Web.__default", name="Web", ref_name="__default")


def test_plugins_hear_of_each_change_of_state_once() -> None:
    heard: list[RunEvent] = []
    announcer = Announcer(SilentView(), heard.append, lambda: 42.0)
    announcer.run_started(RUN, Plan(file="a.yml", stages=()), [JOB])
    running = replace(JOB, state="inProgress")
    announcer.record_changed(running)
    announcer.record_changed(replace(running, percent=50))
    announcer.record_changed(replace(running, state="completed", result="Succeeded"))
    announcer.run_finished(replace(RUN, state="completed", result="Succeeded"), [])
    assert [(event.kind, event.path, event.state, event.result) for event in heard] == [
        ("Run", "20261124.1", "inProgress", ""),
        ("Job", "Build.Web", "inProgress", ""),
        ("Job", "Build.Web", "completed", "Succeeded"),
        ("Run", "20261124.1", "completed", "Succeeded"),
    ]
    assert {event.at for event in heard} == {42.0}


def test_phases_are_no_event() -> None:
    heard: list[RunEvent] = []
    announcer = Announcer(SilentView(), heard.append, lambda: 0.0)
    announcer.run_started(RUN, Plan(file="a.yml", stages=()), [])
    announcer.record_changed(replace(JOB, id="p", type="Phase", state="inProgress"))
    assert [event.kind for event in heard] == ["Run"]
