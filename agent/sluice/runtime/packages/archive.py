"""Brings a package's files into a folder of our own: from a folder, a zip or a `.vsix`, and nothing but files.

Links, absolute paths, `..`, names that mean something else elsewhere (devices, another case of a known name) and
archives that unfold to too much are refused; what was written until then is the caller's to remove.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sluice.errors import UsageError
from sluice.values import dataclass

MAX_ARCHIVE = 1 << 30
MAX_FILES = 100_000
MAX_TOTAL = 2 << 30
"""Bytes that a package's files may have together."""
MAX_DIRECTORY = 32 << 20
"""Bytes that an archive's list of files may have: it is read whole."""
MAX_PATH = 1024

_CHUNK = 1 << 20
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?\Z", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
_LEFT_OUT = frozenset({".git", ".hg", ".svn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a package may be."""

    files: int = MAX_FILES
    total: int = MAX_TOTAL


class Archive:
    """An opened zip whose every name has been checked."""

    def __init__(self, path: Path, file: zipfile.ZipFile, limits: Limits) -> None:
        self._path = path
        self._zip = file
        self._limits = limits
        self._members: dict[str, zipfile.ZipInfo] = {}
        names = _Names(str(path), limits)
        for info in file.infolist():
            name = names.take(info.filename.replace("\\", "/"), folder=info.is_dir())
            self._check(info)
            if not info.is_dir():
                self._members[name] = info

    @property
    def names(self) -> Sequence[str]:
        """The files, with `/`."""
        return tuple(self._members)

    def read(self, name: str, limit: int) -> bytes:
        """A file's content; raises `UsageError` when it is missing or longer than the limit."""
        info = self._members.get(name)
        if info is None:
            raise UsageError(f"there is no '{name}' in the archive", where=str(self._path))
        with self._opened(info) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise UsageError(f"'{name}' in the archive is too big", where=str(self._path))
        return content

    def extract(self, folder: str, target: Path) -> None:
        """Write what lies below a folder of the archive ('' for all of it) into a new folder."""
        prefix = f"{folder}/" if folder else ""
        left = self._limits.total
        target.mkdir(mode=0o700, parents=True)
        for name, info in self._members.items():
            if name.startswith(prefix):
                left = self._write(info, target / name[len(prefix) :], left)

    def _write(self, info: zipfile.ZipInfo, path: Path, left: int) -> int:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._opened(info) as source, path.open("xb") as file:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:  # whatever the archive's own list says of sizes
                    raise _too_big(str(self._path), self._limits)
                file.write(chunk)
        if info.create_system == 3 and (info.external_attr >> 16) & stat.S_IXUSR:
            path.chmod(0o700)
        return left

    @contextmanager
    def _opened(self, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        try:
            with self._zip.open(info) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise UsageError(f"'{info.filename}' cannot be unpacked", where=str(self._path), why=str(error)) from error

    def _check(self, info: zipfile.ZipInfo) -> None:
        kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            what = "a link" if kind == stat.S_IFLNK else "no plain file"
            raise UsageError(f"'{info.filename}' in the archive is {what}", where=str(self._path))
        if info.flag_bits & 1:
            raise UsageError(f"'{info.filename}' in the archive is encrypted", where=str(self._path))


@contextmanager
def opened(path: Path, limits: Limits | None = None) -> Iterator[Archive]:
    """A zip or `.vsix`, checked; raises `UsageError` when it is none or may do harm."""
    try:
        with path.open("rb") as raw:
            _check_size(path, raw)
            with _unzipped(path, raw) as file:
                yield Archive(path, file, limits or Limits())
    except OSError as error:
        name = error.filename or path
        raise UsageError("the package cannot be unpacked", where=str(name), why=error.strerror or str(error)) from error


def _unzipped(path: Path, raw: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(raw)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, struct.error) as error:
        raise UsageError("this is no zip file", where=str(path), why=str(error)) from error


def copy_folder(source: Path, target: Path, limits: Limits | None = None) -> None:
    """Copy a package's folder into a new one.

    A link to a file inside the folder (as npm makes them in `node_modules/.bin`) becomes a copy of the file; any other
    is refused.
    """
    limits = limits or Limits()
    names = _Names(str(source), limits)
    root = source.resolve()
    target.mkdir(mode=0o700, parents=True)
    left = limits.total
    try:
        for name, path, folder in _walk(source):
            names.take(name, folder=folder)
            if folder:
                (target / name).mkdir(mode=0o700)
                continue
            real = _real_file(path, root)
            left -= real.stat().st_size
            if left < 0:
                raise _too_big(str(source), limits)
            shutil.copyfile(real, target / name, follow_symlinks=False)
            if real.stat().st_mode & stat.S_IXUSR:
                (target / name).chmod(0o700)
    except OSError as error:
        raise UsageError(
            "the package cannot be copied", where=str(error.filename or source), why=error.strerror or ""
        ) from error


def _walk(source: Path) -> Iterator[tuple[str, Path, bool]]:
    """Files and folders by their name below the source, a folder before what is in it."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        for path in sorted((source / below).iterdir()):
            name = f"{below}/{path.name}" if below else path.name
            folder = path.is_dir() and not path.is_symlink()
            if folder and path.name in _LEFT_OUT:
                continue
            yield name, path, folder
            if folder:
                waiting.append(name)


def _real_file(path: Path, root: Path) -> Path:
    real = path.resolve(strict=True) if path.is_symlink() else path
    if path.is_symlink() and root not in real.parents:
        raise UsageError("the package holds a link that leads out of it", where=str(path))
    if not real.is_file():
        what = "a link to a folder" if real.is_dir() else "something that is no plain file"
        raise UsageError(f"the package holds {what}", where=str(path))
    return real


class _Names:
    """Takes names one by one, and refuses one that is not safe everywhere or clashes with an earlier one."""

    def __init__(self, where: str, limits: Limits) -> None:
        self._where = where
        self._limits = limits
        self._known: dict[str, tuple[str, bool]] = {}
        self._files = 0

    def take(self, written: str, *, folder: bool) -> str:
        name = written.rstrip("/") if folder else written
        parts = name.split("/")
        if len(name) > MAX_PATH or not all(map(_is_safe, parts)):
            raise UsageError(f"the name '{_shown(written)}' is not allowed in a task package", where=self._where)
        self._files += 1
        if self._files > self._limits.files:
            raise UsageError("the package has too many files", where=self._where, why=f"more than {self._limits.files}")
        for count in range(1, len(parts)):
            self._put("/".join(parts[:count]), folder=True, again=True)
        self._put(name, folder=folder, again=folder)
        return name

    def _put(self, name: str, *, folder: bool, again: bool) -> None:
        key = unicodedata.normalize("NFC", name).casefold()
        other, is_folder = self._known.setdefault(key, (name, folder))
        if other != name or is_folder != folder:
            raise UsageError(f"the names '{_shown(other)}' and '{_shown(name)}' are the same", where=self._where)
        if not again and self._known.get(f"{key}\0taken"):
            raise UsageError(f"the name '{_shown(name)}' is there twice", where=self._where)
        if not again:
            self._known[f"{key}\0taken"] = (name, folder)


def _is_safe(part: str) -> bool:
    return (
        part not in {"", ".", ".."}
        and part == part.rstrip(". ")
        and _FORBIDDEN.search(part) is None
        and _DEVICES.match(part) is None
        and not any(0xD800 <= ord(character) < 0xE000 for character in part)
    )


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name[:200])


def _too_big(where: str, limits: Limits) -> UsageError:
    return UsageError("the package unfolds to too much", where=where, why=f"more than {limits.total >> 20} MiB")


def _check_size(path: Path, raw: IO[bytes]) -> None:
    """Refuse an archive whose list of files alone would fill the memory."""
    size = os.fstat(raw.fileno()).st_size
    if size > MAX_ARCHIVE:
        raise UsageError("the archive is too big", where=str(path), why=f"more than {MAX_ARCHIVE >> 20} MiB")
    tail = min(size, 65557)
    raw.seek(size - tail)
    end = raw.read(tail).rpartition(b"PK\x05\x06")[2]
    directory = struct.unpack_from("<I", end, 8)[0] if len(end) >= 12 else 0
    if directory > MAX_DIRECTORY:
        raise UsageError("the archive lists too many files", where=str(path))
    raw.seek(0)
