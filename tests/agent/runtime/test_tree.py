"""Walking a folder."""

from __future__ import annotations

from pathlib import Path

from sluice.runtime.tree import Item, walk


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "also").symlink_to(tmp_path / "a/b")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert list(walk(tmp_path)) == [
        Item("a", folder=True),
        Item("also", folder=True),
        Item("gone", folder=False),
        Item("a/b", folder=True),
        Item("a/b/file", folder=False),
        Item("a/b/up", folder=True),
        Item("also/file", folder=False),
        Item("also/up", folder=True),
        Item("also/up/b", folder=True),
    ]
