"""Files that a task changes for the length of the job are put back, whatever happens to the job."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.agent.runtime.conftest import Jobs

from sluice.plugin import Task, TaskRun
from sluice.runtime.originals import keep_original, put_back
from sluice.runtime.request import JobProgress
from sluice.runtime.workspace import open_workspace, sweep


@pytest.fixture
def temp(tmp_path: Path) -> Path:
    folder = tmp_path / "_temp" / "job"
    folder.mkdir(parents=True)
    return folder


def test_a_changed_file_is_as_it_was_with_its_mode(temp: Path, tmp_path: Path) -> None:
    file = tmp_path / ".npmrc"
    file.write_bytes(b"registry=x\r\n")
    file.chmod(0o640)
    keep_original(temp, file)
    file.write_text("token")
    file.chmod(0o600)
    keep_original(temp, file)  # a second task: what counts is the first
    put_back(temp)
    assert file.read_bytes() == b"registry=x\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(temp.parent.iterdir()) == [temp]
    file.write_text("later")
    put_back(temp)
    assert file.read_text() == "later"


def test_a_file_that_was_not_there_goes_and_one_that_was_removed_comes_back(temp: Path, tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("kept")
    for file in (new, old):
        keep_original(temp, file)
    new.write_text("token")
    old.unlink()
    put_back(temp)
    assert not new.exists()
    assert old.read_text() == "kept"


def test_what_is_kept_is_for_this_user_only_and_not_in_the_folder_that_containers_see(
    temp: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    keep_original(temp, file)
    (kept,) = [path for path in temp.parent.iterdir() if path != temp]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept.iterdir())
    assert list(temp.iterdir()) == []


def test_nothing_is_written_through_links_that_a_step_has_left(temp: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for each in (folder, elsewhere):
        each.mkdir()
        (each / "a").write_text(each.name)
        (each / "b").write_text(each.name)
    keep_original(temp, folder / "a")
    (folder / "a").unlink()
    (folder / "a").symlink_to(elsewhere / "a")
    put_back(temp)
    assert [(folder / "a").is_symlink(), (folder / "a").read_text()] == [False, "folder"]

    keep_original(temp, folder / "b")
    folder.rename(tmp_path / "moved")
    folder.symlink_to(elsewhere)
    put_back(temp)
    assert [(elsewhere / name).read_text() for name in "ab"] == ["elsewhere", "elsewhere"]


def test_a_folder_that_is_gone_is_not_made_again(temp: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("x")
    keep_original(temp, folder / "file")
    (folder / "file").unlink()
    folder.rmdir()
    put_back(temp)
    assert not folder.exists()


def log_in(run: TaskRun) -> None:
    file = run.sources / "settings"
    run.restore_at_end(file)
    file.write_text("canary")


@pytest.mark.parametrize("end", ["exit 0", "exit 1"])
def test_it_is_put_back_when_the_job_ends_and_later_steps_see_the_change(jobs: Jobs, end: str) -> None:
    jobs.tasks["Acme@1"] = Task("Acme@1", log_in, inputs=())
    ran = jobs.run(
        jobs.script("echo mine > settings"), jobs.step("Acme@1", "B"), jobs.script(f"cat settings; {end}", "C")
    )
    assert ran.output("C")[0] == "canary"
    assert (jobs.work / "1/s/settings").read_text() == "mine\n"


def test_a_suspended_job_finds_the_change_when_it_goes_on(jobs: Jobs) -> None:
    with open_workspace(jobs.request()) as (workspace, lease):
        file = workspace.sources / "settings"
        keep_original(workspace.temp, file)
        file.write_text("canary")
        lease.keep()
    sweep(jobs.work)
    with open_workspace(jobs.request(progress=JobProgress())):
        assert file.read_text() == "canary"
    assert not file.exists()


def test_what_a_killed_job_changed_is_put_back_by_the_next_one(jobs: Jobs) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from sluice.runtime.originals import keep_original
        from sluice.runtime.request import JobRequest
        from sluice.runtime.workspace import open_workspace
        request = JobRequest(run_id=7, id="job-id", identifier="Stage.Job", display_name="Job", steps=(),
                             work=Path({os.fspath(jobs.work)!r}), workspace=Path({os.fspath(jobs.work / "1")!r}))
        with open_workspace(request) as (workspace, lease):
            file = workspace.sources / "settings"
            file.write_text("mine")
            keep_original(workspace.temp, file)
            file.write_text("canary")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    file = jobs.work / "1/s/settings"
    assert file.read_text() == "canary"
    with open_workspace(jobs.request(id="next", workspace=jobs.work / "2")):
        assert file.read_text() == "mine"
        assert b"canary" not in b"".join(path.read_bytes() for path in jobs.work.rglob("*") if path.is_file())


def test_a_file_that_cannot_be_read_fails_the_task(jobs: Jobs) -> None:
    def ask(run: TaskRun) -> None:
        run.restore_at_end(run.sources)  # a folder

    jobs.tasks["Acme@1"] = Task("Acme@1", ask, inputs=())
    ran = jobs.run(jobs.step("Acme@1"))
    ((_, message),) = ran.issues()
    assert "the file cannot be kept as it is" in message
