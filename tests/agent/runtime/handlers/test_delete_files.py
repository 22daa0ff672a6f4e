"""`DeleteFiles@1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.runtime.conftest import Jobs, Ran

TREE = ("a.txt", ".hidden", "obj/x.o", "obj/.keep", "obj/deep/y.o", "src/main.c")


@pytest.fixture
def tree(jobs: Jobs, tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for name in TREE:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def run(jobs: Jobs, tree: Path, contents: str, **inputs: str) -> Ran:
    return jobs.run(jobs.step("DeleteFiles@1", inputs={"SourceFolder": str(tree), "Contents": contents, **inputs}))


@pytest.mark.parametrize(
    ("contents", "dots", "left"),
    [
        ("obj", "false", [".hidden", "a.txt", "src", "src/main.c"]),
        ("**/*.o", "false", [".hidden", "a.txt", "obj", "obj/.keep", "obj/deep", "src", "src/main.c"]),
        ("*", "false", [".hidden"]),
        ("*", "true", []),
        ("**\n!src/**", "true", ["src", "src/main.c"]),
        ("**\n!obj/deep/*", "true", ["obj", "obj/deep", "obj/deep/y.o"]),
        ("../*", "true", [".hidden", "a.txt", "obj", "obj/.keep", "obj/deep", "obj/deep/y.o", "obj/x.o", "src", "src/main.c"]),
        ("!a.txt", "true", [".hidden", "a.txt", "obj", "obj/.keep", "obj/deep", "obj/deep/y.o", "obj/x.o", "src", "src/main.c"]),
        ("obj/", "true", [".hidden", "a.txt", "obj", "obj/.keep", "obj/deep", "obj/deep/y.o", "obj/x.o", "src", "src/main.c"]),
        ("src/../obj", "true", [".hidden", "a.txt", "src", "src/main.c"]),
        ("{a.txt,src}", "false", [".hidden", "obj", "obj/.keep", "obj/deep", "obj/deep/y.o", "obj/x.o"]),
    ],
)  # fmt: skip
def test_patterns_delete_files_and_folders(jobs: Jobs, tree: Path, contents: str, dots: str, left: list[str]) -> None:
    ran = run(jobs, tree, contents, RemoveDotFiles=dots)
    assert ran.results() == {"A": "Succeeded"}, ran.log()
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == left


def test_the_folder_goes_when_nothing_is_left_in_it(jobs: Jobs, tree: Path) -> None:
    run(jobs, tree, "**/*.o", RemoveSourceFolder="true")
    assert tree.is_dir()
    run(jobs, tree, "*", RemoveSourceFolder="true", RemoveDotFiles="true")
    assert not tree.exists()


def test_a_link_goes_and_what_it_leads_to_stays(jobs: Jobs, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    (tree / "link").symlink_to(tmp_path / "other")
    run(jobs, tree, "link")
    assert not (tree / "link").is_symlink()
    assert (tmp_path / "other/file").exists()


def test_a_folder_that_is_not_there_is_no_failure(jobs: Jobs, tree: Path) -> None:
    assert run(jobs, tree / "nothing", "*").results() == {"A": "Succeeded"}


def test_a_pattern_is_joined_to_the_folder_also_when_it_is_absolute(jobs: Jobs, tree: Path) -> None:
    run(jobs, tree, str(tree / "obj"))
    assert (tree / "obj").is_dir()


def test_a_dot_is_the_folder_itself(jobs: Jobs, tree: Path) -> None:
    assert run(jobs, tree, ".", RemoveSourceFolder="true").results() == {"A": "Succeeded"}
    assert not tree.exists()


def test_a_clean_up_of_a_build_leaves_a_symbol_store_alone(jobs: Jobs, tree: Path) -> None:
    (tree / "000Admin").touch()
    ran = run(jobs, tree, "**", BuildCleanup="true")
    assert ran.issues("A") == [("warning", f"Skipping delete for symbol store file share: {tree}")]
    assert (tree / "a.txt").is_file()
