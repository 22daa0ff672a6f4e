"""Blobs are whole or absent; what is broken is named and mended by storing it again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sluice.errors import StorageError
from sluice.storage.blobs import GRACE_SECONDS, Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "content")


def _file(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "content" / digest[:2] / digest


def test_a_blob_is_what_was_stored_and_nobody_else_may_read_it(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"content")
    assert digest == hashlib.sha256(b"content").hexdigest()
    assert blobs.get(digest) == b"content"
    assert (tmp_path / "content").stat().st_mode & 0o777 == 0o700
    assert _file(tmp_path, digest).stat().st_mode & 0o777 == 0o600


def test_a_missing_blob_is_named(blobs: Blobs) -> None:
    digest = "a" * 64
    with pytest.raises(StorageError, match=f"the blob {digest} is missing"):
        blobs.get(digest)


def test_a_broken_blob_is_named_and_stored_anew(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"content")
    _file(tmp_path, digest).write_bytes(b"cOntent")
    with pytest.raises(StorageError, match=f"the blob {digest} is broken"):
        blobs.get(digest)
    assert not _file(tmp_path, digest).exists()
    blobs.put(b"content")
    assert blobs.get(digest) == b"content"


def test_a_blob_that_was_cut_off_is_stored_anew(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"content")
    _file(tmp_path, digest).write_bytes(b"con")
    blobs.put(b"content")
    assert blobs.get(digest) == b"content"


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_checksum_is_no_path_either(blobs: Blobs, digest: str) -> None:
    with pytest.raises(StorageError, match="no checksum"):
        blobs.get(digest)


def test_sweeping_takes_what_nothing_refers_to_after_a_day(blobs: Blobs, tmp_path: Path) -> None:
    kept, left, young = blobs.put(b"kept"), blobs.put(b"left"), blobs.put(b"young")
    old = time.time() - GRACE_SECONDS - 60
    for digest in (kept, left):
        os.utime(_file(tmp_path, digest), (old, old))
    assert blobs.sweep({kept}) == (1, 4)
    assert [_file(tmp_path, digest).exists() for digest in (kept, left, young)] == [True, False, True]


def test_a_blob_that_somebody_stores_again_is_not_swept(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"content")
    os.utime(_file(tmp_path, digest), (1, 1))
    blobs.put(b"content")
    assert blobs.sweep(set()) == (0, 0)


WRITER = """
import sys
from pathlib import Path
from sluice.storage.blobs import Blobs
blobs = Blobs(Path(sys.argv[1]))
number = 0
while True:
    blobs.put(str(number).encode() * 100_000)
    number += 1
    print(number, flush=True)
"""


def test_killed_at_any_moment_there_is_a_whole_blob_or_none(blobs: Blobs, tmp_path: Path) -> None:
    for wanted in (1, 3, 5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "content")], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            acknowledged = 0
            for line in writer.stdout:
                acknowledged = int(line)
                if acknowledged >= wanted:
                    break
            writer.kill()
        for number in range(acknowledged):
            content = str(number).encode() * 100_000
            assert blobs.get(hashlib.sha256(content).hexdigest()) == content
    for file in (tmp_path / "content").rglob("*"):
        if file.is_file() and len(file.name) == 64:
            assert blobs.get(file.name)
