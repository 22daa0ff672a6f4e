"""`.artifactignore` reads like `.gitignore`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sluice.runtime.artifacts.ignoring import ignored_in, rules
from sluice.runtime.artifacts.walking import walk


@pytest.mark.parametrize(
    ("text", "ignored", "kept"),
    [
        ("*.log", ["a.log", "d/b.log"], ["a.txt"]),
        ("/a.log", ["a.log"], ["d/a.log"]),
        ("d/", ["d/x", "d/e/y"], ["e/d"]),
        ("d/*.txt", ["d/a.txt"], ["d/e/a.txt", "x/d/a.txt"]),
        ("**/bin/**", ["x/bin/a", "bin/b"], ["x/bon/a"]),
        ("*.log\n!keep.log", ["a.log"], ["keep.log", "d/keep.log"]),
        ("# comment\n\n\\#file", ["#file"], ["comment"]),
        ("**/*\n!*.exe\n!*/", ["a.txt", "d/a.txt"], ["a.exe", "d/a.exe"]),
        ("a[0-9]", ["a1"], ["ab"]),
        ("!", [], ["a"]),
    ],
)
def test_the_rules_mean_what_git_means(text: str, ignored: list[str], kept: list[str], tmp_path: Path) -> None:
    for name in (*ignored, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".artifactignore").write_text(text)
    found = {one.path for one in walk(tmp_path, skip=ignored_in(tmp_path)) if one.kind == "file"}
    assert found - {".artifactignore"} == set(kept)
    (tmp_path / ".gitignore").write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = subprocess.run(
        ["git", "-C", tmp_path, "ls-files", "-o", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    assert set(listed.stdout.splitlines()) - {".artifactignore", ".gitignore"} == set(kept)


def test_without_rules_only_the_repository_itself_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").touch()
    (tmp_path / "a").touch()
    assert [one.path for one in walk(tmp_path, skip=ignored_in(tmp_path))] == ["a"]
    (tmp_path / ".artifactignore").touch()
    assert ".git/config" in [one.path for one in walk(tmp_path, skip=ignored_in(tmp_path))]


def test_a_hostile_pattern_takes_no_time() -> None:
    skip = rules("*a" * 200 + "b")
    assert not skip("a" * 4000, False)
