"""`CopyFilesOverSSH@0` against a real OpenSSH server."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Giver

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

pytestmark = pytest.mark.real


def copy(sshd: Any, sources: Path, target: Path | str, **options: Any) -> TaskOutcome:
    """Run CopyFilesOverSSH@0 without its delay between uploads."""
    runner = {name: options.pop(name) for name in ("cancellation", "tell") if name in options}
    return run_task(
        "CopyFilesOverSSH@0",
        inputs={"targetFolder": str(target), "delayBetweenUploads": "0"} | options,
        connections={"sshEndpoint": sshd.connection()},
        sources=sources,
        **runner,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for number in range(200):
        path = folder / f"part{number % 9}" / f"file {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * number * 331)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target" / "deep"


def test_two_hundred_files_arrive_in_parallel(sshd: Any, source: Path, target: Path, evidence: Giver) -> None:
    outcome = copy(sshd, source, target)
    assert outcome.result == Result.SUCCEEDED
    assert tree(target) == tree(source)
    assert outcome.lines[-1] == "Completed copying 200 files to the remote machine."
    percents = [percent for percent, _ in outcome.progress]
    assert percents[-1] == 100
    assert percents == sorted(percents)
    evidence("ssh", "UsernamePassword", "used", "OpenSSH", task="CopyFilesOverSSH@0")


def test_a_host_that_grants_few_sessions_gets_all_files_too(start_sshd: Any, source: Path, target: Path) -> None:
    assert copy(start_sshd(MaxSessions="2"), source, target).result == Result.SUCCEEDED
    assert tree(target) == tree(source)


def test_patterns_choose_and_exclude(sshd: Any, source: Path, target: Path) -> None:
    outcome = copy(sshd, source, target, contents="part1/*\n!**/file 1*.txt\n")
    assert outcome.result == Result.SUCCEEDED
    assert set(tree(target)) == {
        name for name in tree(source) if name.startswith("part1/") and not name.startswith("part1/file 1")
    }


def test_flattening_puts_all_files_into_the_target(sshd: Any, source: Path, target: Path) -> None:
    assert copy(sshd, source, target, flattenFolders="true").result == Result.SUCCEEDED
    assert set(tree(target)) == {path.name for path in source.rglob("*.txt")}


def test_flattening_two_files_of_one_name_is_refused(sshd: Any, tmp_path: Path, target: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "same").write_text(name)
    outcome = copy(sshd, tmp_path / "source", target, flattenFolders="true")
    assert "two files would be copied to" in outcome.message
    assert not target.exists()


def test_cleaning_removes_what_was_there_but_follows_no_links(
    sshd: Any, source: Path, target: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep")
    (target / "old" / "deeper").mkdir(parents=True)
    (target / "old" / "deeper" / ".hidden").write_text("x")
    (target / "link").symlink_to(outside)
    (target / ".env").write_text("keep")
    assert copy(sshd, source, target, cleanTargetFolder="true").result == Result.SUCCEEDED
    assert tree(target) == tree(source) | {".env": b"keep"}
    assert (outside / "precious").read_text() == "keep"
    outcome = copy(sshd, source, target, cleanTargetFolder="true", cleanHiddenFilesInTarget="true")
    assert outcome.result == Result.SUCCEEDED
    assert tree(target) == tree(source)


def test_existing_files_are_replaced_and_keep_their_mode(sshd: Any, source: Path, target: Path) -> None:
    place = target / "part0" / "file 9.txt"
    place.parent.mkdir(parents=True)
    place.write_text("old")
    place.chmod(0o600)
    assert copy(sshd, source, target).result == Result.SUCCEEDED
    assert tree(target) == tree(source)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_without_overwrite_an_existing_file_stays_and_fails_the_task(sshd: Any, source: Path, target: Path) -> None:
    place = target / "part0" / "file 9.txt"
    place.parent.mkdir(parents=True)
    place.write_text("old")
    outcome = copy(sshd, source, target, overwrite="false")
    assert outcome.message == "sshd: Failed to copy 1 files"
    assert "because it already exists and the 'Overwrite' option is disabled." in outcome.log
    assert tree(target) == tree(source) | {"part0/file 9.txt": b"old"}


def test_programs_stay_executable(sshd: Any, tmp_path: Path, target: Path) -> None:
    (tmp_path / "source").mkdir()
    program = tmp_path / "source" / "run.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert copy(sshd, tmp_path / "source", target).result == Result.SUCCEEDED
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) & 0o700 == 0o700


def test_a_link_that_leads_out_of_the_source_is_refused(sshd: Any, source: Path, target: Path) -> None:
    (source / "leak").symlink_to("/etc/hostname")
    outcome = copy(sshd, source, target)
    assert "is a link that leads out of the source folder" in outcome.message
    assert not target.exists()


def test_nothing_to_copy_is_a_warning_or_a_failure(sshd: Any, source: Path, target: Path) -> None:
    outcome = copy(sshd, source, target, contents="*.nothing")
    assert outcome.result == Result.SUCCEEDED
    assert outcome.messages("warning") == [
        "No files were found matching the patterns specified to copy to the remote machine."
    ]
    assert copy(sshd, source, target, contents="*.nothing", failOnEmptySource="true").result == Result.FAILED


def test_a_target_that_is_a_file_is_told(sshd: Any, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_text("file")
    assert f"the target folder {target} is a file" in copy(sshd, source, target).message


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_target_without_permission_is_told(sshd: Any, source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    target.chmod(0o500)
    assert "permission" in copy(sshd, source, target).log


def test_a_target_that_cannot_be_made_is_told(sshd: Any, source: Path) -> None:
    assert "Unable to create target folder /proc/nowhere" in copy(sshd, source, "/proc/nowhere/deep").message


@pytest.mark.parametrize("trap", ["trap '' XFSZ", ":"], ids=["refused", "session-dies"])
def test_a_file_that_the_host_cannot_store_leaves_nothing_behind(
    start_sshd: Any, require_program: Any, tmp_path: Path, target: Path, trap: str
) -> None:
    server = require_program("/usr/lib/openssh/sftp-server", "apt-get install openssh-sftp-server")
    limited = tmp_path / "limited.sh"
    limited.write_text(f"#!/bin/sh\n{trap}\nulimit -f 64\nexec {server}\n")
    limited.chmod(0o755)
    source = tmp_path / "source"
    source.mkdir()
    (source / "a large one").write_bytes(b"x" * 1_000_000)
    (source / "small").write_bytes(b"x" * 1000)
    outcome = copy(start_sshd(Subsystem=f"sftp {limited}"), source, target, concurrentUploads="1")
    assert outcome.message == "sshd: Failed to copy 1 files"
    assert f"Failed to copy {source / 'a large one'}" in outcome.log
    assert [path.name for path in target.iterdir()] == ["small"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_called_so(sshd: Any, tmp_path: Path, tiny_disk: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(b"x" * 3_000_000)
    outcome = copy(sshd, tmp_path / "source", tiny_disk / "target")
    assert "the disk of the remote machine is full" in outcome.log
    assert list((tiny_disk / "target").iterdir()) == []


def test_canceling_leaves_no_unfinished_file(sshd: Any, source: Path, target: Path) -> None:
    cancellation = Cancellation()
    started: list[str] = []

    def note(line: str) -> None:
        if line.startswith("Copying file"):
            started.append(line)
            if len(started) == 50:
                cancellation.cancel()

    outcome = copy(sshd, source, target, cancellation=cancellation, tell=note)
    assert outcome.result == Result.CANCELED
    arrived = tree(target)
    assert 0 < len(arrived) < 200
    assert arrived.items() <= tree(source).items()
