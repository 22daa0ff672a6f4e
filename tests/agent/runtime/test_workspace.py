"""Folders of jobs: made, cleaned, and swept after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.runtime.orphans import find_orphans, lookup_id
from sluice.runtime.request import JobProgress
from sluice.runtime.workspace import SUSPENDED, Lease, empty, open_workspace, remove, sweep

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs


def test_the_folders_of_a_job_are_there(jobs: Jobs) -> None:
    with open_workspace(jobs.request()) as (workspace, _):
        assert {path.name for path in workspace.root.iterdir()} == {"s", "a", "b", "TestResults"}
        assert {path.name for path in jobs.work.iterdir()} == {"_temp", "_tool", "1"}
        assert workspace.temp.stat().st_mode & 0o777 == 0o700
        assert (workspace.temp / ".tools").stat().st_mode & 0o777 == 0o700
    assert not workspace.temp.exists()


@pytest.mark.parametrize(
    ("clean", "kept"),
    [("", {"s", "b"}), ("outputs", {"s"}), ("resources", {"b"}), ("all", set())],
)
def test_what_a_new_job_finds_of_the_last_one(jobs: Jobs, clean: str, kept: set[str]) -> None:
    with open_workspace(jobs.request()) as (workspace, _):
        for name in ("s", "a", "b", "TestResults"):
            (workspace.root / name / "file").touch()
    with open_workspace(jobs.request(workspace_clean=clean)) as (workspace, _):
        assert {path.parent.name for path in workspace.root.glob("*/file")} == kept


def test_a_job_that_goes_on_finds_everything(jobs: Jobs) -> None:
    with open_workspace(jobs.request()) as (workspace, lease):
        for name in ("s", "a", "b", "TestResults"):
            (workspace.root / name / "file").touch()
        (workspace.temp / "file").touch()
        lease.keep()
    sweep(jobs.work)
    request = jobs.request(workspace_clean="all", progress=JobProgress())
    with open_workspace(request) as (workspace, _):
        assert len(list(workspace.root.glob("*/file"))) == 4
        assert (workspace.temp / "file").exists()


def test_the_private_folder_of_a_living_job_is_left_alone(jobs: Jobs) -> None:
    with open_workspace(jobs.request()) as (workspace, _):
        sweep(jobs.work)
        assert workspace.temp.exists()
        with open_workspace(jobs.request(id="other", workspace=jobs.work / "2")):
            assert workspace.temp.exists()


def test_a_job_that_was_killed_is_swept_at_the_next_start(jobs: Jobs) -> None:
    """Kill a runner with SIGKILL in the middle of a step: its files and its processes go with the next start."""
    request = jobs.request()
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from sluice.runtime.cancellation import Cancellation
        from sluice.runtime.job import run_job
        from sluice.runtime.request import JobRequest, StepRequest
        script = 'echo canary > "$DOCKER_CONFIG"; (setsid sleep 100 >/dev/null 2>&1 &) ; echo ready; sleep 100'
        step = StepRequest(id="A", name="A", display_name="A", task="Bash@3",
                           inputs={{"script": script + "\\n", "targetType": "inline"}})
        request = JobRequest(run_id=7, id="job-id", identifier="Stage.Job", display_name="Job",
                             work=Path({os.fspath(jobs.work)!r}), workspace=Path({os.fspath(jobs.work / "1")!r}),
                             steps=(step,))
        run_job(request, emit=lambda event: print(event, flush=True), connections=None, find_task=lambda name: None,
                cancellation=Cancellation())
        """
    )
    runner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    for line in runner.stdout:
        if "text=b'ready" in line:
            break
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    runner.stdout.close()
    assert [path.read_text() for path in jobs.work.glob("_temp/*/.tools/docker")] == ["canary\n"]
    assert find_orphans(lookup_id(request))
    with open_workspace(jobs.request(id="next", workspace=jobs.work / "2")):
        assert find_orphans(lookup_id(request)) == []
        assert len(list((jobs.work / "_temp").iterdir())) == 2
        assert b"canary" not in b"".join(path.read_bytes() for path in jobs.work.rglob("*") if path.is_file())


def test_a_suspended_job_s_folder_does_not_stay_for_ever(jobs: Jobs) -> None:
    with open_workspace(jobs.request()) as (workspace, lease):
        lease.keep()
    lock = workspace.temp.with_name(f"{workspace.temp.name}.lock")
    assert lock.read_text().strip() == SUSPENDED
    os.utime(lock, (0, 0))
    sweep(jobs.work)
    assert list((jobs.work / "_temp").iterdir()) == []


def test_a_lease_is_given_back_once(tmp_path: Path) -> None:
    lease = Lease.take(tmp_path / "x", "vsts_1")
    lease.give_back()
    lease.give_back()
    assert list(tmp_path.iterdir()) == []


def test_removing_follows_no_link_and_minds_no_permission(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").touch()
    (folder / "link").symlink_to(outside)
    (folder / "deep" / "er").chmod(0o500)
    (folder / "deep").chmod(0)
    remove(folder)
    assert not folder.exists()
    assert (outside / "kept").exists()
    folder.symlink_to(outside)
    empty(folder)
    assert folder.is_dir()
    assert not folder.is_symlink()
    assert (outside / "kept").exists()
    remove(tmp_path / "absent")


def test_the_machine_may_say_where_tools_lie(jobs: Jobs, tmp_path: Path) -> None:
    show = jobs.script("echo $AGENT_TOOLSDIRECTORY $(Agent.ToolsDirectory)")
    own = f"{jobs.work}/_tool"
    assert jobs.run(show).output("A") == [f"{own} {own}"]
    jobs.environ["AGENT_TOOLSDIRECTORY"] = f"{tmp_path}/shared"
    assert jobs.run(show).output("A") == [f"{tmp_path}/shared {tmp_path}/shared"]
    jobs.environ["AGENT_TOOLSDIRECTORY"] = "not/absolute"
    assert jobs.run(show).output("A") == [f"{own} {own}"]


def test_the_temporary_folder_is_empty_before_and_gone_after_a_job(jobs: Jobs) -> None:
    left = jobs.work / "_temp" / "7-job-id-1" / "left"
    left.parent.mkdir(parents=True)
    left.write_text("of an earlier process")
    ran = jobs.run(
        jobs.script('ls -A "$AGENT_TEMPDIRECTORY" | grep -v -e .tools -e .sh; stat -c %a "$AGENT_TEMPDIRECTORY"')
    )
    assert ran.output("A") == ["700"]
    assert not left.parent.exists()
