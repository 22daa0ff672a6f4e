"""The home of a job's steps: its own, with caches and tools of the person, without log-ins, gone with the job."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.runtime.private_home import CACHES, SETTING, TOOLS, job_home
from sluice.runtime.workspace import WorkspaceError

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs


def test_what_a_step_leaves_at_home_goes_with_the_job(jobs: Jobs) -> None:
    person = Path(jobs.environ["HOME"])
    (person / ".npmrc").write_text("//registry/:_authToken=the-person's")
    script = "stat -c %a $HOME; cat $HOME/.npmrc; mkdir -p ~/.m2; echo secret > ~/.m2/settings.xml; echo $HOME"
    ran = jobs.run(jobs.script(f"{script}; true"), jobs.script("cat ~/.m2/settings.xml", "B"))
    mode, missing, home = ran.output("A")
    assert mode == "700"
    assert missing.endswith("No such file or directory")
    assert ran.output("B") == ["secret"], "it is there for the next step"
    assert not Path(home).exists()
    assert not (person / ".m2").exists()


@pytest.mark.parametrize(("folder", "expected"), [("plain", "-Xmx1g -Duser.home={}"), ("with space", "-Xmx1g")])
def test_maven_is_told_where_the_home_is_which_java_would_not_ask(tmp_path: Path, folder: str, expected: str) -> None:
    temp = tmp_path / folder
    temp.mkdir()
    home = job_home({"HOME": os.fspath(tmp_path)}, temp, tmp_path / "work")["HOME"]
    script = 'MAVEN_OPTS=-Xmx1g; . "$HOME/.mavenrc"; printf %s "$MAVEN_OPTS"'  # as mvn has it
    done = subprocess.run(["sh", "-c", script], env={"HOME": home}, capture_output=True, text=True, check=True)
    assert done.stdout == expected.format(home)


def test_caches_and_tools_are_the_persons(jobs: Jobs) -> None:
    person = Path(jobs.environ["HOME"])
    for name in (".npm", ".rustup", ".cargo/registry"):
        (person / name).mkdir(parents=True)
    (person / ".cargo" / "credentials.toml").write_text("token")
    ran = jobs.run(jobs.script("echo x > ~/.npm/kept; echo y > ~/.cache/pip/kept; ls -A ~/.cargo ~/.rustup"))
    assert "credentials.toml" not in ran.log("A")
    assert (person / ".npm" / "kept").read_text() == "x\n"
    assert (jobs.work / "_caches" / ".cache" / "pip" / "kept").read_text() == "y\n", "kept for the next job"
    assert not (person / ".cache").exists()


def test_the_setting_leaves_the_person_at_home(jobs: Jobs) -> None:
    jobs.environ[SETTING] = "user"
    assert jobs.run(jobs.script("echo $HOME")).output("A") == [jobs.environ["HOME"]]


def test_a_job_that_goes_on_finds_its_home(tmp_path: Path) -> None:
    first = job_home({"HOME": os.fspath(tmp_path)}, tmp_path, tmp_path / "work")
    (Path(first["HOME"]) / "kept").touch()
    assert job_home({}, tmp_path, tmp_path / "work") == first
    assert (Path(first["HOME"]) / "kept").exists()


def test_a_home_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file where the caches should be")
    with pytest.raises(WorkspaceError, match="the job's home cannot be made") as caught:
        job_home({}, tmp_path, tmp_path / "work")
    assert str(tmp_path) in str(caught.value)


def test_nothing_that_holds_a_log_in_is_linked() -> None:
    private = {".docker", ".npmrc", ".netrc", ".aws", ".azure", ".kube", ".m2", ".config", ".cargo", ".gradle", ".ssh"}
    assert not private & {*CACHES, *TOOLS}
