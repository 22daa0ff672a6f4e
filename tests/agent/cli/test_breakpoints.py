"""`--break-on-failure` and `--break-before`, as a person at a terminal uses them."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

MENU = "[s]hell, [r]etry, [e]dit and retry, s[k]ip, [a]bort, [c]ontinue: "
BEFORE = "[s]hell, [c]ontinue, [e]dit and run, s[k]ip, [a]bort: "
PIPELINE = """\
variables: {who: world}
steps:
- checkout: none
- script: echo first
  name: First
- script: test -f mended && echo mended
  name: Test
  displayName: Test of $(who)
- script: echo last
  name: Last
"""


@pytest.fixture
def pipeline(sluice: Sluice) -> Sluice:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    return sluice


def results(sluice: Sluice) -> dict[str, str]:
    shown = sluice.json("runs", "show", "1")
    return {one["path"]: one["result"] for one in shown["records"] if one["type"] == "Task"}


def test_a_shell_in_the_place_of_a_failed_step_then_a_retry(pipeline: Sluice) -> None:
    # Ctrl-C interrupts what runs in the shell, and does not cancel the run.
    answers = [
        (MENU, "s"),
        ("(Test) ", "touch mended; sh -c 'echo in-$WHO; exec sleep 100'\n"),
        ("in-world", "\x03"),
        ("(Test) ", "echo status-$?; exit\n"),
        (MENU, "r"),
    ]
    status, shown = pipeline.on_a_terminal(["run", "--break-on-failure"], answers)
    assert status == 0, shown
    assert "Held: the step 'Test of world' failed (Job.Test)" in shown
    assert "at  azure-pipelines.yml:" in shown
    assert "status-130" in shown
    assert "neither masked nor kept" in shown
    assert results(pipeline) == {"Job.First": "Succeeded", "Job.Test": "Succeeded", "Job.Last": "Succeeded"}


def test_an_edited_script_runs_in_place_of_the_pipelines(pipeline: Sluice, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[1], 'w').write('echo edited-$(who)')\n")
    editor.chmod(0o755)
    pipeline.environment |= {"EDITOR": str(editor)}
    pipeline.environment.pop("VISUAL", None)
    status, shown = pipeline.on_a_terminal(["run", "--break-on-failure"], [(MENU, "e")])
    assert status == 0, shown
    assert "edited-world" in shown
    assert "edited at a breakpoint" in pipeline("runs", "logs", "1")


def test_an_editor_that_is_missing_leads_back_to_the_question(pipeline: Sluice) -> None:
    pipeline.environment |= {"EDITOR": "no-such-editor"}
    pipeline.environment.pop("VISUAL", None)
    status, shown = pipeline.on_a_terminal(["run", "--break-on-failure"], [(MENU, "e"), (MENU, "k")])
    assert status == 0, shown
    assert "set EDITOR" in shown
    assert results(pipeline)["Job.Test"] == "Skipped"


@pytest.mark.parametrize("step", ["first", "Job.First"])
def test_a_job_is_held_before_a_step_and_aborted(pipeline: Sluice, step: str) -> None:
    status, shown = pipeline.on_a_terminal(["run", "--break-before", step], [(BEFORE, "a")])
    assert status == 3, shown
    assert "Held before the step 'First' (Job.First)" in shown
    assert results(pipeline) == {"Job.First": "Canceled", "Job.Test": "Skipped", "Job.Last": "Skipped"}


def test_ctrl_c_at_the_question_cancels_the_run(pipeline: Sluice) -> None:
    status, shown = pipeline.on_a_terminal(["run", "--break-before", "Test of world"], [(BEFORE, "\x03")])
    assert status == 3, shown
    assert "Canceling" in shown


def test_a_shell_that_is_killed_gives_the_terminal_back(pipeline: Sluice) -> None:
    answers = [(MENU, "s"), ("(Test) ", "kill -9 $$\n"), (MENU, "c")]
    status, shown = pipeline.on_a_terminal(["run", "--break-on-failure"], answers)
    assert status == 1, shown
    assert results(pipeline)["Job.Last"] == "Skipped"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--non-interactive"], "--non-interactive says that there is none"),
        (["--detach"], "--detach says that there is none"),
        (["--output", "json"], "--output json says that there is none"),
        ([], "asks at a terminal how to go on, and there is none"),
    ],
)
def test_without_a_person_nothing_runs(pipeline: Sluice, options: list[str], said: str) -> None:
    assert said in pipeline("run", "--break-on-failure", *options, status=2)
    assert pipeline.json("runs", "list") == []


def test_a_step_that_is_not_there_is_told_before_anything_runs(pipeline: Sluice) -> None:
    status, shown = pipeline.on_a_terminal(["run", "--break-before", "Tset"], [])
    assert status == 2
    assert "the pipeline has no step 'Tset' to break before" in shown
    assert "Job.Test" in shown
    assert pipeline.json("runs", "list") == []


def test_a_retry_from_a_step_can_be_held_too(pipeline: Sluice) -> None:
    pipeline("run", "--non-interactive", status=1)
    answers = [(BEFORE, "e")]
    pipeline.environment |= {"EDITOR": "true"}
    pipeline.environment.pop("VISUAL", None)
    answers += [(BEFORE, "k")]
    status, shown = pipeline.on_a_terminal(["retry", "1", "--from", "Job.Test", "--break-before", "Test"], answers)
    assert status == 0, shown
    assert "Nothing was changed." in shown


def test_a_terminal_that_goes_away_ends_the_question_and_the_run(pipeline: Sluice) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(pipeline.folder)
        os.execve(sys.executable, [sys.executable, "-m", "sluice", "run", "--break-on-failure"], pipeline.environment)
    shown = b""
    while MENU.encode() not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert pipeline.json("runs", "show", "1")["state"] == "completed"
    assert results(pipeline)["Job.Last"] == "Skipped"
