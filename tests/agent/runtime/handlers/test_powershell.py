"""`PowerShell@2`, with a stand-in for `pwsh` that shows what it is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs


@pytest.fixture
def pwsh(jobs: Jobs) -> None:
    """Prints its arguments and the script, without the byte order mark, and ends with the number in `CODE`."""
    program = jobs.work.parent / "bin" / "pwsh"
    program.parent.mkdir()
    program.write_text(
        "#!/usr/bin/env bash\nprintf '<%s>' \"${@:1:4}\"; echo\n"
        'script=${5#*"\'"}; script=${5:3}; tail -c +4 "${script%?}"; exit ${CODE:-0}\n'
    )
    program.chmod(0o755)
    jobs.environ["PATH"] = f"{program.parent}:{jobs.environ['PATH']}"


def test_a_missing_pwsh_says_how_to_get_it(jobs: Jobs) -> None:
    jobs.environ["PATH"] = "/nowhere"
    ran = jobs.run(jobs.step("PowerShell@2", inputs={"targetType": "inline", "script": "1"}))
    ((_, message),) = ran.issues()
    assert message.startswith("Unable to locate executable file: 'pwsh'")
    assert "install PowerShell: https://" in message


def test_an_inline_script_is_wrapped(jobs: Jobs, pwsh: None) -> None:
    ran = jobs.run(jobs.step("PowerShell@2", inputs={"targetType": "inline", "script": "Write-Host 'x'"}))
    lines = ran.output("A")
    assert lines[:3] == [
        "<-NoLogo><-NoProfile><-NonInteractive><-Command>",
        "$ErrorActionPreference = 'stop'",
        "Write-Host 'x'",
    ]
    assert "    exit $LASTEXITCODE" in lines


def test_preferences_and_exit_codes_are_chosen(jobs: Jobs, pwsh: None) -> None:
    inputs = {
        "targetType": "inline",
        "script": "1",
        "errorActionPreference": "Continue",
        "verbosePreference": "continue",
        "ignoreLASTEXITCODE": "true",
    }
    assert jobs.run(jobs.step("PowerShell@2", inputs=inputs)).output("A")[1:] == [
        "$ErrorActionPreference = 'Continue'",
        "$VerbosePreference = 'continue'",
        "1",
    ]


def test_a_file_is_dotted_with_its_arguments(jobs: Jobs, pwsh: None) -> None:
    ran = jobs.run(
        jobs.script('touch "it\'s.ps1"'),
        jobs.step("PowerShell@2", "B", inputs={"filePath": "it's.ps1", "arguments": "-X 1"}),
    )
    path = os.fspath(jobs.work / "1" / "s" / "it's.ps1").replace("'", "''")
    assert f"Formatted command: . '{path}' -X 1" in ran.log("B")


def test_an_exit_code_fails_the_step(jobs: Jobs, pwsh: None) -> None:
    step = jobs.step("PowerShell@2", inputs={"targetType": "inline", "script": "1"}, env={"CODE": "3"})
    assert jobs.run(step).issues() == [("error", "PowerShell exited with code '3'.")]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"targetType": "other"}, "Invalid target type 'other'."),
        ({"targetType": "inline", "errorActionPreference": "x"}, "Invalid ErrorActionPreference 'x'."),
        ({"filePath": "no.txt"}, "Invalid file path"),
        ({}, "Input required: filePath"),
    ],
)
def test_bad_inputs_are_named(jobs: Jobs, inputs: dict[str, str], message: str) -> None:
    ((_, text),) = jobs.run(jobs.step("PowerShell@2", inputs=inputs)).issues()
    assert text.startswith(message)
