"""`sluice run --watch`, as a person at a terminal uses it, and the loop with its run in the test's hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.cli.driving import Driven
from sluice.cli.watching import Watching
from sluice.errors import ExitCode, NotFoundError, PipelineError, Problem
from sluice.runs.watched import Watched

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

IDLE = "Ctrl-C ends it."
CTRL_C = "\x03"


def write(path: Path, text: str) -> Callable[[], str]:
    def act() -> str:
        path.write_text(text)
        return ""

    return act


def test_a_change_runs_the_pipeline_again_until_ctrl_c(sluice: Sluice) -> None:
    pipeline = sluice.folder / "repo" / "azure-pipelines.yml"
    pipeline.parent.mkdir()
    subprocess.run(["git", "init", "-q", pipeline.parent], check=True)
    pipeline.write_text("steps:\n- checkout: none\n- script: echo one-$((1+1))\n")
    sluice.folder = pipeline.parent
    answers: list[tuple[str, str | Callable[[], str]]] = [
        (IDLE, write(pipeline, "steps:\n- checkout: none\n- script: [\n")),
        (IDLE, write(pipeline, "steps:\n- checkout: none\n- script: echo two-$((1+1)); exit 3\n")),
        (IDLE, CTRL_C),
    ]
    status, shown = sluice.on_a_terminal(["run", "--watch"], answers)
    assert status == 1, shown
    assert shown.index("one-2") < shown.index("not valid YAML") < shown.index("two-2") < shown.index("Watching is over")
    assert "azure-pipelines.yml changed" in shown
    assert [run["result"] for run in sluice.json("runs", "list")] == ["Failed", "Succeeded"]


def test_ctrl_c_cancels_the_run_that_goes_on_and_the_watching_stays(sluice: Sluice) -> None:
    pipeline = sluice.folder / "azure-pipelines.yml"
    pipeline.write_text("steps:\n- checkout: none\n- script: echo here-$((1+1)); exec sleep 100\n")
    status, shown = sluice.on_a_terminal(["run", "--watch"], [("here-2", CTRL_C), (IDLE, CTRL_C)])
    assert status == 3, shown
    assert "Watching is over" in shown
    assert sluice.json("runs", "list")[0]["result"] == "Canceled"


@pytest.mark.parametrize("against", [["--detach"], ["--output", "json"]])
def test_watching_needs_somebody_who_watches(sluice: Sluice, against: list[str]) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text("steps: []\n")
    assert "--watch shows one run after the other" in sluice("run", "--watch", *against, status=2)


class Story:
    """A watching whose runs and pauses are functions of the test's; after the last one somebody presses Ctrl-C."""

    def __init__(self, folder: Path, runs: list[Callable[[], Driven]], pauses: list[Callable[[], object]]) -> None:
        self.runs = runs
        self.pauses = pauses
        self.count = 0
        file = folder / "azure-pipelines.yml"
        file.write_text("steps: []\n")
        self.watching = Watching(
            Watched(file=file, roots=(folder,), private=folder / "home"), self.run, pause=self.pause
        )

    def run(self) -> Driven:
        self.count += 1
        return self.runs.pop(0)()

    def pause(self, _: float) -> None:
        if not self.pauses:
            raise KeyboardInterrupt
        self.pauses.pop(0)()


def driven(status: ExitCode = ExitCode.SUCCEEDED, *, ends: bool = False) -> Driven:
    return Driven(status=status, ends=ends)


def test_a_change_while_a_run_goes_on_starts_the_next_one_when_it_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def changing() -> Driven:
        (tmp_path / "new").write_text("x")
        return driven()

    story = Story(tmp_path, [changing, driven], [lambda: None])
    assert story.watching.go() == ExitCode.SUCCEEDED
    assert story.count == 2
    assert "changed meanwhile" in capsys.readouterr().err


def test_a_run_begins_when_nothing_changes_any_more(tmp_path: Path) -> None:
    pauses = [write(tmp_path / name, "x") for name in ("a", "b", "c")]
    story = Story(tmp_path, [driven, driven], [*pauses, lambda: None])
    story.watching.go()
    assert story.count == 2
    assert story.pauses == []


def test_what_every_run_writes_starts_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def writing() -> Driven:
        (tmp_path / "output").write_text("x" * story.count)
        return driven()

    story = Story(tmp_path, [writing] * 10, [lambda: None] * 2)
    story.watching.go()
    assert story.count == 3
    assert "let git ignore it" in capsys.readouterr().err


def test_two_presses_end_it_with_the_status_of_that_run(tmp_path: Path) -> None:
    assert Story(tmp_path, [lambda: driven(ExitCode.CANCELED, ends=True)], []).watching.go() == ExitCode.CANCELED


def test_a_pipeline_that_does_not_compile_is_watched_on(tmp_path: Path) -> None:
    def broken() -> Driven:
        raise PipelineError([Problem("broken")])

    story = Story(tmp_path, [broken], [])
    assert story.watching.go() == ExitCode.USAGE


def test_a_pipeline_that_is_not_there_is_no_case_for_watching(tmp_path: Path) -> None:
    def missing() -> Driven:
        raise NotFoundError("there is no file")

    with pytest.raises(NotFoundError):
        Story(tmp_path, [missing], []).watching.go()


def test_a_press_between_two_runs_is_a_cancellation(tmp_path: Path) -> None:
    def pressed() -> Driven:
        raise KeyboardInterrupt

    story = Story(tmp_path, [driven, pressed], [write(tmp_path / "a", "x"), lambda: os.utime(tmp_path), lambda: None])
    assert story.watching.go() == ExitCode.CANCELED
