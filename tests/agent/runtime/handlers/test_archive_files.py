"""`ArchiveFiles@2`, and what `ExtractFiles@1` makes of it."""

from __future__ import annotations

import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.runtime.conftest import Jobs, Ran


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("text")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("a.txt")
    return folder


def archive(jobs: Jobs, root: Path, target: Path, kind: str = "zip", **inputs: str) -> Ran:
    given = {"rootFolderOrFile": str(root), "archiveFile": str(target), "archiveType": kind}
    return jobs.run(jobs.step("ArchiveFiles@2", inputs={**given, **inputs}))


def extract(jobs: Jobs, pattern: str, target: Path, **inputs: str) -> Ran:
    given = {"archiveFilePatterns": pattern, "destinationFolder": str(target)}
    return jobs.run(jobs.step("ExtractFiles@1", inputs={**given, **inputs}))


@pytest.mark.parametrize(
    ("kind", "compression", "name"),
    [
        ("zip", "gz", "x/out.zip"),
        ("tar", "gz", "x/out.tar.gz"),
        ("tar", "bz2", "out.tar.bz2"),
        ("tar", "xz", "out.tar.xz"),
        ("tar", "none", "out.tar"),
    ],
)
@pytest.mark.parametrize("whole", ["true", "false"])
def test_what_is_packed_comes_out_again(
    jobs: Jobs, folder: Path, tmp_path: Path, kind: str, compression: str, name: str, whole: str
) -> None:
    packed = archive(jobs, folder, tmp_path / name, kind, tarCompression=compression, includeRootFolder=whole)
    assert packed.results() == {"A": "Succeeded"}, packed.log()
    unpacked = extract(jobs, str(tmp_path / name), tmp_path / "out")
    assert unpacked.results() == {"A": "Succeeded"}, unpacked.log()
    out = tmp_path / "out" / ("folder" if whole == "true" else "")
    assert sorted(path.name for path in out.iterdir()) == ["a.txt", "empty", "link", "run.sh"]
    assert (out / "run.sh").stat().st_mode & 0o100
    assert (out / "link").read_text() == "text"
    assert (out / "link").is_symlink() == (kind == "tar")


def test_a_single_file_is_packed_under_its_name(jobs: Jobs, folder: Path, tmp_path: Path) -> None:
    archive(jobs, folder / "a.txt", tmp_path / "a.zip", includeRootFolder="false")
    assert zipfile.ZipFile(tmp_path / "a.zip").namelist() == ["a.txt"]


def test_an_archive_is_replaced_or_added_to(jobs: Jobs, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    archive(jobs, folder / "a.txt", target)
    archive(jobs, folder / "run.sh", target, replaceExistingArchive="false")
    (folder / "a.txt").write_text("newer")
    archive(jobs, folder / "a.txt", target, replaceExistingArchive="false")
    with zipfile.ZipFile(target) as file:
        assert sorted(file.namelist()) == ["a.txt", "run.sh"]
        assert file.read("a.txt") == b"newer"
    archive(jobs, folder / "run.sh", target)
    with zipfile.ZipFile(target) as file:
        assert file.namelist() == ["run.sh"]


def test_a_tar_is_added_to_unless_it_is_compressed(jobs: Jobs, folder: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "run.sh"):
        archive(jobs, folder / name, tmp_path / "a.tar", "tar", tarCompression="none", replaceExistingArchive="false")
    with tarfile.open(tmp_path / "a.tar") as file:
        assert file.getnames() == ["a.txt", "run.sh"]
    archive(jobs, folder, tmp_path / "a.tgz", "tar")
    ran = archive(jobs, folder, tmp_path / "a.tgz", "tar", replaceExistingArchive="false")
    assert "Cannot update compressed archives" in ran.log()


def test_an_archive_in_the_folder_does_not_hold_itself(jobs: Jobs, folder: Path) -> None:
    for name, kind in (("a.zip", "zip"), ("a.tar.gz", "tar")):
        archive(jobs, folder, folder / name, kind, includeRootFolder="false")
        (folder / name).rename(folder.parent / name)
    assert "a.zip" not in zipfile.ZipFile(folder.parent / "a.zip").namelist()
    with tarfile.open(folder.parent / "a.tar.gz") as file:
        assert sorted(file.getnames()) == ["a.txt", "empty", "link", "run.sh"]


def test_what_is_not_there_is_told(jobs: Jobs, tmp_path: Path) -> None:
    ran = archive(jobs, tmp_path / "none", tmp_path / "a.zip")
    assert "No file or directory found" in ran.log()
    assert ran.results() == {"A": "Failed"}
    assert not (tmp_path / "a.zip").exists()


def test_a_7z_without_its_program_says_how_to_get_it(jobs: Jobs, folder: Path, tmp_path: Path) -> None:
    jobs.environ["PATH"] = str(tmp_path)
    ran = archive(jobs, folder, tmp_path / "a.7z", "7z")
    assert "Unable to locate executable file: '7z'" in ran.log()
    assert "p7zip" in ran.log()


def test_an_unknown_type_is_told(jobs: Jobs, folder: Path, tmp_path: Path) -> None:
    assert "Invalid archiveType 'rar'" in archive(jobs, folder, tmp_path / "a.rar", "rar").log()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_folder_with_nothing_to_pack_is_an_error(jobs: Jobs, tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    target = tmp_path / "out"
    ran = archive(jobs, tmp_path / "empty", target, kind, includeRootFolder="false")
    assert f"There is nothing to archive in {tmp_path}/empty" in ran.issues()[0][1]
    assert not target.exists()
