"""What counts as a change: the pipeline, and what git knows of its repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sluice.runs.watched import Watched, changes


def watched(root: Path, *more: Path) -> Watched:
    return Watched(file=root / "azure-pipelines.yml", roots=(root, *more), private=root / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "home").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".gitignore").write_text("out/\n")
    (root / "azure-pipelines.yml").write_text("steps: []\n")
    (root / "tracked.py").write_text("1\n")
    subprocess.run(["git", "-C", root, "add", "."], check=True)
    return root


def names(root: Path, found: frozenset[str]) -> set[str]:
    return {str(Path(path).relative_to(root)) for path in found}


def test_changes_new_files_and_files_that_went_are_seen(repository: Path) -> None:
    watch = watched(repository)
    before = watch.look()
    (repository / "azure-pipelines.yml").write_text("steps:\n- script: x\n")
    (repository / "new file\n.txt").write_text("")
    (repository / "tracked.py").unlink()
    changed = changes(before, watch.look())
    assert names(repository, changed) == {"azure-pipelines.yml", "new file\n.txt", "tracked.py"}


def test_what_git_ignores_and_what_sluice_keeps_is_not_looked_at(repository: Path) -> None:
    watch = watched(repository)
    before = watch.look()
    (repository / "out").mkdir()
    (repository / "out" / "built").write_text("")
    (repository / "home" / "sluice.db").write_text("")
    subprocess.run(["git", "-C", repository, "tag", "x"], check=False, capture_output=True)
    (repository / ".git" / "anything").write_text("")
    assert changes(before, watch.look()) == frozenset()


def test_a_checkout_that_was_given_is_looked_at_too(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "templates"
    other.mkdir()
    watch = watched(repository, other)
    before = watch.look()
    (other / "steps.yml").write_text("steps: []\n")
    assert names(other, changes(before, watch.look())) == {"steps.yml"}


def test_a_folder_without_git_is_looked_at_as_far_as_that_is_quick(tmp_path: Path) -> None:
    (tmp_path / "azure-pipelines.yml").write_text("")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("")
    assert len(watched(tmp_path).look()) == 2
