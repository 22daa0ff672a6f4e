from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.view.plain import PlainView
from sluice.language.plan import Job, Plan, Stage
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow

FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def test_a_run_of_one_job_reads_like_a_log(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan()
    view.run_started(story.run, plan, story.pending(plan))
    stage = story.begin(view, story.record("Stage", "__default"))
    job = story.begin(view, story.record("Job", "Job.__default", "Job"))
    step = story.begin(view, story.record("Task", "Job.__default.CmdLine1", "Say hello"))
    view.log_written(step, b"##[section]Starting: Say hello\n##[command]echo hello\nhello\n##[endgroup]\n")
    view.log_written(step, b"##[section]Finishing: Say hello\n")
    story.end(view, step)
    story.end(view, story.record("Task", "Job.__default.CmdLine2", "Clean up"), "Skipped")
    story.end(view, job, at=1.5)
    story.end(view, stage, at=65)
    view.run_finished(story.over(), [])
    assert out.getvalue() == (
        "Run 12 of 'release' (20261124.1), azure-pipelines.yml\n"
        "job Job started\n"
        "Starting: Say hello\n"
        "$ echo hello\n"
        "hello\n"
        "Finished: Say hello: succeeded in 1.0 s\n"
        "Clean up: skipped\n"
        "job Job: succeeded in 1.5 s\n"
        "\n"
        "Run 12 of 'release' (20261124.1): succeeded in 1 m 05 s\n"
        "  job Job  succeeded     1.5 s\n"
        "see the log  sluice runs logs 12\n"
    )


def test_lines_carry_their_job_when_there_are_several(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan({"Build": ["Linux", "Mac"]})
    view.run_started(story.run, plan, story.pending(plan))
    step = story.begin(view, story.record("Task", "Build.Linux.__default.CmdLine1", "Compile"))
    view.log_written(step, b"one\n\ntwo\n##[group]More\nthree\n##[endgroup]\n")
    assert out.getvalue().splitlines()[1:] == [
        "[Build.Linux] Starting: Compile",
        "[Build.Linux] one",
        "[Build.Linux] ",
        "[Build.Linux] two",
        "[Build.Linux] > More",
        "[Build.Linux] three",
    ]


def test_an_unfinished_line_goes_on_unless_another_step_writes(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan({"Build": ["Linux", "Mac"]})
    view.run_started(story.run, plan, [])
    linux, mac = (story.record("Task", f"Build.{name}.__default.CmdLine1") for name in ("Linux", "Mac"))
    view.log_written(linux, b"Name? ")
    view.log_written(linux, b"Ada\nAge? ")
    view.log_written(mac, b"hello\n")
    view.log_written(linux, b"36\n")
    assert out.getvalue().splitlines()[1:] == [
        "[Build.Linux] Name? Ada",
        "[Build.Linux] Age? ",
        "[Build.Mac] hello",
        "[Build.Linux] 36",
    ]


def test_an_issue_is_said_once_and_its_rest_at_the_end_of_the_step(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan()
    view.run_started(story.run, plan, [])
    step = story.begin(view, story.record("Task", "Job.__default.CmdLine1", "Test"))
    view.log_written(step, b"##[error]one\n")
    issues = ({"type": "error", "message": "one"}, {"type": "warning", "message": "two", "data": {"sourcepath": "a.c"}})
    story.end(view, step, "Failed", issues=issues, error_count=1, warning_count=1, message="exit status 1")
    assert out.getvalue().splitlines()[2:] == [
        "error: one",
        "warning: two (a.c)",
        "Finished: Test: failed in 1.0 s: exit status 1",
    ]


def test_a_long_name_does_not_move_the_columns(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan({"Build": ["Linux", "Other"]})
    view.run_started(story.run, plan, story.pending(plan))
    for name, title in (("Linux", "long " * 30), ("Other", "Other")):
        job = story.begin(view, story.record("Job", f"Build.{name}.__default", title.strip()))
        story.end(view, job, "Succeeded")
    story.end(view, story.record("Stage", "Build"), "Succeeded")
    view.run_finished(story.over("Succeeded"), [])
    jobs = [line for line in out.getvalue().partition("\n\n")[2].splitlines() if line.startswith("    job")]
    assert len(jobs) == 2
    assert len({len(line) for line in jobs}) == 1
    assert "..." in jobs[0]


def test_a_failed_run_lists_every_issue_and_how_to_retry(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan({"Build": ["Linux"], "Deploy": ["Ship"]})
    view.run_started(story.run, plan, story.pending(plan))
    step = story.begin(view, story.record("Task", "Build.Linux.__default.CmdLine1", "Test"))
    job = story.begin(view, story.record("Job", "Build.Linux.__default", "Linux"))
    issues = tuple({"type": "error", "message": f"no. {number}"} for number in range(2))
    story.end(view, step, "Failed", issues=issues, error_count=15)
    story.end(view, job, "Failed")
    story.end(view, story.record("Stage", "Build"), "Failed", message="A job failed.")
    story.end(view, story.record("Stage", "Deploy", order=2), "Skipped")
    view.run_finished(story.over("Failed"), [])
    summary = out.getvalue().partition("\n\n")[2]
    assert summary == (
        "Run 12 of 'release' (20261124.1): failed in 1 m 05 s\n"
        "  stage Build        failed\n"
        "      A job failed.\n"
        "    job Build.Linux  failed          1.0 s\n"
        "  stage Deploy       skipped\n"
        "    job Deploy.Ship  not started\n"
        "Errors and warnings\n"
        "  error    Build.Linux, Test: no. 0\n"
        "  error    Build.Linux, Test: no. 1\n"
        "  Build.Linux, Test: and 13 more errors, see the log\n"
        "see the log  sluice runs logs 12\n"
        "try again    sluice retry 12\n"
    )


def test_the_pause_names_place_and_command_of_each_resource(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    plan = story.plan({"Deploy": ["Ship"]})
    view.run_started(story.run, plan, story.pending(plan))
    view.waiting([story.request("build-vm"), story.request("jump host", where="")])
    view.waiting([story.request("jump host", where="")])
    view.waiting([])
    assert out.getvalue().splitlines()[1:] == [
        "This pipeline needs permission to access 2 resources before this run can continue to Deploy it",
        "Waiting for review",
        "  Service connection 'build-vm', azure-pipelines.yml:5:20: Permission needed",
        "    sluice permit 12 --connection build-vm",
        "  Service connection 'jump host': Permission needed",
        "    sluice permit 12 --connection 'jump host'",
        "The wait is over",
    ]


def test_the_implicit_stage_is_not_named_in_the_banner(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    view.run_started(story.run, story.plan(), [])
    view.waiting([story.request(stage="__default")])
    assert "\nThis pipeline needs permission to access a resource before this run can continue\n" in out.getvalue()


def test_a_command_that_asks_itself_is_not_doubled(story: Any, out: io.StringIO) -> None:
    view = PlainView(out, asks=True)
    view.run_started(story.run, story.plan(), [])
    before = out.getvalue()
    view.waiting([story.request(stage="__default")])
    assert out.getvalue() == before


def test_a_run_that_is_left_waiting_says_how_it_goes_on(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    view.run_started(story.run, story.plan(), [])
    view.waiting([story.request(stage="__default")])
    view.run_finished(story.run, [])
    assert out.getvalue().endswith(
        "Run 12 of 'release' (20261124.1): waiting\n"
        "permit it    sluice permit 12 --connection build-vm\n"
        "go on        sluice resume 12\n"
    )


def test_a_resumed_run_does_not_repeat_its_past(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    done = story.record("Task", "Job.__default.CmdLine1", state="completed", result="Succeeded", started_at=1.0)
    view.run_started(story.run, story.plan(), [done])
    view.record_changed(replace(done, percent=100))
    assert out.getvalue() == "Run 12 of 'release' (20261124.1), azure-pipelines.yml, going on\n"


def test_an_earlier_attempt_is_not_news(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    view.run_started(story.run, story.plan(), [])
    before = out.getvalue()
    view.record_changed(story.record("Job", "Job.__default", state="completed", superseded=True))
    assert out.getvalue() == before
    story.begin(view, story.record("Job", "Job.__default", "Job", attempt=2))
    assert out.getvalue() == f"{before}job Job, attempt 2 started\n"


def test_a_job_that_waited_for_a_permit_goes_on(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    view.run_started(story.run, story.plan(), [])
    job = story.begin(view, story.record("Job", "Job.__default", "Job"))
    view.record_changed(replace(job, state="waiting"))
    view.record_changed(replace(job, state="pending"))
    view.record_changed(job)
    assert out.getvalue().splitlines()[1:] == ["job Job started", "job Job goes on"]


def test_of_many_jobs_those_that_went_well_are_counted(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    view.run_started(story.run, story.plan({"Build": ["Matrix", "Other"]}), [story.record("Stage", "Build")])
    view.record_changed(story.record("Phase", "Build.Matrix"))
    for number in range(60):
        story.end(view, story.record("Job", f"Build.Matrix.Leg{number}"), "Failed" if number == 7 else "Succeeded")
    view.run_finished(story.over("Failed"), [])
    summary = out.getvalue().partition("\n\n")[2]
    assert "job Build.Matrix.Leg7  failed" in summary
    assert re.search(r"and 59 more jobs +59 succeeded", summary)
    assert len(summary.splitlines()) < 10


@given(name=st.text(max_size=20), log=st.text(max_size=40), message=st.text(max_size=20))
def test_nothing_that_is_told_can_steer_a_terminal(name: str, log: str, message: str) -> None:
    out = io.StringIO(newline="")
    tell_everything(PlainView(out), name, log, message)
    assert not FORBIDDEN.search(out.getvalue())


def tell_everything(view: PlainView, name: str, log: str, message: str) -> None:
    """A whole small run whose every text is hostile."""
    run = RunRow(
        id=1,
        project_id=1,
        pipeline_id=1,
        pipeline=name,
        name=name,
        state="completed",
        result="Failed",
        cancel_requested_by="",
        requested_by=name,
        created_at=1.0,
        finished_at=2.0,
    )
    jobs = tuple(Job(name=job, display_name=name) for job in ("a", "b"))
    plan = Plan(file=name, stages=(Stage(name="S", display_name=name, jobs=jobs),))
    view.run_started(run, plan, [])
    issue = {"type": "error", "message": message, "data": {"sourcepath": message}}
    for kind, identifier in (("Stage", "S"), ("Job", f"S.{name}.x"), ("Task", f"S.{name}.x.y")):
        record = RecordRow(
            id=kind, type=kind, identifier=identifier, name=name, ref_name=name, state="inProgress", started_at=1.0
        )
        view.record_changed(record)
        view.log_written(record, f"{log}\n##[group]{log}\n##[error]{message}\n".encode(errors="replace"))
        view.record_changed(replace(record, state="completed", result=name, issues=(issue,), message=message))
    request = RequestRow(
        run_id=1,
        project_id=1,
        pipeline_id=1,
        stage="S",
        resource_id="r",
        resource_name=name,
        where=name,
        created_at=1.0,
        expires_at=2.0,
    )
    view.waiting([request])
    view.run_finished(run, [])


def test_no_line_is_lost_however_the_log_is_cut(story: Any, out: io.StringIO) -> None:
    view = PlainView(out)
    view.run_started(story.run, story.plan(), [])
    start = len(out.getvalue())
    step = story.record("Task", "Job.__default.CmdLine1")
    text = b"".join(b"line %d of many\n" % number for number in range(50_000))
    for position in range(0, len(text), 7919):
        view.log_written(step, text[position : position + 7919])
    assert out.getvalue()[start:].encode() == text


def test_a_stream_without_the_characters_gets_replacements(story: Any) -> None:
    raw = io.BytesIO()
    view = PlainView(io.TextIOWrapper(raw, encoding="ascii"))
    view.run_started(story.run, story.plan(), [])
    view.log_written(story.record("Task", "Job.__default.CmdLine1"), "caf\u00e9 \u2713\n".encode())
    assert raw.getvalue().endswith(b"caf? ?\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes that close")
def test_a_closed_pipe_reaches_the_caller(story: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    with pytest.raises(BrokenPipeError):
        PlainView(stream).run_started(story.run, story.plan(), [])
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_the_views_do_not_import_a_database_or_rich() -> None:
    modules = "sluice.cli.view.plain, sluice.cli.view.prompt, sluice.cli.view.choose, sluice.cli.view.silent"
    code = f"import sys, {modules}; sys.exit(bool({{'rich', 'sqlalchemy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
