from __future__ import annotations

from dataclasses import replace
from typing import Any

from sluice.cli.view.board import Board
from sluice.cli.view.region import Row, rows

START = 1_700_000_000.0


def board_of(story: Any, stages: dict[str, list[str]]) -> Board:
    plan = story.plan(stages)
    return Board(story.run, plan, story.pending(plan))


def put(board: Board, record: Any, **values: Any) -> None:
    board.put(replace(record, **values))


def test_what_runs_shows_its_step_and_progress(story: Any) -> None:
    board = board_of(story, {"Build": ["Linux", "Mac"], "Deploy": ["Ship"]})
    put(board, story.record("Stage", "Build", "Build it"), state="inProgress", started_at=START, order=1)
    put(board, story.record("Job", "Build.Linux.__default", "Linux"), state="inProgress", started_at=START + 1)
    for number in range(3):
        put(board, story.record("Task", f"Build.Linux.__default.S{number}"), order=number, state="pending")
    put(
        board,
        story.record("Task", "Build.Linux.__default.S1", "Copy"),
        order=1,
        state="inProgress",
        percent=45,
        operation="a.txt",
    )
    put(board, story.record("Task", "Build.Linux.__default.S0"), state="completed", result="Succeeded")
    assert rows(board, START + 12, 10) == [
        Row(0, "inProgress", "Build it", "0/2 jobs", "12 s"),
        Row(1, "inProgress", "Linux", "2/3 Copy · 45% · a.txt", "11 s"),
        Row(0, "pending", "Deploy it"),
    ]


def test_an_unfinished_log_line_stands_with_its_step(story: Any) -> None:
    board = board_of(story, {"__default": ["Job"]})
    put(board, story.record("Job", "Job.__default", "Job"), state="inProgress", started_at=START)
    step = story.record("Task", "Job.__default.S1", "Ask", state="inProgress")
    board.put(step)
    assert rows(board, START, 10, {step.id: "Name?"}) == [Row(0, "inProgress", "Job", "1/1 Ask · Name?", "0.0 s")]


def test_many_stages_that_are_over_or_to_come_are_summarised(story: Any) -> None:
    board = board_of(story, {f"S{number:02}": ["Job"] for number in range(40)})
    for number in range(20):
        put(
            board,
            story.record("Stage", f"S{number:02}", order=number + 1),
            state="completed",
            result="Failed" if number == 3 else "Succeeded",
        )
    put(board, story.record("Stage", "S20", "S20 it", order=21), state="inProgress", started_at=START)
    assert [(row.mark, row.label) for row in rows(board, START, 10)] == [
        ("Succeeded", "3 stages succeeded"),
        ("Failed", "S03"),
        ("Succeeded", "16 stages succeeded"),
        ("inProgress", "S20 it"),
        ("pending", "19 stages to come"),
    ]


def test_hundreds_of_jobs_fit_and_are_counted(story: Any) -> None:
    board = board_of(story, {"Build": ["Matrix"], "Next": ["Job"]})
    put(board, story.record("Stage", "Build", order=1), state="inProgress", started_at=START)
    for number in range(300):
        state = {"state": "completed", "result": "Succeeded"} if number < 100 else {"state": "inProgress"}
        put(board, story.record("Job", f"Build.Matrix.Leg{number}", order=number), **state)
    shown = rows(board, START, 8)
    assert len(shown) == 8
    assert shown[0].detail == "100/300 jobs"
    assert shown[1].label == "Leg100"
    assert shown[-1] == Row(0, "", "and 195 more", "194 at work")
