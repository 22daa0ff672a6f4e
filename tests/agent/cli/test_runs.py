"""Runs whose process is killed, interrupted or contended for, with real processes; and the commands around runs."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

PATIENCE = 20.0
PROMPT = 3.0
"""Seconds; a waiting process notices within one, and this machine may be busy."""

ENDLESS = "touch started; sleep 1000 & echo $! > child; echo $$ > shell; wait"

KILLER = """
import os
from sluice.plugin import hookimpl

@hookimpl
def sluice_run_event(event):
    with open(os.environ["EVENTS"], "a") as file:
        file.write(f"{event.kind} {event.path} {event.state}\\n")
    with open(os.environ["EVENTS"]) as file:
        if len(file.readlines()) == int(os.environ["DIE_AT"]):
            os.kill(os.getpid(), 9)
"""


def until(reached: Callable[[], object], what: str = "") -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, f"waited in vain {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_in(path: Path) -> int:
    until(lambda: path.is_file() and path.read_text().strip(), f"for {path.name}")
    return int(path.read_text())


def pipeline(sluice: Sluice, text: str) -> None:
    """The pipeline of the folder; its scripts work in that folder."""
    here = f"{{workingDirectory: {sluice.folder}}}"
    (sluice.folder / "azure-pipelines.yml").write_text(text.replace("@here", here))


def counted(sluice: Sluice, name: str) -> int:
    path = sluice.folder / name
    return len(path.read_text().splitlines()) if path.exists() else 0


@contextmanager
def started(sluice: Sluice, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", *arguments],
        env=sluice.environment | more,
        cwd=sluice.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()  # what runs would outlive a process that is killed
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def bash(script: str, sluice: Sluice, **keys: str) -> str:
    more = "".join(f", {name}: {value}" for name, value in keys.items())
    return f"- {{bash: '{script}', workingDirectory: '{sluice.folder}'{more}}}\n"


def steps(*each: str) -> str:
    return "steps:\n- checkout: none\n" + "".join(each)


def listed(sluice: Sluice) -> str:
    """The runs, once there is a project."""
    return sluice("runs", "list") if (sluice.home / "locks").exists() else ""


def waiting_for_host(sluice: Sluice, host: str = "web") -> str:
    ssh = "- {task: SSH@0, name: ssh, inputs: {sshEndpoint: $(host), runOptions: inline, inline: 'true'}}\n"
    say = f'echo "##vso[task.setvariable variable=host]{host}"; echo x >> first'
    return steps(bash(say, sluice), ssh, bash("echo x >> last", sluice, condition="always()"))


def test_a_run_killed_in_the_middle_of_a_step_is_lost_and_nothing_of_it_lives_on(sluice: Sluice) -> None:
    pipeline(sluice, steps(bash("echo x >> a", sluice), bash(ENDLESS, sluice), bash("echo x >> c", sluice)))
    with started(sluice, "run", "--non-interactive") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        process.kill()
        process.wait()
    assert all(map(alive, pids))
    sluice.real = True
    ended = sluice.run("resume", "1", "--non-interactive")
    assert ended.returncode == 1
    assert "The process that ran this job ended before the job did." in ended.stdout
    assert not any(map(alive, pids))
    assert (counted(sluice, "a"), counted(sluice, "c")) == (1, 0)
    results = {one["identifier"]: one["result"] for one in sluice.json("runs", "show", "1")["records"]}
    assert results["Job.__default.Bash1"] == "Succeeded"
    assert results["Job.__default.Bash2"] == "Abandoned"
    assert results["Job.__default.Bash3"] == "Skipped"
    assert results["Job.__default"] == "Failed"


def test_a_step_that_may_be_repeated_is_repeated_after_a_kill(sluice: Sluice) -> None:
    script = f"[ -e started ] && exit 0; {ENDLESS}"
    retry = bash(script, sluice, retryCountOnTaskFailure="1")
    pipeline(sluice, steps(bash("echo x >> a", sluice), retry, bash("echo x >> c", sluice)))
    with started(sluice, "run", "--non-interactive") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        process.kill()
        process.wait()
    sluice("resume", "1", "--non-interactive")
    assert not any(map(alive, pids))
    assert (counted(sluice, "a"), counted(sluice, "c")) == (1, 1)


@pytest.fixture
def killer(sluice: Sluice) -> Callable[[int], dict[str, str]]:
    """A plugin that kills its process at an event: every one of them has been stored before."""
    place = sluice.folder / "plugins"
    about = place / "killer-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: killer\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sluice]\nkiller = killer\n")
    (place / "killer.py").write_text(KILLER)
    return lambda at: {
        "PYTHONPATH": str(place),
        "DIE_AT": str(at),
        "EVENTS": str(sluice.folder / "events"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.parametrize("at", range(2, 16, 2))
def test_wherever_a_run_is_killed_nothing_finished_is_lost_or_done_twice(
    sluice: Sluice, killer: Callable[[int], dict[str, str]], at: int
) -> None:
    each = "".join(
        f"- job: {job}\n{after}  steps:\n  - checkout: none\n"
        + "".join(f"  {bash(f'echo x >> {job}{number}', sluice)}" for number in (1, 2))
        for job, after in (("A", ""), ("B", "  dependsOn: A\n  condition: not(canceled())\n"))
    )
    pipeline(sluice, f"jobs:\n{each}")
    with started(sluice, "run", "--non-interactive", **killer(at)) as process:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
    ended = sluice.run("resume", "1", "--non-interactive")
    shown = {one["identifier"]: one for one in sluice.json("runs", "show", "1")["records"]}
    assert "inProgress" not in {one["state"] for one in shown.values()}
    for job in "AB":
        lost = shown[f"{job}.__default"]["result"] == "Failed"
        for number in (1, 2):
            result, times = shown[f"{job}.__default.Bash{number}"]["result"], counted(sluice, f"{job}{number}")
            if result == "Abandoned":
                assert lost
                assert times <= 1
            else:
                assert times == (result == "Succeeded")
    assert ended.returncode == ("Failed" in {one["result"] for one in shown.values()})


def test_a_run_killed_while_it_waits_still_waits_and_asks_once(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice).replace("$(host)", "web"))
    with started(sluice, "run") as process:
        until(lambda: "waiting" in listed(sluice))
        process.kill()
        process.wait()
    again = sluice.run("resume", "1", "--non-interactive")
    assert again.returncode == 4
    assert "sluice permit 1" in again.stdout
    assert len(sluice.json("runs", "show", "1")["waitingFor"]) == 1


def test_a_run_killed_while_a_step_waits_goes_on_at_that_step(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    with started(sluice, "run") as process:
        until(lambda: counted(sluice, "first") and "waiting" in listed(sluice))
        process.kill()
        process.wait()
    assert sluice.run("resume", "1", "--non-interactive").returncode == 4
    sluice("permit", "1")
    sluice("resume", "1", "--non-interactive", status=1)  # there is no such host
    assert (counted(sluice, "first"), counted(sluice, "last")) == (1, 1)


def test_one_process_drives_a_run_and_another_is_told(sluice: Sluice) -> None:
    pipeline(sluice, steps(bash(ENDLESS, sluice)))
    with started(sluice, "run", "--non-interactive") as process:
        pid_in(sluice.folder / "shell")
        told = sluice("resume", "1", status=2)
        assert told.startswith(f"sluice: run 1 is being run by process {process.pid} (")
        assert process.poll() is None


def test_a_permit_from_another_process_wakes_a_waiting_run(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    with started(sluice, "run") as process:
        until(lambda: counted(sluice, "first") and "waiting" in listed(sluice))
        began = time.monotonic()
        assert "Run 1 goes on." in sluice("permit", "1")
        until(lambda: counted(sluice, "last"))
        assert time.monotonic() - began < PROMPT
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 1


def test_a_cancellation_from_another_process_stops_a_run(sluice: Sluice) -> None:
    pipeline(sluice, steps(bash(ENDLESS, sluice), bash("echo x >> last", sluice, condition="always()")))
    with started(sluice, "run", "--non-interactive") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        began = time.monotonic()
        sluice("cancel", "1")
        until(lambda: counted(sluice, "last"))
        assert time.monotonic() - began < PROMPT
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 3
    until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_lets_steps_with_always_run(sluice: Sluice, number: signal.Signals) -> None:
    pipeline(sluice, steps(bash(ENDLESS, sluice), bash("echo x >> last", sluice, condition="always()")))
    with started(sluice, "run") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        process.send_signal(number)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert ("Canceling: steps with always() still run." in printed) == (number == signal.SIGINT)
    assert counted(sluice, "last") == 1
    assert not any(map(alive, pids))


def test_a_second_interrupt_ends_everything(sluice: Sluice) -> None:
    stubborn = f"trap : INT TERM; {ENDLESS}; {ENDLESS}"
    pipeline(sluice, steps(bash(stubborn, sluice), bash("touch never; sleep 1000", sluice, condition="always()")))
    with started(sluice, "run") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        process.send_signal(signal.SIGINT)
        until(lambda: "canceling" in listed(sluice))
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < PROMPT
    assert process.returncode == 3
    until(lambda: not any(map(alive, pids)))
    assert not (sluice.folder / "never").exists()
    assert sluice.json("runs", "show", "1")["result"] == "Canceled"


def test_a_second_interrupt_starts_no_job_that_would_still_run(sluice: Sluice) -> None:
    stubborn = f"trap : INT TERM; {ENDLESS}; {ENDLESS}"
    first = "\n".join(f"  {line}" for line in steps(bash(stubborn, sluice)).splitlines())
    then = "\n".join(f"  {line}" for line in steps(bash("touch never", sluice)).splitlines())
    pipeline(sluice, f"jobs:\n- job: A\n{first}\n- job: B\n  dependsOn: A\n  condition: always()\n{then}\n")
    with started(sluice, "run") as process:
        pid_in(sluice.folder / "shell")
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)  # two signals at the same moment may arrive as one
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert not (sluice.folder / "never").exists()


def test_an_interrupt_ends_a_wait_for_a_permit(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    with started(sluice, "run") as process:
        until(lambda: counted(sluice, "first") and "waiting" in listed(sluice))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert counted(sluice, "last") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_only_waits_survives_the_end_of_its_process(sluice: Sluice, number: signal.Signals) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    with started(sluice, "run") as process:
        until(lambda: counted(sluice, "first") and "waiting" in listed(sluice))
        process.send_signal(number)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert "go on        sluice resume 1" in printed
    assert counted(sluice, "last") == 0
    assert sluice.json("runs", "show", "1")["state"] == "waiting"
    sluice("permit", "1")
    sluice("resume", "1", "--non-interactive", status=1)  # there is no such host
    assert counted(sluice, "last") == 1


def test_an_interrupt_at_the_question_cancels_the_run(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    status, shown = sluice.on_a_terminal(["run"], [("[w]ait:", "\x03")])
    assert status == 3
    assert "Traceback" not in shown
    assert counted(sluice, "last") == 1
    assert sluice.json("runs", "show", "1")["result"] == "Canceled"


def test_a_run_is_left_waiting_at_the_question(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    status, shown = sluice.on_a_terminal(["run"], [("[w]ait:", "l")])
    assert status == 4
    assert "sluice resume 1" in shown
    assert counted(sluice, "last") == 0
    assert sluice.json("runs", "show", "1")["state"] == "waiting"


def test_a_terminal_that_goes_away_at_the_question_leaves_the_run_waiting(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(sluice.folder)
        os.execve(sys.executable, [sys.executable, "-m", "sluice", "run"], sluice.environment)
    shown = b""
    while b"[w]ait:" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 4
    assert sluice.json("runs", "show", "1")["state"] == "waiting"
    assert counted(sluice, "last") == 0


def test_the_person_at_the_terminal_permits_and_the_run_goes_on(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    status, shown = sluice.on_a_terminal(["run"], [("[w]ait:", "p"), ("[y/N]:", "y")])
    assert "Granting permission here will permit the use of" in shown
    assert status == 1  # there is no such host
    assert (counted(sluice, "first"), counted(sluice, "last")) == (1, 1)


def test_a_retry_runs_only_what_failed(sluice: Sluice) -> None:
    fails = bash("echo x >> tries; [ -e fixed ]", sluice)
    pipeline(
        sluice,
        "jobs:\n"
        + "".join(
            f"- job: {job}\n  steps:\n  - checkout: none\n  {step}"
            for job, step in (("Good", bash("echo x >> good", sluice)), ("Bad", fails))
        )
        + f"- job: After\n  dependsOn: Bad\n  steps:\n  - checkout: none\n  {bash('echo x >> after', sluice)}",
    )
    sluice("run", "--non-interactive", status=1)
    assert [counted(sluice, name) for name in ("good", "tries", "after")] == [1, 1, 0]
    (sluice.folder / "fixed").touch()
    assert "attempt 2" in sluice("retry", "1", "--non-interactive")
    assert [counted(sluice, name) for name in ("good", "tries", "after")] == [1, 2, 1]
    assert "there is nothing to run again" in sluice("retry", "1", status=2)


def test_a_retry_goes_on_from_a_step_with_the_variables_it_had(sluice: Sluice) -> None:
    keep = bash(
        'echo x >> first; echo "##vso[task.setvariable variable=v;issecret=true]$(echo terces-tpek | rev)"', sluice
    )
    check = bash(
        '[ -e fixed ] && [ "$(v)" = "$(echo terces-tpek | rev)" ] && [ $(System.JobAttempt) = 2 ]', sluice, name="check"
    )
    pipeline(sluice, steps(keep, check, bash("echo x >> last", sluice)))
    sluice("run", "--non-interactive", status=1)
    (sluice.folder / "fixed").touch()
    sluice("retry", "1", "--from", "Job.check", "--non-interactive")
    assert [counted(sluice, name) for name in ("first", "last")] == [1, 1]
    assert b"kept-secret" not in (sluice.home / "data" / "sluice.db").read_bytes()


def test_a_run_in_the_background_goes_on_when_it_is_permitted(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    assert "in the background" in sluice("run", "--detach")
    until(lambda: sluice.json("runs", "show", "1")["state"] == "waiting")
    sluice("permit", "1")
    until(lambda: sluice.json("runs", "show", "1")["state"] == "completed")
    assert (counted(sluice, "first"), counted(sluice, "last")) == (1, 1)


def test_canceling_a_run_that_nobody_drives_ends_it(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    sluice("run", "--non-interactive", status=4)
    assert "Run 1 is canceled." in sluice("cancel", "1")
    until(lambda: sluice.json("runs", "show", "1")["state"] == "completed")
    assert (counted(sluice, "first"), counted(sluice, "last")) == (1, 1)
    assert "is over" in sluice("cancel", "1", status=2)
    assert "is over" in sluice("resume", "1", status=2)


def test_no_secret_is_in_the_process_list_or_the_log(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, waiting_for_host(sluice))
    with started(sluice, "run") as process:
        until(lambda: counted(sluice, "first") and "waiting" in listed(sluice))
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert b"hunter2" not in line
    stored = b"".join(path.read_bytes() for path in sluice.home.rglob("*") if path.is_file())
    assert "hunter2" not in printed
    assert b"hunter2" not in stored


def test_commands_about_runs_that_do_not_exist_say_so(sluice: Sluice) -> None:
    for command in (["runs", "show"], ["runs", "logs"], ["cancel"], ["resume"], ["retry"], ["permit"], ["deny"]):
        assert sluice(*command, "7", status=2) == "sluice: there is no run 7 (see 'sluice runs list')\n"
    assert "No runs yet" in sluice("runs", "list")


@pytest.mark.parametrize(
    "command", ["runs show", "runs logs", "cancel", "resume", "retry", "permit", "deny", "runs start"]
)
def test_numbers_that_no_run_can_have_are_one_clear_line(sluice: Sluice, command: str) -> None:
    assert (
        sluice(*command.split(), "9" * 30, status=2)
        == f"sluice: there is no run {'9' * 18}... (see 'sluice runs list')\n"
    )
    assert "is not a number: see 'sluice runs list'" in sluice(*command.split(), "seven", status=2)


def test_a_pipelines_number_that_no_pipeline_can_have_is_one_clear_line(sluice: Sluice) -> None:
    sluice.create("web")
    told = sluice("connection", "permit", "web", "--pipeline", "9" * 30, status=2)
    assert told.startswith("sluice: there is no pipeline '999")


def test_a_run_whose_process_was_killed_is_told_as_stopped(sluice: Sluice) -> None:
    pipeline(sluice, steps(bash(ENDLESS, sluice)))
    with started(sluice, "run", "--non-interactive") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        assert "in progress" in sluice("runs", "list")
        assert sluice.json("runs", "show", "1")["driven"]
        with started(sluice, "runs", "logs", "1", "--follow") as following:
            process.kill()
            printed, _ = following.communicate(timeout=PATIENCE)
    assert following.returncode == 0
    assert printed.endswith("Nobody drives run 1 any more. Go on with it: sluice resume 1\n")
    assert "stopped (sluice resume 1)" in sluice("runs", "list")
    assert sluice("runs", "show", "1").splitlines()[0].endswith(": stopped (sluice resume 1)")
    assert not sluice.json("runs", "list")[0]["driven"]
    sluice("cancel", "1")
    until(lambda: not any(map(alive, pids)))


def test_a_second_cancellation_from_another_process_ends_everything(sluice: Sluice) -> None:
    stubborn = f"[ -e again ] && exit 0; trap : INT TERM; {ENDLESS}; {ENDLESS}"
    pipeline(sluice, steps(bash(stubborn, sluice), bash("touch never", sluice, condition="always()")))
    with started(sluice, "run", "--non-interactive") as process:
        pids = [pid_in(sluice.folder / name) for name in ("child", "shell")]
        said = sluice("cancel", "1")
        assert said == "Run 1 is canceled.\nSteps with always() still run; to end them at once: sluice cancel 1\n"
        began = time.monotonic()
        assert sluice("cancel", "1") == "Run 1 is ended at once.\n"
        process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < PROMPT
    assert process.returncode == 3
    until(lambda: not any(map(alive, pids)))
    assert not (sluice.folder / "never").exists()
    (sluice.folder / "again").touch()
    sluice.run("retry", "1", "--non-interactive")  # is not ended at once again
    assert sluice.json("runs", "show", "1")["result"] == "Succeeded"


def test_a_detached_run_is_driven_when_the_command_returns(sluice: Sluice) -> None:
    pipeline(sluice, steps(bash(ENDLESS, sluice)))
    sluice("run", "--detach")
    assert sluice.json("runs", "show", "1")["driven"]
    pid_in(sluice.folder / "shell")
    assert "to end them at once" in sluice("cancel", "1")
    until(lambda: sluice.json("runs", "show", "1")["state"] == "completed")


TWO_STAGES = """
stages:
- stage: Build
  jobs:
  - job: Web
    steps:
    - checkout: none
    - bash: echo one
    - bash: echo two
      displayName: Say two
"""


def test_steps_are_shown_by_the_path_that_options_take(sluice: Sluice) -> None:
    pipeline(sluice, TWO_STAGES)
    sluice("run", "--non-interactive")
    lines = sluice("runs", "show", "1").splitlines()
    shown = [line for line in lines if " succeeded " in line]
    paths = {line.strip().partition("  ")[0] for line in shown}
    assert {"Build.Web.Bash1 (Bash)", "Build.Web.Bash2 (Say two)"} <= paths
    assert len({line.index(" succeeded ") for line in shown}) == 1  # a column
    assert len({len(line) for line in shown}) == 1
    assert "two" in sluice("runs", "logs", "1", "--step", "Build.Web.Bash2")
    paths = {record["path"] for record in sluice.json("runs", "show", "1")["records"]}
    assert {"Build", "Build.Web", "Build.Web.Bash2"} <= paths
    assert "no step 'Build.Web.Bash3'" in sluice("runs", "logs", "1", "--step", "Build.Web.Bash3", status=2)


def test_logs_are_data_for_those_who_ask(sluice: Sluice) -> None:
    pipeline(sluice, TWO_STAGES)
    sluice("run", "--non-interactive")
    (step,) = sluice.json("runs", "logs", "1", "--step", "Build.Web.Bash2")
    assert (step["step"], step["name"], step["attempt"]) == ("Build.Web.Bash2", "Say two", 1)
    line = next(line for line in step["lines"] if line["text"] == "two")
    assert line["time"].endswith("Z")
    assert "leave out --follow" in sluice("runs", "logs", "1", "--follow", "--output", "json", status=2)


def test_decisions_are_data_for_those_who_ask_and_name_no_stage_that_nobody_wrote(sluice: Sluice) -> None:
    identifier = sluice.create("web") and sluice.json("connection", "show", "web")["id"]
    pipeline(sluice, waiting_for_host(sluice))
    sluice("run", "--non-interactive", status=4)
    (asked,) = sluice.json("runs", "show", "1")["waitingFor"]
    assert asked == {"resourceType": "endpoint", "name": "web", "id": identifier, "stage": "", "where": asked["where"]}
    denied = sluice.json("deny", "1")
    assert (denied["run"], denied["denied"]) == (1, [asked])
    sluice("run", "--non-interactive", status=4)
    assert sluice("deny", "2").startswith("Denied 'web' to run 2.\n")
    sluice("run", "--non-interactive", status=4)
    permitted = sluice.json("permit", "3")
    assert permitted == {
        "run": 3,
        "state": "inProgress",
        "result": "",
        "pipeline": permitted["pipeline"],
        "permitted": [asked],
    }
    canceled = sluice.json("cancel", "3")
    assert canceled["state"] in {"canceling", "completed"}
    until(lambda: sluice.json("runs", "show", "3")["state"] == "completed")
    assert "it has no stages" in sluice("run", "--stage", "Nope", status=2)
    sluice("run", "--non-interactive", "--permit", "web", status=1)  # there is no such host
    assert "__default" not in sluice("connection", "history", "web")


def test_times_and_durations_of_runs_are_told_one_way(sluice: Sluice) -> None:
    pipeline(sluice, TWO_STAGES)
    sluice("run", "--non-interactive")
    (run,) = sluice.json("runs", "list")
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    assert stamp.fullmatch(run["createdOn"])
    assert stamp.fullmatch(run["finishedOn"])
    assert stamp.search(sluice("runs", "list"))
    assert "succeeded" in sluice("runs", "list")
    assert "is over (succeeded)" in sluice("cancel", "1", status=2)
