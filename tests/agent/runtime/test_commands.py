"""What logging commands do, each through a real script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.language.predefined_names import READ_ONLY
from sluice.plugin import Secret, Task, TaskRun
from sluice.runtime.events import IssueRaised, StepProgressed
from sluice.runtime.logging_commands import escape
from sluice.runtime.step_scope import MAX_TEXT

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs, Ran


def command(jobs: Jobs, line: str, after: str = "echo end", **step: object) -> Ran:
    """A step that prints one line (from its environment, so that the shell doesn't touch it), and one after it."""
    return jobs.run(
        jobs.script("printf '%s\\n' \"$LINE\"", "A", env={"LINE": line}, **step),
        jobs.script(after, "B", condition="always()"),
    )


def test_a_secret_variable_is_masked_at_once_and_stays_secret(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script(
            "echo '##vso[task.setvariable variable=t;issecret=true]opensesame'; echo opensesame; echo b3BlbnNlc2FtZQ=="
        ),
        jobs.script("echo '##vso[task.setvariable variable=t]changed-value'; echo [$T] $(t)", "B"),
        jobs.script("echo [$T] $(t)", "C"),
    )
    assert ran.output("A") == ["***", "***"]
    assert ran.output("B") == ["[] ***"]
    assert ran.output("C") == ["[] ***"]
    assert {one.name: one.value for one in ran.finished()[-1].progress.variables}["t"] == Secret("changed-value")


def test_a_secret_output_is_a_secret_everywhere(jobs: Jobs) -> None:
    ran = command(
        jobs, "##vso[task.setvariable variable=o;isoutput=true;issecret=true]opensesame", "echo $(A.o) [$A_O]"
    )
    assert ran.finished()[0].outputs == {"o": Secret("opensesame")}
    assert ran.output("B") == ["*** []"]


def test_a_secret_of_several_lines_is_refused(jobs: Jobs) -> None:
    line = "##vso[task.setvariable variable=t;issecret=true]" + escape("first-half\nsecond-half")
    ran = command(jobs, line)
    assert ran.results()["A"] == "Failed"
    assert "Secrets cannot contain multiple lines" in ran.issues("A")[1][1]
    assert "first-half" not in repr(ran.events)
    assert "second-half" not in repr(ran.events)


def test_setsecret_masks_from_then_on(jobs: Jobs) -> None:
    ran = command(jobs, "##vso[task.setsecret]opensesame", "echo opensesame; echo '##vso[task.setsecret]'")
    assert ran.output("B") == ["***"]


@pytest.mark.parametrize("name", ["Agent.JobStatus", "build.buildnumber", "SYSTEM.DEBUG"])
def test_setting_a_predefined_variable_fails_the_step(jobs: Jobs, name: str) -> None:
    ran = jobs.run(jobs.script(f"echo '##vso[task.setvariable variable={name}]evil'", "A"))
    assert ran.results()["A"] == "Failed"
    assert f"Overwriting readonly variable '{name}' is not permitted." in ran.issues("A")[1][1]


def test_a_variable_made_read_only_keeps_its_value(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=v;isreadonly=true]first'", "A"),
        jobs.script("echo '##vso[task.setvariable variable=V]second'", "B"),
        jobs.script("echo $V", "C"),
    )
    assert ran.results() == {"A": "Succeeded", "B": "Succeeded", "C": "Succeeded"}
    assert ran.issues("B") == [("warning", "The variable 'V' is read-only: it keeps its value.")]
    assert ran.output("C") == ["first"]


def test_an_output_of_another_step_keeps_its_value(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=out;isoutput=true]x'", "B"),
        jobs.script("echo '##vso[task.setvariable variable=B.out]evil'", "A"),
        jobs.script("echo $(B.out)", "C"),
    )
    assert ran.issues("A") == [("warning", "The variable 'B.out' is read-only: it keeps its value.")]
    assert ran.output("C") == ["x"]


def test_a_refused_secret_is_masked_nevertheless(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=v;isreadonly=true]first'", "A"),
        jobs.script("echo '##vso[task.setvariable variable=v;issecret=true]guarded-value'", "B"),
        jobs.script("echo guarded-value $V", "C"),
    )
    assert ran.output("C") == ["*** first"]


def test_the_case_of_a_name_can_be_kept(jobs: Jobs) -> None:
    ran = command(jobs, "##vso[task.setvariable variable=my.Name;preservecase=true]x", "echo [$my_Name]")
    assert ran.output("B") == ["[x]"]


def test_an_issue_has_its_place_and_does_not_change_the_result(jobs: Jobs) -> None:
    sources = jobs.work / "1" / "s"
    line = f"##vso[task.logissue type=error;sourcepath={sources}/a.c;linenumber=3;columnnumber=4;code=E7;extra=1]broken"
    ran = command(jobs, line)
    issue = next(event for event in ran.events if isinstance(event, IssueRaised))
    assert (issue.type, issue.message) == ("error", "a.c(3,4): error E7: broken")
    assert issue.data == {"sourcepath": "a.c", "linenumber": "3", "columnnumber": "4", "code": "E7", "extra": "1"}
    assert "##[error]a.c(3,4): error E7: broken" in ran.log("A")
    assert ran.results()["A"] == "Succeeded"


@pytest.mark.parametrize(
    ("line", "issues", "result"),
    [
        ("##vso[task.logissue]x", [("warning", "Can't create TaskIssue from logging event.")], "Succeeded"),
        (
            "##vso[task.logissue type=fatal]x",
            [("error", "Unable to process command"), ("error", "fatal")],
            "Failed",
        ),
        ("##vso[task.debug]hidden", [], "Succeeded"),
        ("##vso[task.settaskvariable variable=x]y", [], "Succeeded"),
        ("##vso[task.setvariable]y", [("error", "Unable to process"), ("error", "'variable' is missing")], "Failed"),
        ("##vso[task.prependpath]", [("error", "Unable to process"), ("error", "null")], "Failed"),
        ("##vso[task.complete]", [("error", "Unable to process"), ("error", "valid result")], "Failed"),
        ("##vso[task.nosuch]", [("error", "Unable to process"), ("error", "not a recognized command")], "Failed"),
        ("##vso[nosuch.thing]", [("warning", "Cannot find command extension for ##vso[nosuch.command].")], "Succeeded"),
        ("##vso[release.updatereleasename]x", [("error", "not supported for build flow")], "Failed"),
        ("##vso[telemetry.publish area=a;feature=f]{}", [], "Succeeded"),
        ("##vso[telemetry.publish]{}", [("error", "Unable to process"), ("error", "'area' is missing")], "Failed"),
        (
            "##vso[telemetry.publish area=a;feature=f]no",
            [("error", "Unable to process"), ("error", "not a JSON object")],
            "Failed",
        ),
        ("##vso[task.logdetail id=no]x", [("error", "Unable to process"), ("error", "not a GUID")], "Failed"),
        ("##vso[task.uploadsummary]/no/such", [("error", "Unable to process"), ("error", "does not exist")], "Failed"),
        (
            "##vso[task.uploadsummary]/etc/passwd",
            [("warning", "does not act on ##vso[task.uploadsummary]")],
            "Succeeded",
        ),
        (
            "##vso[artifact.upload artifactname=a]/x",
            [("warning", "does not act on ##vso[artifact.upload]")],
            "Succeeded",
        ),
        ("##vso[results.publish type=JUnit]x", [("warning", "does not act on ##vso[results.publish]")], "Succeeded"),
        ("##vso[build.addbuildtag]x", [("warning", "does not act on ##vso[build.addbuildtag]")], "Succeeded"),
        ("##vso[task.setendpoint id=1;field=url]http://evil", [("warning", "is refused")], "Succeeded"),
        ("##vso[task.debug", [("warning", "it's not a legal command")], "Succeeded"),
        ("##VSO[task.complete result=Failed]", [], "Succeeded"),
    ],
)
def test_every_command_is_answered(jobs: Jobs, line: str, issues: list[tuple[str, str]], result: str) -> None:
    ran = command(jobs, line)
    assert ran.results()["A"] == result
    raised = ran.issues("A")
    assert [kind for kind, _ in raised] == [kind for kind, _ in issues]
    for (_, message), (_, part) in zip(raised, issues, strict=True):
        assert part in message


def test_a_malformed_command_is_logged_as_text(jobs: Jobs) -> None:
    assert "##vso[task.debug" in command(jobs, "##vso[task.debug").output("A")


def test_a_command_in_the_middle_of_a_line_and_on_stderr_counts(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script(
            "printf 'text before ##vso[task.setvariable variable=a]1\\r##vso[task.setvariable variable=b]2' >&2"
        ),
        jobs.script("echo $(a)$(b)", "B"),
    )
    assert ran.output("A") == []
    assert ran.output("B") == ["12"]


def test_debug_lines_are_there_only_when_debugging(jobs: Jobs) -> None:
    script = jobs.script("echo '##vso[task.debug]details'; echo '##vso[task.setvariable variable=x]y%0Az'")
    assert jobs.run(script).output("A") == []
    ran = jobs.run(script, variables=jobs.variables(**{"System.Debug": "True"}))
    assert ran.output("A") == ["##[debug]details", "##[debug]Processed: ##vso[task.setvariable variable=x]y", "z"]


def test_progress_never_goes_down(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script('for v in 20 10 bad 400; do echo "##vso[task.setprogress value=$v]at $v"; done'))
    told = [(event.percent, event.operation) for event in ran.events if isinstance(event, StepProgressed)]
    assert told == [(20, "at 20"), (20, "at 10"), (20, "at bad"), (100, "at 400")]


def test_a_new_build_number_is_seen_by_later_steps(jobs: Jobs) -> None:
    ran = command(jobs, "##vso[build.updatebuildnumber]7.8", "echo $BUILD_BUILDNUMBER")
    assert ran.output("B") == ["7.8"]
    assert "build.updatebuildnumber" in ran.issues("A")[0][1]


def test_a_warning_about_a_feature_comes_once_a_step(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("for i in 1 2 3; do echo '##vso[build.addbuildtag]x'; done"))
    assert len(ran.issues("A")) == 1


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("##vso[task.setvariable variable=fine]1", True),
        ("##vso[task.logissue type=warning]w", True),
        ("##vso[task.prependpath]/evil", False),
        ("##vso[task.setvariable variable=PATH]/evil", False),
        ("##vso[task.setvariable variable=Ld_Preload]/evil", False),
        ("##vso[task.setvariable variable=node.options]--require=/evil", False),
        ("##vso[task.setvariable variable=GIT_SSH_COMMAND]evil", False),
        ("##vso[build.updatebuildnumber]9", False),
        ("##vso[task.setendpoint id=1;field=url]http://evil", False),
        ("##vso[artifact.upload artifactname=a]/etc", False),
    ],
)
def test_a_restricted_step_commands_little(jobs: Jobs, line: str, allowed: bool) -> None:
    ran = command(
        jobs, line, "echo $PATH:$LD_PRELOAD:$NODE_OPTIONS:$GIT_SSH_COMMAND:$BUILD_BUILDNUMBER", restricted=True
    )
    assert ran.results()["A"] == "Succeeded"
    refused = any("not allowed" in text or "disabled" in text for _, text in ran.issues("A"))
    assert refused is not allowed
    assert "evil" not in ran.output("B")[0]


@pytest.mark.parametrize(
    ("settable", "name", "allowed"),
    [
        (None, "x", True),
        ((), "x", False),
        (("ok*",), "OK.Name", True),
        (("OK*",), "other", False),
        (("a", "b?"), "B1", True),
    ],
)
def test_settable_variables_are_patterns(
    jobs: Jobs, settable: tuple[str, ...] | None, name: str, allowed: bool
) -> None:
    ran = command(jobs, f"##vso[task.setvariable variable={name}]v", f"echo '[$({name})]'", settable=settable)
    assert (ran.output("B") == ["[v]"]) is allowed
    assert [text for _, text in ran.issues("A")] == (
        [] if allowed else [f"Setting variable '{name}' has been disabled by the task or build definition."]
    )


def test_a_refused_secret_is_masked_all_the_same(jobs: Jobs) -> None:
    ran = command(jobs, "##vso[task.setvariable variable=t;issecret=true]opensesame", "echo opensesame", settable=())
    assert ran.output("B") == ["***"]


def test_prepending_to_the_path_is_setting_it(jobs: Jobs) -> None:
    assert "/evil" not in command(jobs, "##vso[task.prependpath]/evil", "echo $PATH", settable=("x",)).output("B")[0]
    assert "/fine" in command(jobs, "##vso[task.prependpath]/fine", "echo $PATH", settable=("path",)).output("B")[0]


def test_a_python_handler_obeys_the_same_rules(jobs: Jobs) -> None:
    def run(task: TaskRun) -> None:
        task.set_variable("x", "1")
        task.set_variable("Agent.JobStatus", "Failed")

    jobs.tasks["Acme@1"] = Task("Acme@1", run, inputs=())
    ran = jobs.run(jobs.step("Acme@1", settable=("a*",)))
    assert [kind for kind, _ in ran.issues()] == ["warning", "error"]
    assert ran.results() == {"A": "Failed"}


def test_no_read_only_name_can_be_misspelt() -> None:
    assert all(name == name.lower() and " " not in name for name in READ_ONLY)


def test_a_percent_sign_stays_escaped_on_request(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=v]a%AZP25%0Ab'", "A"),
        jobs.script('echo "$V"', "B"),
        variables=jobs.variables(DECODE_PERCENTS="false"),
    )
    assert ran.output("B") == ["a%AZP25", "b"]


def test_a_line_of_a_million_beginnings_is_read_once(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("yes '##vso[' | head -n 1000000 | tr -d '\\n'; echo", "A"))
    assert "it's not a legal command" in ran.log("A")


@pytest.mark.parametrize("command", ["task.logissue type=error", "task.logissue type=error;sourcepath=a"])
def test_of_an_endless_issue_the_record_keeps_the_beginning_and_the_log_all(jobs: Jobs, command: str) -> None:
    ran = jobs.run(jobs.script(f"printf '##vso[{command}]'; head -c 100000 /dev/zero | tr '\\0' x; echo", "A"))
    message = ran.issues("A")[0][1]
    assert message.endswith("x...")
    assert len(message) == MAX_TEXT + 3
    assert "x" * 100_000 in ran.log("A")
