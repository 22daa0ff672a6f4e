"""Packs files into blobs. Memory stays at a block or two, whatever the size of the files."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from typing import BinaryIO

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.manifest import BLOCK, Block, Entry, Manifest, checked
from sluice.runtime.artifacts.walking import Found, special
from sluice.runtime.keeping import BlobStore

LARGE = 1 << 20
"""A file of so many bytes has blocks of its own."""


def pack(found: Iterable[Found], blobs: BlobStore, *, check: Callable[[], None] = lambda: None) -> Manifest:
    """Store what is found and answer what it consists of. `check` is called now and then: it may raise."""
    packer = _Packer(blobs, check)
    entries = []
    for one in found:
        check()
        entries.append(packer.take(one))
    return Manifest(entries=checked(entries), blocks=packer.blocks())


class _Packer:
    def __init__(self, blobs: BlobStore, check: Callable[[], None]) -> None:
        self._blobs = blobs
        self._check = check
        self._blocks: list[Block] = []
        self._block = bytearray()

    def take(self, found: Found) -> Entry:
        if found.kind != "file":
            return Entry(path=found.path, kind=found.kind, target=found.target)
        with opened(found.source) as file:
            state = os.fstat(file.fileno())
            alone = state.st_size >= LARGE
            if alone:
                self._end()
            block, offset = len(self._blocks), len(self._block)
            digest, size = self._copy(file)
            if alone:
                self._end()
        executable = bool(state.st_mode & stat.S_IXUSR)
        block, offset = (block, offset) if size else (0, 0)
        return Entry(path=found.path, size=size, digest=digest, executable=executable, block=block, offset=offset)

    def blocks(self) -> tuple[Block, ...]:
        """All of them; nothing is taken afterwards."""
        self._end()
        return tuple(self._blocks)

    def _copy(self, file: BinaryIO) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        while piece := file.read(BLOCK - len(self._block)):
            digest.update(piece)
            size += len(piece)
            self._block += piece
            if len(self._block) == BLOCK:
                self._end()
                self._check()
        return digest.hexdigest(), size

    def _end(self) -> None:
        if self._block:
            self._blocks.append(Block(digest=self._blobs.put(bytes(self._block)), size=len(self._block)))
            self._block.clear()


def opened(path: str) -> BinaryIO:
    """A file, opened without following a link or waiting for a pipe that took its place meanwhile."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise TaskFailedError(f"'{path}' cannot be read", why=error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise special(path)
    return os.fdopen(descriptor, "rb")
