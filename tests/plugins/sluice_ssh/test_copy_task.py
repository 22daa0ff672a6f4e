from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.runtime.request import Result
from sluice.testing.ssh_host import SshHost
from sluice.testing.task_runner import TaskOutcome, run_task


@pytest.fixture
def host() -> Iterator[SshHost]:
    with SshHost(password="pw-28c1") as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("a.txt", "b.log", "bin/c.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def copy(host: SshHost, source: Path, **inputs: str) -> TaskOutcome:
    return run_task(
        "CopyFilesOverSSH@0",
        inputs={"delayBetweenUploads": "0"} | inputs,
        connections={"sshEndpoint": host.connection("prod")},
        sources=source,
    )


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("target", "place"), [("", ""), ("~", ""), ("~/www", "www"), ("www/./x/", "www/x")])
def test_the_target_is_relative_to_the_home_folder(host: SshHost, source: Path, target: str, place: str) -> None:
    assert copy(host, source, targetFolder=target).result == Result.SUCCEEDED
    assert names(host.folder / place) == ["a.txt", "b.log", "bin/c.txt"]


def test_a_folder_below_the_sources_can_be_copied(host: SshHost, source: Path) -> None:
    assert copy(host, source, sourceFolder="bin", targetFolder="x").result == Result.SUCCEEDED
    assert names(host.folder / "x") == ["c.txt"]


def test_a_source_that_is_no_folder_is_told(host: SshHost, source: Path) -> None:
    assert "Source folder has to be a valid folder path" in copy(host, source, sourceFolder="a.txt").message


def test_the_root_of_a_host_is_never_cleaned(host: SshHost, source: Path) -> None:
    for inputs in ({"targetFolder": "/"}, {"targetFolder": "C:\\", "isWindowsOnTarget": "true"}):
        assert "refused for the root" in copy(host, source, cleanTargetFolder="true", **inputs).message


def test_paths_of_windows_are_spelt_as_its_server_does(host: SshHost, source: Path) -> None:
    assert copy(host, source, targetFolder="www\\app", isWindowsOnTarget="true").result == Result.SUCCEEDED
    assert names(host.folder / "www" / "app") == ["a.txt", "b.log", "bin/c.txt"]


def test_a_place_without_permission_is_told(host: SshHost, source: Path) -> None:
    outcome = copy(host, source, targetFolder="/somewhere/else")
    assert outcome.result == Result.FAILED
    assert "no permission" in outcome.message


def test_a_folder_in_the_place_of_a_file_is_told(host: SshHost, source: Path) -> None:
    (host.folder / "a.txt").mkdir()
    outcome = copy(host, source)
    assert "a.txt is a folder on the remote machine" in outcome.log
    assert names(host.folder) == ["b.log", "bin/c.txt"]


@pytest.mark.parametrize("inputs", [{"concurrentUploads": "0"}, {"concurrentUploads": "many"}])
def test_wrong_numbers_are_told(host: SshHost, source: Path, inputs: dict[str, str]) -> None:
    assert "concurrentUploads" in copy(host, source, **inputs).message


def test_an_existing_link_is_replaced_not_followed(host: SshHost, source: Path) -> None:
    elsewhere = host.folder / "elsewhere"
    elsewhere.write_text("precious")
    (host.folder / "a.txt").symlink_to(elsewhere)
    assert copy(host, source, contents="a.txt").result == Result.SUCCEEDED
    assert elsewhere.read_text() == "precious"
    assert (host.folder / "a.txt").read_text() == "a.txt"
