"""Homes of jobs serve the next job, unless a step has touched them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.runtime.private_home import job_home
from sluice.runtime.spare_homes import SpareHomes
from sluice.runtime.workspace import sweep

TOUCHES = [
    "touch ~/.npmrc",
    "touch ~/.npmrc; rm ~/.npmrc",
    "echo secret > ~/.m2/settings.xml",
    "mkdir -p ~/.m2/deep; rmdir ~/.m2/deep",
    "rm ~/.npm; ln -s /etc ~/.npm",
    "rm ~/.cache/pip; mkdir ~/.cache/pip",
    "echo >> ~/.mavenrc",
    "cp ~/.mavenrc x; cat x > ~/.mavenrc",
    "chmod 755 ~",
    "chmod 755 ~/.m2",
    "rm -rf ~",
    "rm -rf ~/.m2; ln -s /tmp ~/.m2",
    "touch -d '1 hour ago' ~/.m2",
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work" / "_temp").mkdir(parents=True)
    return tmp_path / "work"


def make(work: Path, job: str, homes: SpareHomes) -> Path:
    """The home of a job."""
    temp = work / "_temp" / job
    (temp / ".tools").mkdir(parents=True)
    person = work.parent / "person"
    person.mkdir(exist_ok=True)
    return Path(job_home({"HOME": os.fspath(person)}, temp, work, homes)["HOME"])


def step(home: Path, script: str) -> None:
    subprocess.run(
        ["bash", "-c", script], env={"HOME": os.fspath(home), "PATH": os.environ["PATH"]}, cwd="/tmp", check=True
    )


def tree(home: Path) -> list[tuple[str, int, str]]:
    found = sorted(home.rglob("*"))
    return [
        (os.fspath(one.relative_to(home)), one.lstat().st_mode, os.fspath(one.readlink()) if one.is_symlink() else "")
        for one in found
    ]


def test_a_home_that_was_only_read_serves_the_next_job(work: Path) -> None:
    homes = SpareHomes(work)
    first = make(work, "1", homes)
    expected, number = tree(first), first.stat().st_ino
    step(first, "ls -laR ~ > /dev/null; cat ~/.mavenrc > /dev/null")
    homes.give_back(os.fspath(first))
    assert not first.exists()
    second = make(work, "2", homes)
    assert (second.stat().st_ino, tree(second)) == (number, expected)
    homes.give_back(os.fspath(second))
    assert make(work, "3", homes).stat().st_ino == number


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("used", [False, True], ids=["new", "used before"])
def test_a_home_that_was_touched_goes_with_its_job(work: Path, tmp_path: Path, touch: str, used: bool) -> None:
    homes = SpareHomes(work)
    first = make(work, "1", homes)
    if used:
        homes.give_back(os.fspath(first))
        first = make(work, "2", homes)
    number = (first / ".m2").stat().st_ino
    step(first, f"cd {tmp_path}; {touch}")
    homes.give_back(os.fspath(first))
    second = make(work, "3", homes)
    assert (second / ".m2").stat().st_ino != number or not first.exists()
    assert tree(second) == tree(make(work, "4", SpareHomes(work)))
    assert first.exists() or touch == "rm -rf ~"


def test_a_spare_home_that_is_gone_is_made_anew(work: Path) -> None:
    homes = SpareHomes(work)
    homes.give_back(os.fspath(make(work, "1", homes)))
    for one in (work / "_temp").glob("homes-*/*"):
        shutil.rmtree(one)
    second = make(work, "2", homes)
    assert tree(second) == tree(make(work, "3", SpareHomes(work)))
    homes.give_back(os.fspath(second))
    assert not second.exists()


def test_a_home_goes_with_its_job_when_there_is_no_place_to_keep_it(work: Path) -> None:
    homes = SpareHomes(work)
    home = make(work, "1", homes)
    homes._folder.symlink_to(work)
    homes.give_back(os.fspath(home))
    assert home.exists()


def test_a_home_of_another_person_does_not_serve(work: Path) -> None:
    homes = SpareHomes(work)
    homes.give_back(os.fspath(make(work, "1", homes)))
    other = work.parent / "other"
    (other / ".npm").mkdir(parents=True)
    temp = work / "_temp" / "2"
    (temp / ".tools").mkdir(parents=True)
    home = Path(job_home({"HOME": os.fspath(other)}, temp, work, homes)["HOME"])
    assert (home / ".npm").resolve() == other / ".npm"


def test_what_is_kept_goes_with_its_keeper(work: Path) -> None:
    homes = SpareHomes(work)
    (work / "_temp" / "1").mkdir()
    homes.give_back(os.fspath(make(work, "2", homes)))
    kept = {one.name for one in (work / "_temp").iterdir()}
    assert any(name.startswith("homes-") for name in kept)
    sweep(work)
    assert {one.name for one in (work / "_temp").iterdir()} == kept, "it is in use"
    del homes
    assert {one.name for one in (work / "_temp").iterdir()} == {"1", "2"}


def test_what_a_killed_process_kept_is_swept_away(work: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from sluice.runtime.spare_homes import SpareHomes\n"
        "from sluice.runtime.private_home import job_home\n"
        "work = Path(sys.argv[1]); temp = work / '_temp' / '1'; (temp / '.tools').mkdir(parents=True)\n"
        "homes = SpareHomes(work); homes.give_back(job_home({}, temp, work, homes)['HOME'])\n"
        "assert any(one.name.startswith('homes-') for one in (work / '_temp').iterdir())\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, os.fspath(work)], check=False)
    assert done.returncode == -signal.SIGKILL
    sweep(work)
    assert [one.name for one in (work / "_temp").iterdir()] == ["1"]
