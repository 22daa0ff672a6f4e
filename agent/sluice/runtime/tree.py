"""Walks a folder as the file tasks do: files and folders, links to folders followed, but never in circles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """Something below a folder: its `/`-separated name there, and whether it is (or leads to) a folder."""

    name: str
    folder: bool


def walk(root: Path) -> Iterator[Item]:
    """Everything below `root`, a folder before what is in it, sorted by name.

    A link to a folder is one, and is looked into unless it leads to a folder that it lies in; a link that leads
    nowhere is a file. Raises `OSError` for a folder that cannot be read.
    """
    waiting: list[tuple[str, tuple[str, ...]]] = [("", (os.path.realpath(root),))]
    while waiting:
        below, around = waiting.pop()
        folders = []
        with os.scandir(root / below) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            name = f"{below}/{entry.name}" if below else entry.name
            folder = entry.is_dir()
            yield Item(name, folder)
            if folder:
                real = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(around[-1], entry.name)  # noqa: PTH118
                if real not in around:
                    folders.append((name, (*around, real)))
        waiting.extend(reversed(folders))
