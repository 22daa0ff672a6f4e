"""Unpacks what was kept into a folder. Nothing is written through a link, nothing outside of the folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from sluice.errors import StorageError, TaskFailedError
from sluice.runtime.artifacts.manifest import Block, Entry, leads_out
from sluice.runtime.keeping import BlobStore


def unpack(
    entries: Sequence[Entry],
    blocks: Sequence[Block],
    blobs: BlobStore,
    target: Path,
    *,
    links_lead_out: bool = False,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Write entries (of a manifest with these blocks) below a folder, links last; answers how many bytes were written.

    A file that is there with the same content is left, so that what was interrupted goes on. Raises `StorageError` when
    a blob is missing or broken, or a file's checksum is another; `TaskFailedError` when the folder cannot be written,
    or is left by a link.
    """
    if not links_lead_out:
        for entry in entries:
            if entry.kind == "link" and leads_out(entry.path, entry.target):
                raise TaskFailedError(f"the link '{entry.path}' leads out of the artifact: to '{entry.target}'")
    try:
        target.mkdir(parents=True, exist_ok=True)
        place = Place(target)
        reader = _Reader(blocks, blobs)
        written = 0
        for entry in sorted(entries, key=lambda one: (one.kind == "link", one.block, one.offset)):
            check()
            written += _write(entry, place, reader)
    except OSError as error:
        raise TaskFailedError(
            "the files cannot be written", where=str(error.filename or target), why=error.strerror or str(error)
        ) from error
    return written


def _write(entry: Entry, place: Place, reader: _Reader) -> int:
    path = place.path(entry.path, folder=entry.kind == "folder")
    if entry.kind == "folder":
        return 0
    if entry.kind == "link":
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.symlink_to(entry.target)
        return 0
    if _is_there(path, entry):
        return 0
    with replacing(path, executable=entry.executable) as file:
        digest = hashlib.sha256()
        for piece in reader.content(entry):
            digest.update(piece)
            file.write(piece)
        if digest.hexdigest() != entry.digest:
            raise StorageError(f"the file '{entry.path}' does not have the checksum that it was stored with")
    return entry.size


@contextlib.contextmanager
def replacing(path: Path, *, executable: bool) -> Iterator[BinaryIO]:
    """A new file to write to, which takes its place once it is whole; a link that is there is replaced."""
    waiting = path.with_name(f".{path.name[:60]}.{os.urandom(4).hex()}")
    mode = 0o777 if executable else 0o666
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        waiting.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            waiting.unlink()
        raise


def _is_there(path: Path, entry: Entry) -> bool:
    """Whether the file was unpacked before and is still the same."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(state.st_mode) or state.st_size != entry.size:
        return False
    if bool(state.st_mode & stat.S_IXUSR) != entry.executable:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() == entry.digest


class Place:
    """The folder that is written to: its own path may have links, what lies below it may not."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: set[str] = set()

    def path(self, relative: str, *, folder: bool) -> Path:
        """Where an entry goes, its folders made."""
        above = relative if folder else relative.rpartition("/")[0]
        if above and above not in self._made:
            self._make(above)
        return self._root / relative

    def _make(self, relative: str) -> None:
        path = self._root
        for part in relative.split("/"):
            path /= part
            if path.is_symlink():
                raise TaskFailedError(
                    f"'{relative}' is behind a link",
                    where=os.fspath(path),
                    why="what is written there would leave the folder",
                    do="remove the link, or choose another folder",
                )
            path.mkdir(exist_ok=True)
        self._made.add(relative)


class _Reader:
    """Reads contents from blocks; the last block is at hand, since files that share one follow each other."""

    def __init__(self, blocks: Sequence[Block], blobs: BlobStore) -> None:
        self._blocks = blocks
        self._blobs = blobs
        self._index = -1
        self._content = b""

    def content(self, entry: Entry) -> Iterator[bytes]:
        left, index, offset = entry.size, entry.block, entry.offset
        while left:
            if index != self._index:
                self._content, self._index = self._blobs.get(self._blocks[index].digest), index
                if len(self._content) != self._blocks[index].size:
                    raise StorageError(f"the blob {self._blocks[index].digest} has another size than was stored")
            piece = self._content[offset : offset + left]
            yield piece
            left -= len(piece)
            index, offset = index + 1, 0
