"""Jobs that are held: what a shell there has, what each answer does, and that the clocks stand still."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.errors import NotFoundError
from sluice.hooks.connection import Connection
from sluice.plugin import Secret, Task, TaskRun
from sluice.runtime.breakpoints import EDITED, Answer, Held, Moment, Next
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.job import Suspended, run_job
from sluice.runtime.packages.installed import InstalledPackages
from sluice.runtime.packages.store import TaskStore, fill_from
from sluice.runtime.request import ConnectionInput, JobRequest, Result, StepRequest
from sluice.storage.vouching import Voucher

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs, Ran

FAIL_ONCE = "test -f mended || { touch mended; exit 3; }"


@dataclass
class Person:
    """Answers in the order given; after the last answer nothing is held."""

    answers: list[Answer | Callable[[Held], Answer]]
    moments: tuple[Moment, ...] = (Moment.FAILED,)
    held: list[Held] = field(default_factory=list)

    def holds(self, job: JobRequest, step: StepRequest, moment: Moment) -> bool:
        return moment in self.moments and bool(self.answers)

    def ask(self, held: Held) -> Answer:
        self.held.append(held)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Answer) else answer(held)


def held_job(
    jobs: Jobs, person: Person, *steps: StepRequest, packages: InstalledPackages | None = None, **parts: object
) -> Ran:
    from tests.agent.runtime.conftest import Ran

    ran = Ran()
    ran.outcome = run_job(
        jobs.request(*steps, **parts),
        emit=ran.events.append,
        connections=jobs.connections,
        find_task=jobs.tasks.get,
        cancellation=Cancellation(),
        environ=jobs.environ,
        packages=packages,
        breakpoints=person,
    )
    return ran


def retry(script: str | None = None) -> Answer:
    return Answer(next=Next.RETRY, script=script)


def test_a_failed_step_runs_again_and_the_job_goes_on(jobs: Jobs) -> None:
    person = Person([retry()])
    ran = held_job(jobs, person, jobs.script(FAIL_ONCE), jobs.script("echo on", "B"))
    assert ran.outcome == Result.SUCCEEDED
    assert ran.results() == {"A": "Succeeded", "B": "Succeeded"}
    (held,) = person.held
    assert (held.moment, held.message, held.script) == (Moment.FAILED, "Bash exited with code '3'.", FAIL_ONCE)
    assert "At the breakpoint: retry." in ran.log("A")


def test_an_edited_script_runs_once_and_the_steps_own_after_it(jobs: Jobs) -> None:
    person = Person([retry("echo $(word) > seen; exit 4"), retry()])
    ran = held_job(
        jobs, person, jobs.script("test -f seen && cat seen"), variables=jobs.variables(word=Secret("pa55word"))
    )
    assert ran.outcome == Result.SUCCEEDED
    assert [held.message for held in person.held] == [f"Bash exited with code '{code}'." for code in (1, 4)]
    assert [held.script for held in person.held] == ["test -f seen && cat seen"] * 2
    assert ("warning", EDITED) in ran.issues()
    assert ran.log("A").splitlines()[-2:] == ["***", "##[section]Finishing: A"]


def test_a_skipped_step_fails_nothing(jobs: Jobs) -> None:
    ran = held_job(jobs, Person([Answer(next=Next.SKIP)]), jobs.script("exit 1"), jobs.script("echo on", "B"))
    assert ran.outcome == Result.SUCCEEDED
    assert ran.results() == {"A": "Skipped", "B": "Succeeded"}


def test_continuing_lets_the_failure_stand_as_the_pipeline_takes_it(jobs: Jobs) -> None:
    person = Person([Answer(next=Next.CONTINUE), Answer(next=Next.CONTINUE)])
    excused = jobs.script("exit 1", continue_on_error=True)
    ran = held_job(jobs, person, excused, jobs.script("exit 1", "B"), jobs.script("echo on", "C"))
    assert ran.results() == {"A": "SucceededWithIssues", "B": "Failed", "C": "Skipped"}


@pytest.mark.parametrize("moment", list(Moment))
def test_aborting_cancels_the_job(jobs: Jobs, moment: Moment) -> None:
    person = Person([Answer(next=Next.ABORT)], moments=(moment,))
    steps = (jobs.script("exit 1"), jobs.script("echo no", "B"), jobs.script("echo yes", "C", condition="always()"))
    ran = held_job(jobs, person, *steps)
    assert ran.outcome == Result.CANCELED
    first = "Canceled" if moment is Moment.BEFORE else "Failed"
    assert ran.results() == {"A": first, "B": "Skipped", "C": "Succeeded"}


def test_a_job_is_held_before_a_step_and_the_step_can_be_edited(jobs: Jobs) -> None:
    person = Person([retry("echo edited")], moments=(Moment.BEFORE,))
    ran = held_job(jobs, person, jobs.script("echo original"))
    assert ran.output("A") == ["edited"]
    assert person.held[0].message == ""


def test_a_step_that_ran_out_of_time_runs_again_with_all_of_it(jobs: Jobs) -> None:
    script = "test -f mended || { touch mended; sleep 60; }"
    ran = held_job(jobs, Person([retry()]), jobs.script(script, timeout_seconds=0.3))
    assert ran.results() == {"A": "Succeeded"}


def test_time_in_which_a_job_is_held_counts_to_no_limit(jobs: Jobs) -> None:
    def wait(held: Held) -> Answer:
        assert not held.cancellation.wait(0.6)
        return retry()

    ran = held_job(jobs, Person([wait]), jobs.script(FAIL_ONCE), timeout_seconds=0.5)
    assert ran.outcome == Result.SUCCEEDED
    assert ran.finished()[0].progress.used_seconds < 0.5


def test_a_job_goes_on_with_the_time_that_it_had_left(jobs: Jobs) -> None:
    request = jobs.request(jobs.script("sleep 60"), timeout_seconds=100)
    from sluice.runtime.request import JobProgress

    begun = time.monotonic()
    ran = held_job(jobs, Person([]), *request.steps, timeout_seconds=100, progress=JobProgress(used_seconds=99.8))
    assert ran.outcome == Result.CANCELED
    assert "maximum time" in ran.last().message  # type: ignore[union-attr]
    assert time.monotonic() - begun < 50


def test_a_shell_has_what_the_handler_has_and_no_secret_more(jobs: Jobs) -> None:
    (jobs.work / "1" / "s" / "sub").mkdir(parents=True)
    step = jobs.step(
        "Bash@3",
        inputs={"targetType": "inline", "script": "env | sort; pwd; exit 1", "workingDirectory": "sub"},
        env={"MAPPED": "$(mapped)"},
    )
    person = Person([Answer(next=Next.CONTINUE)])
    variables = jobs.variables(mapped=Secret("s3cret-mapped"), other=Secret("s3cret-other"), plain="open")
    ran = held_job(jobs, person, jobs.script("echo '##vso[task.prependpath]/opt/x'", "P"), step, variables=variables)
    shell = person.held[0].shell
    assert "s3cret" not in repr(person.held[0])
    own = ("HISTFILE=", "PS1=")
    seen = subprocess.run(
        [*shell.arguments[:-1], "-c", "env | sort; pwd"],
        cwd=shell.folder,
        env=dict(shell.environment),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    lines = [line.replace("s3cret-mapped", "***") for line in seen if not line.startswith((*own, "_=", "SHLVL="))]
    printed = ran.output("A")[: len(lines) + 2]
    assert lines == [line for line in printed if not line.startswith(("_=", "SHLVL="))]
    assert seen[-1].endswith("/s/sub")
    assert shell.environment["PATH"].startswith("/opt/x:")
    assert shell.environment["HISTFILE"].startswith(str(jobs.work / "_temp"))


def test_a_handlers_connection_is_not_in_its_shell(jobs: Jobs) -> None:
    def run(task: TaskRun) -> None:
        raise ValueError(task.connection("depot").url)

    jobs.tasks["Acme@1"] = Task("Acme@1", run, inputs=())
    jobs.connections.known = {
        "one": Connection(id="c-1", name="one", type="acme", url="https://x", parameters={"p": Secret("pa55word")})
    }
    person = Person([Answer(next=Next.CONTINUE)])
    wanted = (ConnectionInput(name="depot", written="depot"),)
    held_job(jobs, person, jobs.step("Acme@1", inputs={"depot": "one"}, connection_inputs=wanted))
    environment = person.held[0].shell.environment
    assert "pa55word" not in environment.values()
    assert not [name for name in environment if name.startswith(("ENDPOINT_", "INPUT_", "SECRET_"))]


def test_what_was_mended_elsewhere_counts_when_the_step_runs_again(jobs: Jobs) -> None:
    jobs.tasks["Acme@1"] = Task("Acme@1", lambda run: run.say(run.connection("depot").url), inputs=())
    jobs.connections.known = {"one": NotFoundError("there is no service connection 'one'")}

    def mend(held: Held) -> Answer:
        assert "no service connection" in held.message
        jobs.connections.known["one"] = Connection(id="c-1", name="one", type="acme", url="https://mended")
        return retry()

    wanted = (ConnectionInput(name="depot", written="depot"),)
    ran = held_job(jobs, Person([mend]), jobs.step("Acme@1", inputs={"depot": "one"}, connection_inputs=wanted))
    assert ran.outcome == Result.SUCCEEDED
    assert "https://mended" in ran.log("A")


def test_a_step_that_waits_for_a_permit_is_not_held_before(jobs: Jobs) -> None:
    from sluice.errors import PermissionPendingError

    jobs.tasks["Acme@1"] = Task("Acme@1", lambda run: None, inputs=())
    jobs.connections.known = {"one": PermissionPendingError("waits")}
    person = Person([Answer(next=Next.CONTINUE)], moments=(Moment.BEFORE,))
    wanted = (ConnectionInput(name="depot", written="depot"),)
    ran = held_job(jobs, person, jobs.step("Acme@1", inputs={"depot": "one"}, connection_inputs=wanted))
    assert isinstance(ran.outcome, Suspended)
    assert person.held == []


def test_a_canceled_job_is_not_held(jobs: Jobs) -> None:
    def cancel(held: Held) -> Answer:
        held.cancellation.cancel("by hand")
        return Answer(next=Next.CONTINUE)

    person = Person([cancel, Answer(next=Next.CONTINUE)])
    ran = held_job(jobs, person, jobs.script("exit 1"), jobs.script("exit 1", "B", condition="always()"))
    assert ran.outcome == Result.CANCELED
    assert len(person.held) == 1


def test_the_shell_of_a_package_has_its_inputs_and_the_connections_that_these_name(jobs: Jobs, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "pwsh"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexit 9\n")
    fake.chmod(0o755)
    jobs.environ["PATH"] = f"{fake.parent}:{jobs.environ['PATH']}"
    source = tmp_path / "Greet"
    (source / "ps_modules" / "VstsTaskSdk").mkdir(parents=True)
    (source / "ps_modules" / "VstsTaskSdk" / "VstsTaskSdk.psd1").write_text("")
    (source / "main.ps1").write_text("")
    manifest = {
        "id": "5f1f7c3e-0000-4000-8000-000000000001",
        "name": "Greet",
        "version": {"Major": 1},
        "inputs": [{"name": "server", "type": "connectedService:acme"}, {"name": "who", "defaultValue": "world"}],
        "execution": {"PowerShell3": {"target": "main.ps1"}},
    }
    (source / "task.json").write_text(json.dumps(manifest))
    store = TaskStore(tmp_path / "tasks", Voucher(None))
    entry, _ = store.install(fill_from(source), source="here")
    jobs.connections.known = {
        name: Connection(id=f"c-{name}", name=name, type="acme", parameters={"p": Secret(f"pa55word-{name}")})
        for name in ("one", "two")
    }
    step = jobs.step(
        "Greet@1",
        package=f"{entry.id}@{entry.version_text}",
        inputs={"server": "one"},
        connection_inputs=(ConnectionInput(name="server", written="server"),),
    )
    person = Person([Answer(next=Next.CONTINUE)])
    packages = InstalledPackages(store=store, handled=lambda _: False)
    ran = held_job(jobs, person, step, packages=packages, variables=jobs.variables(hidden=Secret("s3cret-hidden")))
    assert ran.outcome == Result.FAILED
    shell = person.held[0].shell
    assert shell.environment["INPUT_WHO"] == "world"
    assert shell.environment["ENDPOINT_AUTH_PARAMETER_c-one_P"] == "pa55word-one"
    assert shell.environment["SECRET_HIDDEN"] == "s3cret-hidden"
    assert "pa55word-two" not in "".join(shell.environment.values())
    assert shell.folder == tmp_path / "tasks" / entry.folder
    assert person.held[0].script == ""
