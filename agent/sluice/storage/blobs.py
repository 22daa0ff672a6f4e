"""Content by its SHA-256: what artifacts, caches and attachments consist of. Files only, no database.

A blob is written beside its place, synced and renamed, so that there is all of it or nothing, whatever is killed when.
One that is there already is not written again: whoever was interrupted goes on where he was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from sluice.errors import StorageError
from sluice.storage.home import private_folder

GRACE_SECONDS = 24 * 3600.0
"""So long a blob that nothing refers to is kept: somebody may be about to refer to it."""

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_BROKEN = ".broken"


class Blobs:
    """The blobs below a folder, `<two digits>/<digest>`. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[Path] = set()

    def put(self, content: bytes) -> str:
        """Store a blob, durably, and answer its digest; one that is there is kept from being swept for a day."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            if self._is_there(path, len(content)):
                os.utime(path)
            else:
                self._write(path, content)
        except OSError as error:
            raise self._trouble(path, error) from error
        return digest

    def get(self, digest: str) -> bytes:
        """A blob, its checksum verified. Raises `StorageError`, which names it, when it is missing or broken."""
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StorageError(
                f"the blob {digest} is missing", where=str(path), do="publish what consists of it once more"
            ) from None
        except OSError as error:
            raise self._trouble(path, error) from error
        if hashlib.sha256(content).hexdigest() != digest:
            with contextlib.suppress(OSError):  # out of the way, so that publishing once more mends it
                path.replace(path.with_name(path.name + _BROKEN))
            raise StorageError(
                f"the blob {digest} is broken: its content does not have this checksum",
                where=str(path),
                do="publish what consists of it once more",
            )
        return content

    def sweep(self, referred: Collection[str], *, now: float | None = None) -> tuple[int, int]:
        """Remove blobs that nothing refers to and nobody has touched for a day; answers how many, and their bytes."""
        before = (time.time() if now is None else now) - GRACE_SECONDS
        count = size = 0
        for entry in self._entries():
            if entry.name in referred:
                continue
            with contextlib.suppress(FileNotFoundError):
                state = entry.stat(follow_symlinks=False)
                if state.st_mtime < before:
                    Path(entry.path).unlink()
                    count, size = count + 1, size + state.st_size
        return count, size

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """Every file of the store, also what a killed process left half written."""
        try:
            folders = sorted(entry.path for entry in os.scandir(self._folder) if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return
        for folder in folders:
            with os.scandir(folder) as entries:
                yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))

    def _path(self, digest: str) -> Path:
        if _DIGEST.match(digest) is None:
            raise StorageError(f"'{digest[:80]}' is no checksum of a blob")
        return self._folder / digest[:2] / digest

    @staticmethod
    def _is_there(path: Path, size: int) -> bool:
        try:
            return path.stat().st_size == size
        except FileNotFoundError:
            return False

    def _write(self, path: Path, content: bytes) -> None:
        if path.parent not in self._made:
            private_folder(self._folder)
            private_folder(path.parent)
            self._made.add(path.parent)
        waiting = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
        try:
            descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            waiting.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                waiting.unlink()
            raise
        _sync_folder(path.parent)

    @staticmethod
    def _trouble(path: Path, error: OSError) -> StorageError:
        return StorageError("a blob cannot be read or written", where=str(path), why=error.strerror or str(error))


def _sync_folder(folder: Path) -> None:
    """Make a rename last."""
    with contextlib.suppress(OSError):  # some file systems cannot
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
