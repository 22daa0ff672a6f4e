"""Whole jobs: order, conditions, results, cancellation, time-outs, going on elsewhere."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.errors import PermissionPendingError, SluiceError
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import Input, Task
from sluice.plugin import CanceledError, Secret, TaskFailedError, TaskRun
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import (
    Event,
    JobFinished,
    JobStarted,
    JobSuspended,
    LogWritten,
    StepFinished,
    StepProgressed,
    StepStarted,
)
from sluice.runtime.job import Suspended
from sluice.runtime.orphans import find_orphans, lookup_id
from sluice.runtime.request import ConnectionInput, JobProgress, JobRequest, Result

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs


def test_a_script_step_tells_its_whole_story(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("echo hello"))
    assert ran.outcome == Result.SUCCEEDED
    lines = ran.log().splitlines()
    assert lines[0] == "##[section]Starting: A"
    assert lines[1] == lines[7] == "=" * 78
    assert lines[2] == "Task         : Command line"
    assert lines[8:12] == [
        "Generating script.",
        "Script contents:",
        "echo hello",
        "========================== Starting Command Output ===========================",
    ]
    assert lines[12].startswith("[command]/")
    assert lines[12].endswith(".sh")
    assert lines[13:] == ["hello", "##[section]Finishing: A"]
    kinds = [type(event) for event in ran.events if not isinstance(event, LogWritten)]
    assert kinds == [JobStarted, StepStarted, StepFinished, JobFinished]


def test_a_failed_step_skips_the_next_and_fails_the_job(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("exit 3", "A"),
        jobs.script("echo never", "B"),
        jobs.script("echo cleanup", "C", condition="always()"),
        jobs.script("echo failed", "D", condition="failed()"),
    )
    assert ran.outcome == Result.FAILED
    assert ran.results() == {"A": "Failed", "B": "Skipped", "C": "Succeeded", "D": "Succeeded"}
    assert ran.issues() == [("error", "Bash exited with code '3'.")]
    assert "##[error]Bash exited with code '3'." in ran.log("A")
    assert ran.log("B").splitlines()[0] == "Skipping step due to condition evaluation."
    assert ran.log("B").splitlines()[1:] == ["Evaluating: succeeded()", "Result: False"]


def test_continue_on_error_leaves_issues(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("exit 1", continue_on_error=True), jobs.script("echo on", "B"))
    assert ran.results() == {"A": "SucceededWithIssues", "B": "Succeeded"}
    assert ran.outcome == Result.SUCCEEDED_WITH_ISSUES


@pytest.mark.parametrize(
    ("command", "code", "result"),
    [
        ("##vso[task.complete result=Failed;]bad", 0, "Failed"),
        ("##vso[task.complete result=SucceededWithIssues]", 0, "SucceededWithIssues"),
        ("##vso[task.complete result=Succeeded]", 1, "Failed"),
        ("##vso[task.complete result=Failed]##vso[task.complete result=Succeeded]", 0, "Failed"),
        ("##vso[task.complete result=Canceled]", 0, "Canceled"),
        ("##vso[task.complete result=Skipped]", 0, "Skipped"),
        ("##vso[task.complete result=2]", 0, "Failed"),
        ("##vso[task.complete result=Cancelled]", 0, "Failed"),
        ("##vso[task.complete result=failed]", 0, "Failed"),
        ("##vso[task.logissue type=error]only an issue", 0, "Succeeded"),
        ("to stderr >&2", 0, "Succeeded"),
    ],
)
def test_results_come_together_as_on_the_agent(jobs: Jobs, command: str, code: int, result: str) -> None:
    ran = jobs.run(jobs.script(f"echo '{command}'; exit {code}"))
    assert ran.results() == {"A": result}


def test_conditions_read_variables_that_steps_set(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=go]yes'"),
        jobs.script("echo B", "B", condition="and(succeeded(), eq(variables['GO'], 'yes'))"),
        jobs.script("echo C", "C", condition="eq(variables.go, 'no')"),
        jobs.script("echo D", "D", condition="eq(variables["),
    )
    assert ran.results() == {"A": "Succeeded", "B": "Succeeded", "C": "Skipped", "D": "Failed"}
    assert "Expanded: eq('yes', 'no')" in ran.log("C")


def test_variables_and_outputs_reach_later_steps(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script(
            """
            echo '##vso[task.setvariable variable=plain.name]one two'
            echo '##vso[task.setvariable variable=Out;isOutput=true]three'
            echo "now: $PLAIN_NAME"
            """,
            "A",
        ),
        jobs.script("echo $(plain.name)/$(a.out)/$PLAIN_NAME/$A_OUT/$(unknown)", "B", env={"X": "y"}),
        variables=jobs.variables(greeting="hello $(who)", who="world"),
    )
    assert ran.output("A") == ["now: "]
    assert ran.output("B")[-1] == "one two/three/one two/three/"
    assert ran.finished()[0].outputs == {"Out": "three"}
    last = ran.finished()[-1].progress
    assert last.outputs == {"A.Out": "three"}
    assert {one.name: one.value for one in last.variables}["plain.name"] == "one two"


def test_variables_expand_one_another_and_inputs_only_once(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '$(greeting)' '$(raw)'; echo $GREETING"),
        variables=jobs.variables(greeting="hello $(who)", who="world", raw="$(raw)"),
    )
    assert ran.output("A")[:2] == ["hello world $(raw)", "hello world"]
    assert any("cyclical" in message for _, message in ran.issues())


def test_a_secret_variable_is_masked_and_needs_mapping(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo \"[$TOKEN]\" '$(token)'"),
        jobs.script("echo $MAPPED | rev; echo $MAPPED", "B", env={"MAPPED": "$(token)"}),
        variables=jobs.variables(token=Secret("hunter2-token")),
    )
    assert ran.output("A") == ["[] ***"]
    assert ran.output("B") == ["nekot-2retnuh", "***"]
    assert "hunter2-token" not in repr(ran.events)


def test_paths_are_prepended_newest_first(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.prependpath]/first'; echo '##vso[task.prependpath]/second'"),
        jobs.script("echo $PATH", "B"),
    )
    assert ran.output("B")[0].startswith("/second:/first:")
    assert ran.finished()[0].progress.prepended_paths == ("/second", "/first")


def test_the_status_is_a_variable(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("exit 1"), jobs.script("echo $AGENT_JOBSTATUS $(Agent.JobStatus)", "B", condition="always()")
    )
    assert ran.output("B") == ["Failed Failed"]


def test_a_step_is_retried_and_keeps_its_record(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("test -f mark && echo second || { touch mark; exit 4; }", retry_count=2), repository=jobs.repository
    )
    assert ran.results() == {"A": "Succeeded"}
    assert ran.issues() == [
        ("error", "Bash exited with code '4'."),
        ("warning", "RetryHelper encountered task failure, will retry (attempt #: 1 out of 2) after 1000 ms"),
    ]


def test_a_step_that_takes_too_long_fails(jobs: Jobs) -> None:
    begun = time.monotonic()
    ran = jobs.run(
        jobs.script("sleep 100", timeout_seconds=0.3),
        jobs.script("sleep 100", "B", timeout_seconds=0.3, continue_on_error=True, condition="always()"),
    )
    assert time.monotonic() - begun < 5
    assert ran.results() == {"A": "Failed", "B": "SucceededWithIssues"}
    assert ("error", "The task has timed out.") in ran.issues("A")
    assert ran.outcome == Result.FAILED


def test_a_job_that_takes_too_long_is_canceled(jobs: Jobs) -> None:
    ran = jobs.run(jobs.script("sleep 100"), jobs.script("echo end", "B", condition="always()"), timeout_seconds=0.3)
    assert ran.outcome == Result.CANCELED
    assert ran.results() == {"A": "Canceled", "B": "Succeeded"}
    last = ran.last()
    assert isinstance(last, JobFinished)
    assert "ran longer than the maximum time of" in last.message


def when_printed(word: bytes, action: Callable[[], object]) -> Callable[[Event], None]:
    """A watcher that acts, in another thread, when the log first has the word as a line of output."""
    done = threading.Event()

    def watch(event: Event) -> None:
        if isinstance(event, LogWritten) and event.text == word + b"\n" and not done.is_set():
            done.set()
            threading.Thread(target=action, daemon=True).start()

    return watch


def test_canceling_ends_the_step_and_lets_always_steps_run(jobs: Jobs) -> None:
    cancellation = Cancellation()
    ran = jobs.run(
        jobs.script("set -e\nsleep 100 &\necho ready\nwait"),
        jobs.script("echo never", "B"),
        jobs.script("echo cleanup $AGENT_JOBSTATUS", "C", condition="always()"),
        jobs.script("echo canceled", "D", condition="canceled()"),
        cancellation=cancellation,
        watch=when_printed(b"ready", lambda: cancellation.cancel("stopped by Ann")),
    )
    assert ran.outcome == Result.CANCELED
    assert ran.results() == {"A": "Canceled", "B": "Skipped", "C": "Succeeded", "D": "Succeeded"}
    assert ran.output("C") == ["cleanup Canceled"]
    assert ("error", "The Operation will be canceled. The next steps may not contain expected logs.") in ran.issues("A")
    last = ran.last()
    assert isinstance(last, JobFinished)
    assert last.message == "stopped by Ann"


def test_a_running_step_whose_condition_still_holds_goes_on(jobs: Jobs) -> None:
    cancellation = Cancellation()
    ran = jobs.run(
        jobs.script("set -e\necho ready\nsleep 0.5\necho through", condition="always()"),
        cancellation=cancellation,
        watch=when_printed(b"ready", cancellation.cancel),
    )
    assert ran.results() == {"A": "Succeeded"}
    assert ran.outcome == Result.CANCELED
    assert "through" in ran.output("A")


def test_killing_ends_everything_at_once(jobs: Jobs) -> None:
    cancellation = Cancellation()
    begun = time.monotonic()
    ran = jobs.run(
        jobs.script("trap '' INT TERM\necho ready\nwhile :; do sleep 1; done", condition="always()"),
        jobs.script("echo never", "B", condition="always()"),
        cancellation=cancellation,
        watch=when_printed(b"ready", cancellation.kill),
    )
    assert time.monotonic() - begun < 3
    assert ran.outcome == Result.CANCELED
    assert ran.results() == {"A": "Canceled", "B": "Skipped"}
    assert "never" not in ran.log()


def test_a_canceled_job_has_only_so_much_time_left(jobs: Jobs) -> None:
    cancellation = Cancellation()
    begun = time.monotonic()
    ran = jobs.run(
        jobs.script("set -e\nsleep 100 &\necho ready\nwait", condition="always()"),
        cancel_timeout_seconds=0.3,
        cancellation=cancellation,
        watch=when_printed(b"ready", cancellation.cancel),
    )
    assert time.monotonic() - begun < 3
    assert ran.outcome == Result.CANCELED


def test_a_job_canceled_before_it_starts_runs_only_what_runs_then(jobs: Jobs) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    ran = jobs.run(jobs.script("echo A"), jobs.script("echo B", "B", condition="always()"), cancellation=cancellation)
    assert ran.results() == {"A": "Skipped", "B": "Succeeded"}


def test_a_finished_job_leaves_no_process(jobs: Jobs) -> None:
    request = jobs.request(jobs.script("sleep 100 >/dev/null 2>&1 & setsid sleep 100 >/dev/null 2>&1 & echo started"))
    assert jobs.go(request).outcome == Result.SUCCEEDED
    assert find_orphans(lookup_id(request)) == []


def test_a_task_that_says_it_is_done_is_not_waited_for_long(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.runtime.commands.DONE_SECONDS", 0.2)
    begun = time.monotonic()
    ran = jobs.run(jobs.script("echo '##vso[task.complete result=Succeeded;done=true]'; sleep 100"))
    assert ran.outcome == Result.SUCCEEDED
    assert time.monotonic() - begun < 3


def test_an_unknown_task_fails_its_step_and_says_what_to_install(jobs: Jobs) -> None:
    ran = jobs.run(jobs.step("Mystery@4", where="azure-pipelines.yml:12"))
    assert ran.results() == {"A": "Failed"}
    ((_, message),) = ran.issues()
    assert message.startswith(
        "azure-pipelines.yml:12: A task is missing. The pipeline references a task called 'Mystery'"
    )
    assert "Mystery@4" in message
    assert "sluice task install" in message


DEPLOY = ConnectionInput(name="depot", written="acmeDepot", type="acme")


def depot(name: str, number: int) -> Connection:
    return Connection(
        id=f"{number:08d}-0000-0000-0000-000000000000",
        name=name,
        type="acme",
        parameters={"apitoken": Secret(f"token-of-{name}")},
        data={"key": Secret("line one of key\nline two of key")},
    )


def test_a_plugin_task_gets_its_inputs_and_only_its_connections(jobs: Jobs) -> None:
    seen: dict[str, object] = {}

    def run(task: TaskRun) -> None:
        seen["depots"] = [one.name for one in task.connections("depot")]
        seen["raw"] = task.input("depot")
        seen["mode"] = task.input("mode")
        seen["inputs"] = task.input("files")
        seen["variable"] = task.variable("who")
        seen["secret"] = task.variable("hidden")
        seen["env"] = task.environment["STEP"]
        task.say("##vso[task.setvariable variable=evil]yes")
        task.say("token-of-one, dG9rZW4tb2Ytb25l, line two of key")
        task.progress(50, "half way")
        task.warn("careful")
        task.set_variable("made", "here")
        task.set_variable("result", Secret("made-up-secret"), output=True)

    jobs.tasks["AcmeDeliver@1"] = Task(
        "AcmeDeliver@1",
        run,
        inputs=(Input("depot", type="connectedService:acme"), Input("mode", default="fast"), Input("files")),
    )
    jobs.connections.known = {"one": depot("one", 1), "two": depot("two", 2), "other": depot("other", 3)}
    ran = jobs.run(
        jobs.step(
            "AcmeDeliver@1",
            inputs={"depot": " $(first) , two ", "files": "$(who)/*"},
            connection_inputs=(DEPLOY,),
            env={"STEP": "$(who)!"},
        ),
        jobs.script("echo $MADE [$EVIL] [$A_RESULT]", "B"),
        variables=jobs.variables(first="one", who="world", hidden=Secret("very-hidden")),
    )
    assert ran.outcome == Result.SUCCEEDED
    assert seen == {
        "depots": ["one", "two"],
        "raw": "00000001-0000-0000-0000-000000000000,00000002-0000-0000-0000-000000000000",
        "mode": "fast",
        "inputs": "world/*",
        "variable": "world",
        "secret": "",
        "env": "world!",
    }
    assert jobs.connections.asked == [("A", "one"), ("A", "two")]
    assert "##vso[task.setvariable variable=evil]yes\n***, ***, ***\n" in ran.log("A")
    assert ran.output("B") == ["here [] []"]
    assert ran.issues("A") == [("warning", "careful")]
    assert any(isinstance(event, StepProgressed) and event.percent == 50 for event in ran.events)
    assert ran.finished()[0].outputs == {"result": Secret("made-up-secret")}
    assert "token-of-one" not in repr(ran.events)


def test_scripts_open_no_connection(jobs: Jobs) -> None:
    ran = jobs.run(jobs.step("CmdLine@2", inputs={"script": "echo x", "depot": "one"}, connection_inputs=(DEPLOY,)))
    assert ran.outcome == Result.SUCCEEDED
    assert jobs.connections.asked == []


@pytest.mark.parametrize(
    ("raised", "result", "message"),
    [
        (TaskFailedError("the depot is closed"), "Failed", "the depot is closed"),
        (CanceledError("stopped"), "Canceled", ""),
        (SluiceError("no such host", where="depot"), "Failed", "depot: no such host"),
        (KeyError("token-of-one"), "Failed", "AcmeDeliver@1 broke: KeyError: '***'"),
    ],
)
def test_what_a_handler_raises_becomes_the_result(jobs: Jobs, raised: Exception, result: str, message: str) -> None:
    def run(task: TaskRun) -> None:
        task.connection("depot")
        raise raised

    jobs.tasks["AcmeDeliver@1"] = Task("AcmeDeliver@1", run, inputs=())
    jobs.connections.known = {"one": depot("one", 1)}
    ran = jobs.run(
        jobs.step("AcmeDeliver@1", inputs={"depot": "one"}, connection_inputs=(DEPLOY,)),
        variables=jobs.variables(**{"system.debug": "true"}),
    )
    assert ran.results() == {"A": result}
    assert [text for _, text in ran.issues()] == ([message] if message else [])
    assert "token-of-one" not in repr(ran.events)


def test_a_refused_connection_fails_the_step_and_runs_nothing(jobs: Jobs) -> None:
    ran_handler: list[TaskRun] = []
    jobs.tasks["AcmeDeliver@1"] = Task("AcmeDeliver@1", ran_handler.append, inputs=())
    jobs.connections.known = {"one": SluiceError("this pipeline may not use the connection 'one'")}
    ran = jobs.run(jobs.step("AcmeDeliver@1", inputs={"depot": "one"}, connection_inputs=(DEPLOY,)))
    assert ran.results() == {"A": "Failed"}
    assert ran.issues() == [("error", "this pipeline may not use the connection 'one'")]
    assert ran_handler == []


def test_a_handler_has_masked_what_later_steps_may_read(jobs: Jobs) -> None:
    def log_in(run: TaskRun) -> None:
        run.mask(Secret("made-of-a-secret"))
        run.set_variable("LOGIN", "made-of-a-secret")

    jobs.tasks["AcmeDeliver@1"] = Task("AcmeDeliver@1", log_in, inputs=())
    ran = jobs.run(jobs.step("AcmeDeliver@1"), jobs.script('echo "${#LOGIN} $LOGIN"', "B"))
    assert ran.output("B") == ["16 ***"]


def test_a_connection_s_secret_is_not_noted_with_the_progress_unless_a_step_keeps_it(jobs: Jobs) -> None:
    def keep(run: TaskRun) -> None:
        kept = run.connection("depot").secret("apitoken")
        assert kept is not None
        run.mask(kept)

    jobs.tasks["AcmeDeliver@1"] = Task("AcmeDeliver@1", lambda run: None, inputs=())
    jobs.tasks["AcmeKeep@1"] = Task("AcmeKeep@1", keep, inputs=())
    jobs.connections.known = {"one": depot("one", 1)}
    names: dict[str, Any] = {"inputs": {"depot": "one"}, "connection_inputs": (DEPLOY,)}
    ran = jobs.run(jobs.step("AcmeDeliver@1", **names), jobs.step("AcmeKeep@1", "B", **names))
    noted = [[value.reveal() for _, value in event.progress.masked] for event in ran.finished()]
    assert noted == [[], ["token-of-one"]]


def test_what_was_secret_before_a_pause_is_secret_after_it(jobs: Jobs) -> None:
    def log_in(run: TaskRun) -> None:
        password = run.connection("depot").secret("apitoken")
        assert password is not None
        (run.temp / "login").write_text(password.reveal())

    jobs.tasks["AcmeDeliver@1"] = Task("AcmeDeliver@1", log_in, inputs=())
    jobs.connections.known = {"one": depot("one", 1), "two": PermissionPendingError("not yet")}
    steps = [
        jobs.step("AcmeDeliver@1", name, inputs={"depot": given}, connection_inputs=(DEPLOY,))
        for name, given in (("A", "one"), ("B", "two"))
    ]
    show = 'cat "$AGENT_TEMPDIRECTORY/login"; echo told-by-a-tool'
    tell = jobs.script("echo '##vso[task.setsecret]told-by-a-tool'", "T")
    request = jobs.request(tell, *steps, jobs.script(show, "C", condition="always()"))
    waits = jobs.go(request).last()
    assert isinstance(waits, JobSuspended)
    jobs.connections.known = {"two": SluiceError("no")}
    assert jobs.go(dataclasses.replace(request, progress=waits.progress)).output("C") == ["***"]  # two that touch


def test_a_pending_permit_suspends_the_job_and_it_goes_on_later(jobs: Jobs) -> None:
    handled: list[str] = []
    jobs.tasks["AcmeDeliver@1"] = Task(
        "AcmeDeliver@1", lambda run: handled.append(run.connection("depot").name), inputs=()
    )
    jobs.connections.known = {"one": PermissionPendingError("nobody has permitted 'one' yet")}
    request = jobs.request(
        jobs.script(
            """
            echo '##vso[task.setvariable variable=target]one'
            echo '##vso[task.setvariable variable=word;isOutput=true]given'
            echo '##vso[task.prependpath]/tools'
            echo kept > "$AGENT_TEMPDIRECTORY/kept"; echo built > "$BUILD_ARTIFACTSTAGINGDIRECTORY/built"
            sleep 100 >/dev/null 2>&1 &
            """,
        ),
        jobs.script("exit 1", "B", continue_on_error=True),
        jobs.step("AcmeDeliver@1", "C", inputs={"depot": "$(target)"}, connection_inputs=(DEPLOY,)),
        jobs.script(
            'echo $(A.word) $AGENT_JOBSTATUS "${PATH%%:*}"; cat "$AGENT_TEMPDIRECTORY/kept" '
            '"$BUILD_ARTIFACTSTAGINGDIRECTORY/built"',
            "D",
        ),
        variables=jobs.variables(token=Secret("top-secret-token")),
    )
    first = jobs.go(request)
    assert isinstance(first.outcome, Suspended)
    assert first.outcome.step == "C"
    assert first.results() == {"A": "Succeeded", "B": "SucceededWithIssues"}
    last = first.last()
    assert isinstance(last, JobSuspended)
    assert last.progress == first.outcome.progress
    assert not any(isinstance(event, StepStarted) and event.step == "C" for event in first.events)
    assert find_orphans(lookup_id(request)) == []
    assert handled == []

    jobs.connections.known = {"one": depot("one", 1)}
    second = jobs.go(dataclasses.replace(request, progress=last.progress))
    assert second.outcome == Result.SUCCEEDED_WITH_ISSUES
    assert handled == ["one"]
    assert second.results() == {"C": "Succeeded", "D": "Succeeded"}
    assert second.output("D") == ["given SucceededWithIssues /tools", "kept", "built"]


def test_a_job_goes_on_from_any_step(jobs: Jobs) -> None:
    steps = (
        jobs.script(
            "echo '##vso[task.setvariable variable=a]1'; echo '##vso[task.setvariable variable=s;issecret=true]s3cr3t'"
        ),
        jobs.script("echo '##vso[task.setvariable variable=b;isOutput=true]2'", "B"),
        jobs.script("exit 1", "C"),
        jobs.script("echo $(a)$(B.b)$(s)", "D", condition="always()"),
    )
    whole = jobs.run(*steps)
    assert whole.output("D") == ["12***"]
    for finished in whole.finished()[:-1]:
        rest = jobs.run(*steps, progress=finished.progress)
        assert rest.outcome == whole.outcome
        assert rest.output("D") == whole.output("D")
        assert list(rest.results()) == list(whole.results())[finished.progress.next_step :]
    nothing_left = jobs.run(*steps, progress=whole.finished()[-1].progress)
    assert nothing_left.outcome == Result.FAILED
    assert nothing_left.results() == {}


def test_nothing_of_the_private_folder_is_left(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script(
            'umask; stat -c %a "$AGENT_TEMPDIRECTORY"; echo secret > "$DOCKER_CONFIG"; '
            'mkdir -p "$AGENT_TEMPDIRECTORY/x" && touch "$AGENT_TEMPDIRECTORY/x/y" && chmod 0 "$AGENT_TEMPDIRECTORY/x"'
        )
    )
    assert ran.output("A")[1] == "700"
    assert list((jobs.work / "_temp").iterdir()) == []


def test_sluice_s_own_settings_do_not_reach_scripts(jobs: Jobs) -> None:
    jobs.environ |= {"SLUICE_MASTER_KEY": "k", "SLUICE_DATABASE_URL": "d", "GIT_DIR": "/x", "SLUICE_HOME": "/home"}
    ran = jobs.run(jobs.script("env | grep -E '^(SLUICE|GIT_DIR)' | sort"))
    assert ran.output("A") == []


def test_folders_that_cannot_be_made_fail_the_job_with_a_reason(jobs: Jobs) -> None:
    jobs.work.parent.joinpath("file").write_text("x")
    ran = jobs.run(jobs.script("echo x"), work=jobs.work.parent / "file" / "work")
    assert ran.outcome == Result.FAILED
    last = ran.last()
    assert isinstance(last, JobFinished)
    assert "the job's folders cannot be made" in last.message


def test_one_job_is_not_run_by_two_at_a_time(jobs: Jobs) -> None:
    second: list[object] = []
    request = jobs.request(jobs.script("set -e\necho ready\nsleep 0.2"))

    def watch(event: Event) -> None:
        if isinstance(event, LogWritten) and event.text == b"ready\n":
            second.append(jobs.go(request))

    first = jobs.go(request, watch=watch)
    assert first.outcome == Result.SUCCEEDED
    ((other),) = second
    assert "the job is being run by another process" in other.last().message  # type: ignore[attr-defined]


def test_what_emit_raises_ends_the_job_and_its_processes(jobs: Jobs) -> None:
    request: JobRequest = jobs.request(jobs.script("set -e\nsleep 100 &\necho ready\nwait"))

    def watch(event: Event) -> None:
        if isinstance(event, LogWritten) and b"ready\n" in event.text and b"contents" not in event.text:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        jobs.go(request, watch=watch)
    assert find_orphans(lookup_id(request)) == []


def test_a_short_secret_is_told_by_name_once(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo 1 '$(PIN)'"), jobs.script("echo 2", "B"), variables=jobs.variables(PIN=Secret("1"))
    )
    assert [kind for kind, _ in ran.issues()] == ["warning"]
    assert "'PIN' is too short" in ran.issues()[0][1]


def test_host_variables_are_there(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script('echo "$AGENT_OS $TF_BUILD $SYSTEM_DEFAULTWORKINGDIRECTORY $AGENT_WORKFOLDER $AGENT_VERSION"; pwd')
    )
    sources = os.fspath(jobs.work / "1" / "s")
    first, second = ran.output("A")
    assert first.split()[1:4] == ["True", sources, os.fspath(jobs.work)]
    assert second == sources


def test_progress_given_by_hand_is_taken(jobs: Jobs) -> None:
    progress = JobProgress(next_step=1, variables=jobs.variables(v="old"), result=Result.FAILED)
    ran = jobs.run(jobs.script("echo A"), jobs.script("echo $(v)", "B", condition="failed()"), progress=progress)
    assert ran.results() == {"B": "Succeeded"}
    assert ran.output("B") == ["old"]
    assert ran.outcome == Result.FAILED


def test_the_working_folder_may_lie_in_the_repository(jobs: Jobs, tmp_path: Path) -> None:
    (jobs.repository / "file").write_text("x")
    work = jobs.repository / ".work"
    ran = jobs.run(jobs.step("Checkout@1"), work=work, workspace=work / "1")
    assert ran.outcome == Result.SUCCEEDED
    assert [path.name for path in (work / "1" / "s").iterdir()] == ["file"]


def test_inputs_are_trimmed_unless_told_otherwise(jobs: Jobs) -> None:
    step = jobs.script("\n  echo one  \n\n")
    assert "Script contents:\necho one\n" in jobs.run(step).log()
    untrimmed = jobs.run(step, variables=jobs.variables(DISABLE_INPUT_TRIMMING="true"))
    assert "Script contents" not in untrimmed.log()


def test_a_fork_s_pull_request_gets_no_connection(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.step("AcmeDeliver@1", inputs={"depot": "one"}, connection_inputs=(DEPLOY,)),
        variables=jobs.variables(**{"system.restrictSecrets": "true", "System.PullRequest.IsFork": "True"}),
    )
    assert ran.results() == {"A": "Skipped"}
    assert ran.log().startswith("References service endpoint. PRs from repository forks")
    assert jobs.connections.asked == []


def test_who_cancels_while_told_of_an_event_is_not_held_up(jobs: Jobs) -> None:
    cancellation = Cancellation()

    def watch(event: Event) -> None:
        if isinstance(event, LogWritten) and event.text == b"ready\n":
            other = threading.Thread(target=cancellation.cancel, daemon=True)
            other.start()
            other.join(5)
            assert not other.is_alive()

    ran = jobs.run(jobs.script("set -e\nsleep 100 &\necho ready\nwait"), cancellation=cancellation, watch=watch)
    assert ran.outcome == Result.CANCELED


def test_a_step_canceled_while_its_connections_open_does_not_start(jobs: Jobs) -> None:
    cancellation = Cancellation()
    handled: list[TaskRun] = []

    class Canceling(type(jobs.connections)):  # type: ignore[misc]  # the fixture's class
        def open(self, *asked: object) -> Connection:
            cancellation.cancel()
            return depot("one", 1)

    jobs.connections = Canceling({})
    jobs.tasks["AcmeDeliver@1"] = Task("AcmeDeliver@1", handled.append, inputs=())
    ran = jobs.run(
        jobs.step("AcmeDeliver@1", inputs={"depot": "one"}, connection_inputs=(DEPLOY,)), cancellation=cancellation
    )
    assert ran.results() == {"A": "Canceled"}
    assert handled == []
