"""What a package consists of, as one number: the digest of its content, and a quick look at whether it changed.

The digest is the SHA-256 of a listing in the form of `sha256sum`, one line a file, sorted by path:
`<sha256 of the content>  <path with />` and a line feed. Anything but plain files and folders has none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import ConflictError

_WHOLE = 1 << 20
"""Bytes up to which a file is read at once."""


def digest_of(folder: Path) -> str:
    """The digest of a folder, in hexadecimal."""
    listing = hashlib.sha256()
    root = os.fsencode(folder)
    for name, size in sorted((os.fsencode(name), status.st_size) for name, status in _files(folder)):
        fd = os.open(b"%s/%s" % (root, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(fd, "rb", buffering=0) as file:  # noqa: PTH123  # thousands of small files, once in each process
            if size < _WHOLE:
                content = hashlib.sha256(file.read()).hexdigest()
            else:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        listing.update(b"%s  %s\n" % (content.encode(), name))
    return listing.hexdigest()


def glance(folder: Path) -> tuple[str, int]:
    """A text that changes with any change to a file or folder, without reading one, and when the last change was.

    It covers names, sizes, kinds, the file system's own numbers and the time of the last change of each, which nobody
    can set: any write, rename or replacement shows, but for one in the very moment (nanoseconds since the epoch) of
    the change before.
    """
    seen = [
        (name, status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns) for name, status in _files(folder)
    ]
    seen.sort()
    newest = max((one[-1] for one in seen), default=0)
    return hashlib.blake2b(repr(seen).encode("utf-8", "surrogateescape"), digest_size=32).hexdigest(), newest


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file by its path below the folder."""
    root = os.fspath(folder)
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(os.path.join(root, below)) as entries:  # noqa: PTH118  # thousands of files, on every step
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                if entry.is_file(follow_symlinks=False):
                    yield name, entry.stat(follow_symlinks=False)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                else:
                    raise ConflictError("a task package holds something else than files", where=f"{folder}/{name}")
