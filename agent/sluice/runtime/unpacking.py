"""Unpacks zips and tars into a folder, and nowhere else.

Refused: names that lead out of the folder, links that do, devices and pipes, encrypted files, and archives that unfold
to far more than they are. Links that stay inside are made last, so that nothing is ever written through one.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import IO, Any

from sluice.errors import TaskFailedError
from sluice.values import dataclass

MAX_FILES = 1_000_000
"""Entries that an archive may have."""

MAX_RATIO = 200
"""So many times its own size an archive may unfold to, once that is more than `FREE_BYTES`."""

FREE_BYTES = 1 << 30
"""What any archive may unfold to."""

MAX_HEADER = 64 << 20
"""Bytes that an archive may make us hold at once."""

_CHUNK = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


@dataclass(slots=True)
class Unpacking:
    """One archive on its way into a folder; `check` is called now and then and may raise."""

    archive: Path
    target: Path
    overwrite: bool
    check: Callable[[], None]
    count: int = 0
    _left: int = 0
    _links: list[tuple[Path, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = max(FREE_BYTES, MAX_RATIO * self.archive.stat().st_size)

    def zip(self) -> None:
        """Unpack a zip; raises `TaskFailedError`."""
        with self._errors(), zipfile.ZipFile(self.archive) as file:
            infos = file.infolist()
            for info in infos:
                self._count(info.filename)
                self._zip_entry(file, info)
            self._make_links()

    def tar(self) -> None:
        """Unpack a tar, compressed or not; raises `TaskFailedError`."""
        with self._errors(), self.archive.open("rb") as raw, decompressed(raw) as plain:
            metered: Any = _Metered(plain, self._left, self._bomb)  # what tarfile reads with, not all of a file
            with tarfile.open(fileobj=metered, mode="r:") as file:
                for info in file:
                    self._count(info.name)
                    self._tar_entry(file, info)
                    file.members.clear()  # type: ignore[attr-defined]  # they would pile up
            self._make_links()

    def _zip_entry(self, file: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        mode = info.external_attr >> 16 if info.create_system == 3 else 0
        kind = stat.S_IFMT(mode)
        if info.flag_bits & 1:
            raise self._refusal(info.filename, "is encrypted")
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
            raise self._refusal(info.filename, "is no file, folder or link")
        if info.is_dir():
            self._folder(info.filename)
            return
        with file.open(info) as source:
            if kind == stat.S_IFLNK:
                text = source.read(4097)
                if len(text) > 4096:
                    raise self._refusal(info.filename, "is a link that is too long")
                self._link(info.filename, os.fsdecode(text))
            else:
                self._file(info.filename, source, mode, _local_seconds(info.date_time))

    def _tar_entry(self, file: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        if info.isdir():
            self._folder(info.name)
        elif info.issym():
            self._link(info.name, info.linkname)
        elif info.islnk():
            self._hard_link(info.name, info.linkname)
        elif info.isreg():
            source = file.extractfile(info)
            if source is not None:
                self._file(info.name, source, info.mode, info.mtime)
        else:
            raise self._refusal(info.name, "is a device or a pipe")

    def _file(self, name: str, source: IO[bytes], mode: int, changed: float | None) -> None:
        """With the permissions that it was packed with, less what the umask takes: never looser for others."""
        path = self._way(name)
        self._make_room(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, mode & 0o777 or 0o666), "wb") as target:
            while chunk := source.read(_CHUNK):
                self.check()
                self._left -= len(chunk)
                if self._left < 0:
                    raise self._bomb()
                target.write(chunk)
        if changed is not None:
            with contextlib.suppress(OverflowError, ValueError, OSError):  # a time that the file system cannot keep
                os.utime(path, (changed, changed), follow_symlinks=False)

    def _folder(self, name: str) -> None:
        if name.strip("/.") == "" and ".." not in name.split("/"):
            return
        path = self._way(name)
        if not path.is_dir():
            self._make_room(path)
            path.mkdir()

    def _link(self, name: str, goal: str) -> None:
        path = self._way(name)
        if not goal or goal.startswith("/") or "\0" in goal:
            raise self._refusal(name, f"is a link that leads out of the folder, to '{goal}'")
        self._links.append((path, goal))

    def _hard_link(self, name: str, goal: str) -> None:
        """Becomes a copy: of a file that this archive has brought before."""
        there = self._way(goal)
        if there.is_symlink() or not there.is_file():
            raise self._refusal(name, f"is a link to '{goal}', which is no file of the archive")
        with there.open("rb") as source:
            status = there.stat()
            self._file(name, source, status.st_mode, status.st_mtime)

    def _make_links(self) -> None:
        root = Path(os.path.realpath(self.target))
        made: list[Path] = []
        try:
            for path, goal in self._links:
                self._way(os.path.relpath(path, self.target))
                self._make_room(path)
                path.symlink_to(goal)
                made.append(path)
            for path in made:
                self._stays(path, root)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise

    def _stays(self, link: Path, root: Path) -> None:
        real = Path(os.path.realpath(link))
        if real != root and root not in real.parents:
            raise self._refusal(os.path.relpath(link, self.target), "is a link that leads out of the folder")

    def _way(self, name: str) -> Path:
        """Where a name leads, its folders made; never out of the folder, nor through a link."""
        parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
        if name.startswith(("/", "\\")) or ".." in parts or not parts or "\0" in name:
            raise self._refusal(name, "leads out of the folder")
        path = self.target
        for part in parts[:-1]:
            path /= part
            if path.is_symlink():
                raise self._refusal(name, f"leads through the link '{path}'")
            path.mkdir(exist_ok=True)
        return path / parts[-1]

    def _make_room(self, path: Path) -> None:
        """What is at the place goes, where that is wanted."""
        if not os.path.lexists(path):
            return
        if path.is_dir() and not path.is_symlink():
            raise TaskFailedError(f"The folder {path} is where a file of {self.archive} belongs")
        if not self.overwrite:
            raise TaskFailedError(
                f"The file {path} exists already", where=str(self.archive), do="set overwriteExistingFiles: true"
            )
        path.unlink()

    def _count(self, name: str) -> None:
        self.check()
        self.count += 1
        if self.count > MAX_FILES:
            raise self._refusal(name, f"is one too many: an archive may have {MAX_FILES} entries")

    def _refusal(self, name: str, why: str) -> TaskFailedError:
        shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name[:200])
        return TaskFailedError(f"'{shown}' of the archive is refused: it {why}", where=str(self.archive))

    def _bomb(self) -> TaskFailedError:
        return TaskFailedError(
            "The archive unfolds to too much",
            where=str(self.archive),
            why=f"to more than {FREE_BYTES >> 20} MiB, and more than {MAX_RATIO} times its own size",
            do="unpack it with a script if it is meant to",
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise TaskFailedError(
                "The archive cannot be unpacked", where=str(self.archive), why=str(error) or type(error).__name__
            ) from error


@contextlib.contextmanager
def decompressed(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """What is in a compressed file (gz, bz2, xz, lzma), told by its beginning; the file itself if it is none of them."""
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=raw) as file:
            yield file  # type: ignore[misc]  # a binary file in all but name
    elif start.startswith(b"BZh"):
        with bz2.BZ2File(raw) as file:
            yield file
    elif start.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        with lzma.LZMAFile(raw) as file:
            yield file
    else:
        yield raw


def _local_seconds(moment: tuple[int, int, int, int, int, int]) -> float | None:
    """When a zip says that an entry was changed: a local time; None when it is none."""
    try:
        return time.mktime((*moment, 0, 0, -1))
    except (OverflowError, ValueError):
        return None


class _Metered:
    """A plain file that gives only so many bytes, and never very many at once."""

    def __init__(self, file: IO[bytes], limit: int, too_much: Callable[[], TaskFailedError]) -> None:
        self._file = file
        self._limit = limit
        self._too_much = too_much

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise self._too_much()
        chunk = self._file.read(size)
        self._checked(self._file.tell())
        return chunk

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET:
            self._checked(position)
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def _checked(self, position: int) -> None:
        if position > self._limit:
            raise self._too_much()
