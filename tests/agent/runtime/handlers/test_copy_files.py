"""`CopyFiles@2`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.runtime.conftest import Jobs, Ran

    from sluice.runtime.request import StepRequest


@pytest.fixture
def copied(jobs: Jobs) -> Path:
    for name in ("a.txt", "bin/x.dll", "bin/app.exe", "bin/.hidden", "bin/deep/x.dll", "a{b,c}.md"):
        path = jobs.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return jobs.work / "1" / "out"


def step(jobs: Jobs, contents: str = "**", **inputs: str) -> StepRequest:
    given = {"SourceFolder": "", "Contents": contents, "TargetFolder": "$(Agent.BuildDirectory)/out"}
    return jobs.step("CopyFiles@2", "C", inputs={**given, **inputs})


def run(jobs: Jobs, *steps: StepRequest) -> Ran:
    return jobs.run(jobs.step("Checkout@1", "K", inputs={"repository": "self"}), *steps)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ("**/*.dll", ["bin/deep/x.dll", "bin/x.dll"]),
        ("bin/**\n!bin/**/*.dll", ["bin/.hidden", "bin/app.exe"]),
        ("**/?(*.dll|*.exe)", ["bin/app.exe", "bin/deep/x.dll", "bin/x.dll"]),
        ("a{b,c}.md", ["a{b,c}.md"]),
        ("bin", []),
    ],
)
def test_patterns_choose_files(jobs: Jobs, copied: Path, contents: str, expected: list[str]) -> None:
    ran = run(jobs, step(jobs, contents))
    assert ran.results()["C"] == "Succeeded", ran.log()
    assert names(copied) == expected
    assert f"found {len(expected)} files" in ran.log("C")


def test_what_is_there_stays_unless_it_may_be_overwritten(jobs: Jobs, copied: Path) -> None:
    ran = run(jobs, jobs.script(f"mkdir -p {copied}; echo old >{copied}/a.txt"), step(jobs, "a.txt"))
    assert "already exist at" in ran.log("C")
    assert (copied / "a.txt").read_text() == "old\n"
    run(jobs, step(jobs, "a.txt", OverWrite="true"))
    assert (copied / "a.txt").read_text() == "a.txt"


def test_a_target_is_cleaned_flattened_and_keeps_times_on_request(jobs: Jobs, copied: Path) -> None:
    run(
        jobs,
        jobs.script(f"mkdir -p {copied}/more; touch {copied}/old"),
        step(jobs, "**/*.exe", CleanTargetFolder="true"),
    )
    assert names(copied) == ["bin/app.exe"]
    old = "touch -d '2001-02-03T04:05:06Z' bin/app.exe"
    run(jobs, jobs.script(old), step(jobs, "**/*.exe", flattenFolders="true", preserveTimestamp="true"))
    assert (copied / "app.exe").stat().st_mtime == 981173106


def test_a_target_that_holds_the_source_is_not_cleaned(jobs: Jobs, copied: Path) -> None:
    ran = run(jobs, step(jobs, TargetFolder="$(Agent.BuildDirectory)", CleanTargetFolder="true"))
    assert ran.results()["C"] == "Failed"
    assert "is not cleaned" in ran.log("C")
    assert (jobs.work / "1/s/a.txt").exists()


def test_a_folder_in_the_place_of_a_file_is_told(jobs: Jobs, copied: Path) -> None:
    ran = run(jobs, jobs.script(f"mkdir -p {copied}/a.txt"), step(jobs, "a.txt"))
    assert "The target path already exists as a directory." in ran.log("C")
    assert ran.results()["C"] == "Failed"


@pytest.mark.parametrize(("name", "text"), [("TargetFolder", "Input required: TargetFolder"), ("Contents", "Input required: Contents"), ("SourceFolder", "Not found SourceFolder: /nowhere")])  # fmt: skip
def test_inputs_that_are_missing_are_told(jobs: Jobs, copied: Path, name: str, text: str) -> None:
    ran = run(jobs, step(jobs, **{name: "/nowhere" if name == "SourceFolder" else ""}))
    assert ran.issues("C") == [("error", text)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_made_may_be_ignored(jobs: Jobs, copied: Path) -> None:
    jobs.work.parent.joinpath("closed").mkdir(mode=0o500)
    ran = run(jobs, step(jobs, "a.txt", TargetFolder=f"{jobs.work.parent}/closed/x", ignoreMakeDirErrors="true"))
    assert "Unable to create target folder" in ran.log("C")


def test_a_copy_is_tried_again_as_often_as_asked(jobs: Jobs, copied: Path) -> None:
    target = jobs.work.parent / "file"
    target.touch()
    ran = run(jobs, step(jobs, "a.txt", TargetFolder=f"{target}/x", retryCount="2", delayBetweenRetries="1"))
    assert ran.log("C").count("Trying again.") == 2
    assert ran.results()["C"] == "Failed"


@pytest.mark.parametrize("pattern", ["./a.txt", "bin/./*", "bin/**/", "!a.txt", "!(bin)"])
def test_a_pattern_that_the_task_matches_with_nothing_copies_nothing(jobs: Jobs, copied: Path, pattern: str) -> None:
    assert "found 0 files" in run(jobs, step(jobs, pattern)).log("C")
    assert not copied.exists()


def test_a_link_to_a_file_is_copied_as_the_link_that_it_is(jobs: Jobs, copied: Path) -> None:
    (jobs.repository / "bin/link").symlink_to("../a.txt")
    copied.joinpath("bin").mkdir(parents=True)
    copied.joinpath("bin/link").write_text("old")
    ran = run(jobs, step(jobs, "bin/link", OverWrite="true", preserveTimestamp="true"))
    assert ran.results()["C"] == "Succeeded", ran.log()
    assert str((copied / "bin/link").readlink()) == "../a.txt"


def test_a_link_that_leads_nowhere_stops_the_copying_before_anything_is_cleaned_away(jobs: Jobs, copied: Path) -> None:
    (jobs.repository / "broken").symlink_to("nowhere")
    copied.mkdir(parents=True)
    copied.joinpath("kept").touch()
    ran = run(jobs, step(jobs, "**", CleanTargetFolder="true"))
    assert 'broken" does not exist' in ran.issues("C")[0][1]
    assert names(copied) == ["kept"]
