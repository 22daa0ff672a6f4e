"""`CmdLine@2` and `Bash@3`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sluice.plugin import Secret
from sluice.runtime.request import Result

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs


def test_a_script_of_several_lines_is_not_shown(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("echo one\necho two\n"))
    assert "Script contents" not in ran.log()
    assert ran.output("A") == ["one", "two"]


def test_a_script_that_commands_is_not_shown(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("echo '##vso[task.complete result=Failed]'"))
    assert "Script contents" not in ran.log()


@pytest.mark.parametrize("task", ["CmdLine@2", "Bash@3"])
def test_a_script_that_is_not_written_is_the_default_and_an_empty_one_is_refused(jobs: Jobs, task: str) -> None:
    ran = jobs.run(jobs.step(task, inputs={"targetType": "inline"}))
    assert ran.outcome == Result.SUCCEEDED
    assert ran.output("A")[-1] == "Hello world"
    ran = jobs.run(jobs.step(task, inputs={"targetType": "inline", "script": " "}))
    assert [message for _, message in ran.issues()] == ["Input required: script (write the commands to run)"]


def test_start_up_files_are_not_read(jobs: Jobs) -> None:
    (jobs.work.parent / ".bashrc").write_text("echo from bashrc\n")
    assert jobs.run(jobs.script("echo x")).output("A") == ["x"]


@pytest.mark.parametrize("task", ["CmdLine@2", "Bash@3"])
def test_text_on_stderr_fails_only_on_request(jobs: Jobs, task: str) -> None:
    inputs = {"script": "echo fine; echo oops >&2", "targetType": "inline", "failOnStderr": "true"}
    ran = jobs.run(jobs.step(task, inputs=inputs))
    assert ran.results() == {"A": "Failed"}
    assert ran.issues() == [
        ("error", "Bash wrote one or more lines to the standard error stream."),
        ("error", "oops\n"),
    ]
    assert jobs.run(jobs.step(task, inputs=inputs | {"failOnStderr": "false"})).outcome == Result.SUCCEEDED


def test_both_reasons_to_fail_are_told(jobs: Jobs) -> None:
    ran = jobs.run(jobs.step("CmdLine@2", inputs={"script": "echo no >&2; exit 5", "failOnStderr": "True"}))
    assert [message for _, message in ran.issues()] == [
        "Bash exited with code '5'.",
        "Bash wrote one or more lines to the standard error stream.",
        "no\n",
    ]


def test_commands_on_a_separate_stderr_count(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.step(
            "CmdLine@2", inputs={"script": "echo '##vso[task.setvariable variable=v]1' >&2", "failOnStderr": "true"}
        ),
        jobs.script("echo $(v)", "B", condition="always()"),
    )
    assert ran.output("B") == ["1"]


def test_much_stderr_makes_few_issues(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.step(
            "CmdLine@2",
            inputs={"script": "for i in $(seq 40); do echo $i >&2; sleep 0.005; done", "failOnStderr": "true"},
        )
    )
    assert len(ran.issues()) <= 12


def test_a_working_directory_starts_at_the_sources(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("mkdir -p sub"),
        jobs.step("CmdLine@2", "B", inputs={"script": "pwd", "workingDirectory": "sub"}),
        jobs.step("CmdLine@2", "C", inputs={"script": "pwd", "workingDirectory": "nowhere"}),
    )
    sources = os.fspath(jobs.work / "1" / "s")
    assert ran.output("B") == [f"{sources}/sub"]
    assert ran.issues("C") == [("error", f"Not found workingDirectory: {sources}/nowhere")]


def test_a_file_runs_with_its_arguments(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script('printf \'echo $0 "[$1]" $2; exit 6\' > "it\'s.sh"'),
        jobs.step("Bash@3", "B", inputs={"filePath": "it's.sh", "arguments": "'a b' $(v)"}),
        variables=jobs.variables(v="c"),
    )
    path = jobs.work / "1" / "s" / "it's.sh"
    quoted = os.fspath(path).replace("'", "'\\''")
    assert f"Formatted command: exec bash '{quoted}' 'a b' c" in ran.log("B")
    assert ran.output("B")[0] == f"{path} [a b] c"
    assert ran.issues("B") == [("error", "Bash exited with code '6'.")]


def test_a_file_that_is_missing_is_named(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.step("Bash@3", inputs={"filePath": "no.sh"}),
        jobs.step("Bash@3", "B", condition="always()"),
    )
    assert ran.issues("A") == [("error", f"Invalid file path '{jobs.work / '1' / 's' / 'no.sh'}'.")]
    assert ran.issues("B") == [("error", "Input required: filePath")]


def test_bash_env_is_set_for_the_step(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo 'echo started' > start"),
        jobs.step("Bash@3", "B", inputs={"targetType": "inline", "script": "echo x", "bashEnvValue": "start"}),
    )
    assert ran.output("B") == ["started", "x"]


def test_a_script_ended_by_a_signal_fails(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("kill -9 $$"))
    assert ran.issues() == [("error", "Bash exited with code '137'.")]
    assert "Bash was ended by SIGKILL." in ran.log()


def test_a_missing_bash_says_how_to_get_it(jobs: Jobs) -> None:
    jobs.environ["PATH"] = "/nowhere"
    ((_, message),) = jobs.run(jobs.script("echo x")).issues()
    assert message.startswith("Unable to locate executable file: 'bash'")
    assert "install" in message


def test_the_script_is_never_on_a_command_line(jobs: Jobs) -> None:
    script = "# $(token)\ncat /proc/$$/cmdline /proc/$PPID/cmdline | tr '\\0' ' ' | base64 -w0 | rev"
    ran = jobs.run(jobs.script(script), variables=jobs.variables(token=Secret("hunter2hunter2")))
    import base64

    shown = base64.b64decode(ran.output("A")[0][::-1])
    assert b"hunter2" not in shown
    assert b"--noprofile --norc" in shown


def test_background_processes_don_t_hold_the_step_for_ever(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("sleep 100 >/dev/null 2>&1 & echo started"))
    assert ran.output("A") == ["started"]


def test_step_environment_reaches_the_script_under_its_name(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo $mixedCase $OTHER", env={"mixedCase": "$(v)", "OTHER": "x"}), variables=jobs.variables(v="1")
    )
    assert ran.output("A") == ["1 x"]


def test_an_environment_that_is_too_large_is_an_error_of_the_step(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("echo x"), variables=jobs.variables(big="x" * 200_000))
    ((_, message),) = ran.issues()
    assert message.startswith("cannot start /")
    assert "Argument list too long" in message


@pytest.mark.parametrize("task", ["CmdLine@2", "Bash@3"])
def test_an_empty_script_fails_as_in_the_task(jobs: Jobs, task: str) -> None:
    ran = jobs.run(jobs.step(task, inputs={"script": " ", "targetType": "inline"}))
    assert ran.issues() == [("error", "Input required: script (write the commands to run)")]


def test_a_signal_without_a_name_is_an_end_like_another(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("kill -40 $$"))
    assert "Bash was ended by signal 40." in ran.log()
    assert ran.issues() == [("error", "Bash exited with code '168'.")]
