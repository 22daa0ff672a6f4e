"""Copies files to and from folders that are shared by other means."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.packing import opened
from sluice.runtime.artifacts.unpacking import Place, replacing
from sluice.runtime.artifacts.walking import Found


def copy(found: Iterable[Found], target: Path, *, check: Callable[[], None] = lambda: None) -> None:
    """Copy what is found below a folder: nothing is written through a link. `check` may raise between files."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        place = Place(target)
        for one in sorted(found, key=lambda each: each.kind == "link"):
            check()
            path = place.path(one.path, folder=one.kind == "folder")
            if one.kind == "link":
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                path.symlink_to(one.target)
            elif one.kind == "file":
                _copy_file(one.source, path)
    except OSError as error:
        raise TaskFailedError(
            "the files cannot be copied", where=str(error.filename or target), why=error.strerror or str(error)
        ) from error


def _copy_file(source: str, path: Path) -> None:
    with opened(source) as file:
        executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
        with replacing(path, executable=executable) as copied:
            shutil.copyfileobj(file, copied)
