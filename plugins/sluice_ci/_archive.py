"""Unpacks a zip file that a stranger made: nothing leaves the folder, no links, no more than it says."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from sluice.plugin import TaskFailedError

MAX_ENTRIES = 200_000
MAX_BYTES = 50 << 30
MAX_RATIO = 1000
"""An entry that grows more than this is no artifact but a bomb."""
_SMALL = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:")
_CHUNK = 1 << 20


def unpack(source: Path, target: Path, *, strip: str = "", check: Callable[[], None] = lambda: None) -> None:
    """Unpack into a folder, leaving out the first folder `strip` of each name; `check` may raise between pieces.

    Raises `TaskFailedError`, before anything is written where it can be told so early.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [(entry, _place(entry, target, strip)) for entry in _sound(archive, source)]
            for entry, place in entries:
                if place is not None and not entry.is_dir():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    _write(archive, entry, place, check)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TaskFailedError(f"{source.name} is no sound zip file", why=str(error) or type(error).__name__) from error


def _sound(archive: zipfile.ZipFile, source: Path) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise TaskFailedError(f"{source.name} has more than {MAX_ENTRIES} entries")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise TaskFailedError(f"{source.name} unpacks to more than {MAX_BYTES >> 30} GiB")
    for entry in entries:
        if entry.file_size > max(_SMALL, entry.compress_size * MAX_RATIO):
            raise TaskFailedError(f"{source.name} is not unpacked: an entry grows more than {MAX_RATIO} times")
    return entries


def _place(entry: zipfile.ZipInfo, target: Path, strip: str) -> Path | None:
    """Where the entry goes; None for the folder that is left out."""
    name = entry.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name) or "\0" in name:
        raise TaskFailedError("the archive is not unpacked: a name in it leaves the folder", why=repr(name[:200]))
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise TaskFailedError("the archive is not unpacked: there is a link in it", why=repr(name[:200]))
    parts = path.parts[1:] if strip and path.parts[:1] == (strip,) else path.parts
    if not parts:
        return None
    place = target.joinpath(*parts)
    if not place.resolve().is_relative_to(target.resolve()):  # through a link that was in the folder before
        raise TaskFailedError("the archive is not unpacked: a name in it leaves the folder", why=repr(name[:200]))
    return place


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path, check: Callable[[], None]) -> None:
    with archive.open(entry) as packed, place.open("wb") as file:
        size = 0
        while piece := packed.read(_CHUNK):
            check()
            size += len(piece)
            if size > entry.file_size:
                raise TaskFailedError("the archive is not unpacked: an entry is longer than it says")
            file.write(piece)
