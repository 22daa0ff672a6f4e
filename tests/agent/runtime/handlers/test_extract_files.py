"""`ExtractFiles@1`."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.runtime.conftest import Jobs, Ran


@pytest.fixture
def archives(jobs: Jobs) -> Path:
    for name in ("one.zip", "x/two.zip", "x/three.jar", ".x/four.zip"):
        path = jobs.repository / name
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"{path.stem}.txt", path.stem)
    return jobs.repository


def run(jobs: Jobs, patterns: str, target: str = "$(Agent.BuildDirectory)/out", **inputs: str) -> Ran:
    given = {"archiveFilePatterns": patterns, "destinationFolder": target}
    return jobs.run(
        jobs.step("Checkout@1", "K", inputs={"repository": "self"}),
        jobs.step("ExtractFiles@1", "X", inputs={**given, **inputs}),
    )


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("**/*.zip", ["one.txt", "two.txt"]),
        ("x/*", ["three.txt", "two.txt"]),
        ("one.zip\nx/t??.zip", ["one.txt", "two.txt"]),
        (".x/*.zip", ["four.txt"]),
    ],
)
def test_patterns_choose_archives(jobs: Jobs, archives: Path, patterns: str, expected: list[str]) -> None:
    ran = run(jobs, patterns)
    assert ran.results()["X"] == "Succeeded", ran.log()
    assert sorted(path.name for path in (jobs.work / "1/out").iterdir()) == expected


def test_the_destination_is_cleaned_unless_told_otherwise(jobs: Jobs, archives: Path) -> None:
    target = jobs.work.parent / "out"
    target.mkdir()
    (target / "old").touch()
    run(jobs, "one.zip", str(target), cleanDestinationFolder="false")
    assert sorted(path.name for path in target.iterdir()) == ["old", "one.txt"]
    run(jobs, "one.zip", str(target))
    assert [path.name for path in target.iterdir()] == ["one.txt"]


@pytest.mark.parametrize("target", ["$(Build.SourcesDirectory)", "$(Agent.BuildDirectory)", "x"])
def test_a_destination_that_holds_what_is_needed_is_not_cleaned(jobs: Jobs, archives: Path, target: str) -> None:
    ran = run(jobs, "x/two.zip", target)
    assert "is not cleaned" in ran.log("X")
    assert (jobs.work / "1/s/x/two.zip").exists()


def test_an_archive_that_is_not_there_is_told(jobs: Jobs, archives: Path) -> None:
    assert "is not there" in run(jobs, "none.zip").log("X")
    assert ("warning", "No files found with the specified archive file patterns.") in run(jobs, "*.rar").issues("X")


def test_another_archive_without_7z_says_how_to_get_it(jobs: Jobs, archives: Path) -> None:
    (archives / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    ran = run(jobs, "a.7z")
    assert ran.results()["X"] == "Failed"
    assert "7z" in ran.log("X")
