"""Handlers that are plain processes, and PowerShell ones, in jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.runtime.request import Result
from sluice.secret import Secret
from sluice.testing.package_runner import PackageOutcome, run_package

if TYPE_CHECKING:
    from tests.agent.runtime.packages.conftest import Packages


def _run(
    packages: Packages, handler: dict[str, Any], files: dict[str, str] | None = None, **more: Any
) -> PackageOutcome:
    inputs = [{"name": "who", "defaultValue": "world"}, {"name": "file", "type": "filePath"}]
    package = packages.write(inputs=inputs, execution={"Process": handler}, files=files)
    for name in files or {}:
        (package / name).chmod(0o755)
    return run_package(package, **more)


SHOW = '#!/bin/sh\nfor one in "$@"; do echo "<$one>"; done\npwd\n'


def test_a_program_of_the_package_gets_its_arguments_each_as_one(packages: Packages, tmp_path: Path) -> None:
    outcome = _run(
        packages,
        {"target": "show.sh", "argumentFormat": "a 'b c' $(who) \"$(greeting) $(currentDirectory)\" $(unknown)"},
        {"show.sh": SHOW},
        inputs={"who": "x; rm -rf 'y' $(id)"},
        variables={"greeting": "hello there"},
        sources=tmp_path,
    )
    package = next(packages.folder.glob("source*"))
    assert outcome.result == Result.SUCCEEDED
    assert [line for line in outcome.lines if line.startswith("<")] == [
        "<a>",
        "<b c>",
        "<x; rm -rf 'y' $(id)>",
        f"<hello there {package}>",
        "<$(unknown)>",
    ]
    assert str(tmp_path) in outcome.lines


def test_a_process_gets_public_variables_and_nothing_of_the_task(packages: Packages) -> None:
    outcome = _run(
        packages,
        {"target": "env"},
        variables={"my.public": "1", "my.secret": Secret("secret-value-1")},
    )
    names = {line.partition("=")[0] for line in outcome.lines}
    assert "MY_PUBLIC" in names
    assert not [name for name in names if name.startswith(("INPUT_", "SECRET_", "ENDPOINT_", "VSTS_PUBLIC"))]


@pytest.mark.parametrize(
    ("script", "strict", "result", "message"),
    [
        ("exit 3", None, Result.FAILED, "Process completed with exit code 3."),
        ("echo oops >&2", None, Result.FAILED, "oops"),
        ("echo oops >&2", "false", Result.SUCCEEDED, ""),
        ("echo fine", None, Result.SUCCEEDED, ""),
        ("kill -9 $$", None, Result.FAILED, "Process completed with exit code 137."),
    ],
)
def test_error_output_fails_a_process_unless_it_may(
    packages: Packages, script: str, strict: str | None, result: Result, message: str
) -> None:
    handler = {"target": "run.sh"} | ({"failOnStandardError": strict} if strict else {})
    outcome = _run(packages, handler, {"run.sh": f"#!/bin/sh\n{script}\n"})
    assert (outcome.result, outcome.message) == (result, message)


def test_strict_error_output_is_data(packages: Packages) -> None:
    script = (
        "#!/bin/sh\necho '##vso[task.setvariable variable=evil]1' >&2\necho '##vso[task.setvariable variable=good]1'\n"
    )
    outcome = _run(packages, {"target": "run.sh"}, {"run.sh": script})
    assert "good" in outcome.variables
    assert "evil" not in outcome.variables


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ({"target": "no-such-program-anywhere"}, "Unable to locate executable file"),
        ({"target": "true", "argumentFormat": "'open"}, "arguments of the task's handler"),
        ({"target": "true", "workingDirectory": "nowhere"}, "Not found working directory"),
    ],
)
def test_what_keeps_a_process_from_starting_is_told(packages: Packages, handler: dict[str, Any], message: str) -> None:
    outcome = _run(packages, handler)
    assert outcome.result == Result.FAILED
    assert message in outcome.message


def test_powershell_runs_the_script_through_the_library_of_the_package(packages: Packages, tmp_path: Path) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "pwsh").write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{SHOW.partition(chr(10))[2]}env\n")
    (fake / "pwsh").chmod(0o755)
    module = "ps_modules/VstsTaskSdk/VstsTaskSdk.psd1"
    package = packages.write(
        execution={"PowerShell3": {"target": "it's.ps1"}},
        inputs=[{"name": "who", "defaultValue": "world"}],
        files={"it's.ps1": "", module: ""},
    )
    outcome = run_package(package, environ={"PATH": str(fake)})
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert [line for line in outcome.lines if line.startswith("<-")] == [
        "<-NoLogo>",
        "<-NoProfile>",
        "<-NonInteractive>",
        "<-Command>",
    ]
    assert f"Import-Module -Name '{package}/{module}'" in outcome.log
    assert f"Invoke-VstsTaskScript -ScriptBlock ([scriptblock]::Create('. ''{package}/it''''s.ps1'''))" in outcome.log
    assert "INPUT_WHO=world" in outcome.lines
    assert str(package) in outcome.lines


def test_powershell_that_is_missing_is_told(packages: Packages, tmp_path: Path) -> None:
    package = packages.write(execution={"PowerShell3": {"target": "a.ps1"}}, files={"a.ps1": ""})
    outcome = run_package(package, environ={"PATH": str(tmp_path)})
    assert "install PowerShell" in outcome.message


def test_a_package_without_its_code_says_to_build_it(packages: Packages) -> None:
    package = packages.write()
    (package / "main.js").unlink()
    assert "build the task first" in run_package(package).message


def _requiring(packages: Packages, **more: Any) -> PackageOutcome:
    wanted = [
        {"name": "kind", "type": "pickList", "defaultValue": "file"},
        {"name": "path", "required": True, "visibleRule": "kind = file"},
        {"name": "odd", "required": "true", "visibleRule": "kind ~ x"},
    ]
    package = packages.write(inputs=wanted, execution={"Process": {"target": "true"}})
    return run_package(package, **more)


@pytest.mark.parametrize(("command", "result"), [("pack", Result.FAILED), ("push", Result.SUCCEEDED)])
def test_an_input_of_a_group_that_does_not_show_is_not_required(
    packages: Packages, command: str, result: Result
) -> None:
    package = packages.write(
        groups=[{"name": "Pack", "visibleRule": "command = pack"}],
        inputs=[{"name": "command"}, {"name": "path", "required": True, "groupName": "pack"}],
        execution={"Process": {"target": "true"}},
    )
    assert run_package(package, inputs={"command": command}).result == result


def test_a_required_input_that_is_left_out_fails_the_step_before_it_starts(packages: Packages) -> None:
    outcome = _requiring(packages)
    assert outcome.result == Result.FAILED
    assert outcome.message == "Input required: path"
    assert _requiring(packages, inputs={"path": "  "}).message == "Input required: path"


@pytest.mark.parametrize("inputs", [{"path": "x"}, {"kind": "none"}, {"path": "$(nothing)"}])
def test_an_input_that_does_not_show_or_comes_from_a_macro_is_the_tasks_own_matter(
    packages: Packages, inputs: dict[str, str]
) -> None:
    assert _requiring(packages, inputs=inputs).result == Result.SUCCEEDED
