"""A store of blobs in memory, and a folder with a bit of everything."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sluice.errors import StorageError


class MemoryBlobs:
    """Blobs in memory; counts what was really stored."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self.stored = 0

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self.known:
            self.known[digest] = content
            self.stored += 1
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self.known:
            raise StorageError(f"the blob {digest} is missing")
        return self.known[digest]


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "from"
    (root / "bin").mkdir(parents=True)
    (root / "nothing").mkdir()
    (root / "a.txt").write_text("hello")
    (root / "empty").touch()
    (root / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o755)
    (root / "link").symlink_to("a.txt")
    (root / "bin" / "up").symlink_to("../a.txt")
    (root / os.fsdecode(b"caf\xe9")).write_text("no UTF-8 in the name")
    return root
