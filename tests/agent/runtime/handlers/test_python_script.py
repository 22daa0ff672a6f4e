"""`PythonScript@0`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sluice.hooks.arguments import split_arguments

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs, Ran


def run(jobs: Jobs, **inputs: str) -> Ran:
    return jobs.run(jobs.step("PythonScript@0", inputs={"pythonInterpreter": sys.executable, **inputs}))


def test_a_script_in_place_gets_its_arguments_and_leaves_no_file(jobs: Jobs) -> None:
    text = "import sys, os\nprint(sys.argv[1:], os.getcwd())"
    ran = run(jobs, scriptSource="inline", script=text, arguments='a "b c"')
    assert ran.output("A")[0] == f"['a', 'b c'] {jobs.work / '1/s'}"
    assert not list(jobs.work.rglob("*.py"))


def test_a_file_runs_and_its_exit_status_counts(jobs: Jobs) -> None:
    (jobs.repository / "fail.py").write_text("raise SystemExit(3)")
    ran = run(jobs, scriptPath=str(jobs.repository / "fail.py"))
    assert ran.issues() == [("error", "Python exited with code '3'.")]


def test_text_on_stderr_fails_only_on_request(jobs: Jobs) -> None:
    text = "import sys; sys.stderr.write('oops')"
    assert run(jobs, scriptSource="inline", script=text).results() == {"A": "Succeeded"}
    assert run(jobs, scriptSource="inline", script=text, failOnStderr="true").results() == {"A": "Failed"}


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"scriptSource": "inline"}, "The `script` parameter is required"),
        ({}, "The `scriptPath` parameter is required"),
        ({"scriptPath": "none.py"}, "was not to a file"),
        (
            {"scriptSource": "inline", "script": "1", "pythonInterpreter": "/no/python"},
            "Unable to locate executable file",
        ),
    ],
)
def test_what_is_missing_is_told(jobs: Jobs, inputs: dict[str, str], text: str) -> None:
    assert text in run(jobs, **inputs).log()


def test_a_machine_with_python3_only_is_enough(jobs: Jobs) -> None:
    folder = jobs.work.parent / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    jobs.environ["PATH"] = str(folder)
    assert run(jobs, pythonInterpreter="", scriptSource="inline", script="print(7)").output("A")[0] == "7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" a  b ", ["a", "b"]),
        ('"a b" c', ["a b", "c"]),
        ('--x="a b"', ["--x=a b"]),
        (r'"say \"hi\""', ['say "hi"']),
        (r"say \"hi\"", ["say", r'\hi"']),  # as the task library does: a backslash counts within quotes alone
        ('""', [""]),
        (r"C:\x", ["C:\\x"]),
        ("it's", ["it's"]),
    ],
)
def test_arguments_are_split_as_tasks_do(text: str, expected: list[str]) -> None:
    assert split_arguments(text) == expected
