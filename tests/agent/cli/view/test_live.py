from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sluice.cli.view.drawing import Screen
from sluice.cli.view.live import LiveView

START = 1_700_000_000.0
Make = Callable[..., tuple[LiveView, io.StringIO]]
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b[^\[]")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


class Stream(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


@pytest.fixture
def make() -> Iterator[Make]:
    views: list[LiveView] = []

    def make_one(
        *, width: int = 80, height: int = 24, colours: bool = False, encoding: str = "utf-8", verbose: bool = False
    ) -> tuple[LiveView, io.StringIO]:
        out = Stream(encoding)
        console = Console(
            file=out,
            width=width,
            height=height,
            force_terminal=True,
            color_system="standard" if colours else None,
            legacy_windows=False,
            _environ={"TERM": "xterm"},
        )
        view = LiveView(out, verbose=verbose, console=console, clock=lambda: START + 12)
        views.append(view)
        return view, out

    yield make_one
    for view in views:
        view.close()


def scrollback(out: io.StringIO) -> str:
    """What stands on the screen at the end: a terminal that knows just what rich needs."""
    rows, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", out.getvalue()):
        if piece == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif piece == "\r":
            column = 0
        elif piece.endswith("A") and piece.startswith("\x1b"):
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            rows[row] = ""
        elif not piece.startswith("\x1b"):
            rows[row] = rows[row][:column].ljust(column) + piece + rows[row][column + len(piece) :]
            column += len(piece)
    return "".join(f"{line.rstrip()}\n" for line in rows)


def drawn(view: LiveView, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(view.region())
    return [line.rstrip() for line in capture.get().splitlines()]


def small_run(story: Any, view: LiveView) -> Any:
    plan = story.plan()
    view.run_started(story.run, plan, story.pending(plan))
    story.begin(view, story.record("Stage", "__default"))
    story.begin(view, story.record("Job", "Job.__default", "Job"))
    return story.begin(view, story.record("Task", "Job.__default.CmdLine1", "Install"))


def test_the_log_stays_and_groups_are_folded(story: Any, make: Make) -> None:
    view, out = make()
    step = small_run(story, view)
    view.log_written(step, b"##[section]Starting: Install\nhello\n##[group]Packages\none\ntwo\n##[endgroup]\n")
    view.log_written(step, b"##[warning]old\nbye\n")
    story.end(view, step)
    view.run_finished(story.over(), [])
    assert scrollback(out).rstrip("\n").splitlines() == [
        "Run 12 of 'release' (20261124.1)",
        "▶ Install",
        "hello",
        "▸ Packages",
        "  2 lines folded: Packages",
        "warning: old",
        "bye",
        "✓ Install 1.0 s",
        "",
        "Run 12 of 'release' (20261124.1): succeeded in 1 m 05 s",
        "  job Job  in progress",
        "see the log  sluice runs logs 12",
    ]


def test_a_failed_step_shows_its_groups_in_full(story: Any, make: Make) -> None:
    view, out = make()
    step = small_run(story, view)
    view.log_written(step, b"##[group]Packages\none\ntwo\n##[endgroup]\n")
    story.end(view, step, "Failed", issues=({"type": "error", "message": "exit status 1"},))
    view.run_finished(story.over("Failed"), [])
    text = scrollback(out)
    assert "> Packages\none\ntwo\n" in text
    assert "error: exit status 1\n✗ Install: failed 1.0 s\n" in text
    assert "try again    sluice retry 12" in text


def test_verbose_shows_groups_as_they_come(story: Any, make: Make) -> None:
    view, out = make(verbose=True)
    step = small_run(story, view)
    view.log_written(step, b"##[group]Packages\none\n##[endgroup]\n")
    view.run_finished(story.over(), [])
    assert "▸ Packages\none\n" in scrollback(out)
    assert "folded" not in out.getvalue()


def test_no_line_is_lost_on_the_way_to_the_terminal(story: Any, make: Make) -> None:
    view, out = make()
    step = small_run(story, view)
    text = "".join(f"line {number}\n" for number in range(20_000))
    for position in range(0, len(text), 4999):
        view.log_written(step, text[position : position + 4999].encode())
    view.run_finished(story.over(), [])
    assert re.findall(r"line \d+", out.getvalue()) == text.splitlines()


def test_the_region_shows_what_runs(story: Any, make: Make) -> None:
    view, _ = make()
    plan = story.plan({"Build": ["Linux", "Mac"], "Deploy": ["Ship"]})
    view.run_started(story.run, plan, story.pending(plan))
    story.begin(view, story.record("Stage", "Build", "Build it", order=1))
    story.begin(view, story.record("Job", "Build.Linux.__default", "Linux"), at=1)
    step = story.begin(view, story.record("Task", "Build.Linux.__default.CmdLine1", "Copy"), at=2)
    view.record_changed(replace(step, percent=45, operation="a.txt"))
    assert drawn(view) == [
        "release 20261124.1 ──────────────────────────────────────────────────────── 12 s",
        "⠋ Build it  0/2 jobs                                                        12 s",
        "  ⠋ Linux  1/1 Copy · 45% · a.txt                                           11 s",
        "○ Deploy it",
    ]


def test_the_pause_stands_in_a_box_with_its_resources(story: Any, make: Make) -> None:
    view, _ = make()
    plan = story.plan({"Deploy": ["Ship"]})
    view.run_started(story.run, plan, story.pending(plan))
    view.record_changed(story.record("Stage", "Deploy", "Deploy it", state="waiting", order=1))
    view.waiting([story.request("build-vm")])
    assert drawn(view)[1:] == [
        "‖ Deploy it  waits for permission",
        "╭─ Waiting for review ─────────────────────────────────────────────────────────╮",
        "│ This pipeline needs permission to access a resource before this run can      │",
        "│ continue to Deploy it                                                        │",
        "│   Service connection 'build-vm'  azure-pipelines.yml:5:20                    │",
        "│     sluice permit 12 --connection build-vm                                   │",
        "╰──────────────────────────────────────────────────────────────────────────────╯",
    ]
    view.waiting([])
    assert len(drawn(view)) == 2


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60), (20, 5)])
def test_hundreds_of_jobs_and_resources_fit_the_terminal(story: Any, make: Make, width: int, height: int) -> None:
    view, _ = make(width=width, height=height)
    plan = story.plan({f"Stage{number}": ["Job"] for number in range(50)})
    view.run_started(story.run, plan, story.pending(plan))
    for number in range(30):
        story.begin(view, story.record("Stage", f"Stage{number}", order=number))
        for leg in range(20):
            story.begin(view, story.record("Job", f"Stage{number}.Job.Leg{leg}"))
    view.waiting([story.request(f"connection-{number}", stage=f"Stage{number % 3}") for number in range(30)])
    lines = drawn(view, width, height)
    assert len(lines) < height
    assert max(len(line) for line in lines) <= width


def test_a_terminal_without_unicode_or_colours_gets_ascii(story: Any, make: Make) -> None:
    view, out = make(encoding="ascii")
    step = small_run(story, view)
    view.log_written(step, "caf\u00e9 \x1b[31mred\n##[group]G\n".encode())
    view.waiting([story.request(stage="__default")])
    assert all(line.isascii() for line in drawn(view))
    story.end(view, step, "Failed")
    view.run_finished(story.over("Failed"), [])
    assert out.getvalue().isascii()
    assert "caf? red\n" in out.getvalue()


def test_colours_of_the_log_pass_and_end_with_their_line(story: Any, make: Make) -> None:
    view, out = make(colours=True)
    step = small_run(story, view)
    view.log_written(step, b"\x1b[31mred\x1b[2J\x1b]0;title\x07\nnext\n")
    view.run_finished(story.over(), [])
    assert "\x1b[31mred\x1b[0m\nnext\n" in out.getvalue()
    assert "title" not in out.getvalue()


@given(st.lists(st.sampled_from(["\x1b", "[", "2J", "]0;x\x07", "\r", "\x9b", "A", "\n", "31m", "##[error]"])))
def test_a_log_cannot_move_the_cursor(pieces: list[str]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, height=24, force_terminal=True, color_system="standard", legacy_windows=False)
    view = LiveView(out, console=console)
    from sluice.storage.records import RecordRow

    step = RecordRow(id="s", type="Task", identifier="Job.x.s", name="s", ref_name="s")
    view.log_written(step, "".join(pieces).encode())
    view.record_changed(step)
    view.close()
    assert not STEERING.search(COLOUR.sub("", out.getvalue()))


def test_a_question_has_the_screen_for_itself(story: Any, make: Make) -> None:
    view, out = make()
    step = small_run(story, view)
    with view.suspended():
        before = out.getvalue()
        view.log_written(step, b"meanwhile\n")
        assert out.getvalue() == before
    view.run_finished(story.over(), [])
    assert "meanwhile\n" in out.getvalue()[len(before) :]


def test_what_came_before_a_question_is_shown_before_it(story: Any, make: Make) -> None:
    view, out = make()
    step = small_run(story, view)
    view.log_written(step, b"built\n")
    with view.suspended():
        assert "built\n" in out.getvalue()
    view.close()


def test_the_cursor_comes_back_whatever_ends_the_run(story: Any, make: Make) -> None:
    view, out = make()
    small_run(story, view)
    view.close()
    view.close()
    assert out.getvalue().count("\x1b[?25l") == out.getvalue().count("\x1b[?25h") == 1


def test_an_unfinished_line_is_shown_in_the_region_until_it_ends(story: Any, make: Make) -> None:
    view, out = make()
    step = small_run(story, view)
    view.log_written(step, b"Password: ")
    assert "1/1 Install · Password:" in drawn(view)[1]
    view.log_written(step, b"ok\n")
    view.run_finished(story.over(), [])
    assert "Password: ok\n" in out.getvalue()


def test_a_run_that_goes_on_after_a_wait_is_drawn_again(story: Any, make: Make) -> None:
    view, out = make()
    plan = story.plan()
    view.run_started(story.run, plan, [])
    view.run_finished(story.run, [])
    step = small_run(story, view)
    view.log_written(step, b"second time\n")
    view.run_finished(story.over(), [])
    assert "second time\n" in out.getvalue()
    assert [thread for thread in threading.enumerate() if thread.name == "live-view" and not thread.daemon] == []


class Broken(io.StringIO):
    broken = False

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError
        return super().write(text)


def test_a_terminal_that_goes_away_is_told_to_the_caller(story: Any) -> None:
    out = Broken()
    console = Screen(file=out, width=80, height=24, force_terminal=True, legacy_windows=False)
    view = LiveView(out, console=console)
    step = small_run(story, view)
    out.broken = True

    def write_much() -> None:
        for _ in range(10_000):
            view.log_written(step, b"x" * 99 + b"\n")

    with pytest.raises(BrokenPipeError):
        write_much()
    out.broken = False
    context: AbstractContextManager[None] = view.suspended()
    with context:
        pass
    view.close()
