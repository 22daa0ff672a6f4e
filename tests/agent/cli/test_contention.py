"""Several processes at one run, and runs that want the same resource alone: permits, approvals and locks, with kills."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.agent.cli.test_runs import ENDLESS, PATIENCE, counted, pid_in, started, until

if TYPE_CHECKING:
    import subprocess

    from tests.agent.cli.conftest import Sluice

ON = ("--environment", "production")


def deploys(sluice: Sluice, *scripts: str) -> None:
    steps = "".join(f"\n      - {{bash: '{script}', workingDirectory: '{sluice.folder}'}}" for script in scripts)
    (sluice.folder / "azure-pipelines.yml").write_text(
        "lockBehavior: sequential\njobs:\n- deployment: Web\n  environment: production\n"
        f"  strategy:\n   runOnce:\n    deploy:\n      steps:{steps}\n"
    )


@pytest.fixture
def here(sluice: Sluice) -> Sluice:
    """An environment that has to be permitted and approved, and is used alone."""
    sluice("environment", "create", "production")
    sluice("check", "add", "approval", *ON, "--approver", "Project Administrators")
    sluice("check", "add", "exclusive-lock", *ON)
    return sluice


def waits_for(sluice: Sluice, run: int) -> list[str]:
    return [one["resourceType"] for one in sluice.json("runs", "show", str(run))["waitingFor"]]


def let_through(sluice: Sluice, run: int) -> None:
    """Permit and approve a run that somebody drives, as soon as it asks."""
    until(lambda: waits_for(sluice, run), f"for run {run} to ask")
    if "environment" in waits_for(sluice, run):
        sluice.run("permit", str(run))  # too late where another run of the pipeline has been permitted meanwhile
    until(lambda: "approval" in waits_for(sluice, run), "for the question for approval")
    sluice("approve", str(run))


@pytest.mark.parametrize("lines", [0, 4, 9])
def test_two_processes_at_one_run_lose_no_decision_and_do_nothing_twice(here: Sluice, lines: int) -> None:
    """They are killed where they are once one of them has printed so many lines, and two others go on."""
    deploys(here, "echo x >> one", "echo x >> two")
    here("run", "--non-interactive", status=4)
    with started(here, "resume", "1") as first, started(here, "resume", "1") as second:
        let_through(here, 1)
        await_lines([first, second], lines)
        for process in (first, second):
            process.kill()
            process.wait()
    with started(here, "resume", "1") as third, started(here, "resume", "1") as fourth:
        statuses = [process.communicate(timeout=PATIENCE) and process.returncode for process in (third, fourth)]
    shown = here.json("runs", "show", "1")
    results = {one["identifier"].rpartition(".")[2]: one["result"] for one in shown["records"] if one["type"] == "Task"}
    assert shown["state"] == "completed"
    assert shown["waitingFor"] == []
    lost = "Abandoned" in results.values()
    assert shown["result"] == ("Failed" if lost else "Succeeded")
    assert set(statuses) <= {0, 1, 2}
    for name, step in (("one", "Bash1"), ("two", "Bash2")):
        times = counted(here, name)
        assert times <= 1 if results[step] == "Abandoned" else times == (results[step] == "Succeeded")
    here("audit", "verify")


def await_lines(processes: list[subprocess.Popen[str]], lines: int) -> None:
    """Until the one that drives has printed so many lines, or all that it has."""
    for process in processes:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(lines)]
        if not any("is being run by" in line for line in printed):
            return


def test_runs_in_processes_of_their_own_use_an_environment_one_after_the_other(here: Sluice) -> None:
    alone = "mkdir held && echo x >> done && rmdir held"
    deploys(here, alone)
    runs = (1, 2, 3)
    for _ in runs:
        here("run", "--non-interactive", status=4)
    with ExitStack() as stack:
        processes = [stack.enter_context(started(here, "resume", str(run))) for run in runs]
        for run in runs:
            let_through(here, run)
        printed = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], printed
    assert counted(here, "done") == 3


def test_the_environment_of_a_process_that_is_killed_goes_to_the_next_run(here: Sluice) -> None:
    deploys(here, ENDLESS)
    here("run", "--non-interactive", status=4)
    with started(here, "resume", "1") as holder:
        let_through(here, 1)
        pid_in(here.folder / "shell")
        deploys(here, "echo x >> done")
        here("run", "--non-interactive", status=4)
        with started(here, "resume", "2") as other:
            let_through(here, 2)
            until(lambda: waits_for(here, 2) == ["check"], "for the lock")
            assert counted(here, "done") == 0
            holder.kill()
            holder.wait()
            other.communicate(timeout=PATIENCE)
            assert other.returncode == 0
    assert counted(here, "done") == 1
    assert here.run("resume", "1", "--non-interactive").returncode == 1  # its step is lost; nothing of it lives on
