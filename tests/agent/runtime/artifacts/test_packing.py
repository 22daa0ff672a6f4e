"""What is packed is unpacked, in whatever order and however often; nothing leaves its folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.agent.runtime.artifacts.conftest import MemoryBlobs

from sluice.errors import StorageError, TaskFailedError
from sluice.runtime.artifacts.manifest import BLOCK, Entry, Manifest, decode
from sluice.runtime.artifacts.packing import LARGE, pack
from sluice.runtime.artifacts.unpacking import unpack
from sluice.runtime.artifacts.walking import walk


def _tree(root: Path) -> dict[str, tuple[str, bytes | str, bool]]:
    found: dict[str, tuple[str, bytes | str, bool]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path), False)  # noqa: PTH115
        elif path.is_dir():
            found[name] = ("folder", "", False)
        else:
            found[name] = ("file", path.read_bytes(), os.access(path, os.X_OK))
    return found


def test_what_is_packed_is_unpacked(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    manifest = decode(pack(walk(folder), blobs).encode())
    unpack(manifest.entries, manifest.blocks, blobs, tmp_path / "to")
    assert _tree(tmp_path / "to") == _tree(folder)
    assert manifest.files == 4


def test_equal_folders_are_equal_lists_and_no_more_blobs(folder: Path, blobs: MemoryBlobs) -> None:
    first = pack(walk(folder), blobs).encode()
    stored = blobs.stored
    assert pack(walk(folder), blobs).encode() == first
    assert blobs.stored == stored


def test_a_large_file_is_cut_and_stored_once_whatever_lies_around_it(tmp_path: Path, blobs: MemoryBlobs) -> None:
    root = tmp_path / "from"
    root.mkdir()
    content = os.urandom(BLOCK + LARGE)
    (root / "large").write_bytes(content)
    (root / "a").write_bytes(b"small")
    (root / "z").write_bytes(b"small, too")
    manifest = pack(walk(root), blobs)
    assert [block.size for block in manifest.blocks] == [5, BLOCK, LARGE, 10]
    (root / "a").write_bytes(b"something else")
    stored = blobs.stored
    pack(walk(root), blobs)
    assert blobs.stored == stored + 1
    unpack(manifest.entries, manifest.blocks, blobs, tmp_path / "to")
    assert (tmp_path / "to" / "large").read_bytes() == content


def test_some_of_the_files_may_be_unpacked(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    manifest = pack(walk(folder), blobs)
    chosen = [entry for entry in manifest.entries if entry.path == "bin/tool"]
    assert unpack(chosen, manifest.blocks, blobs, tmp_path / "to") == 10
    assert [path for path in _tree(tmp_path / "to") if path != "bin"] == ["bin/tool"]


def test_what_is_there_is_not_written_again(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    manifest = pack(walk(folder), blobs)
    to = tmp_path / "to"
    assert unpack(manifest.entries, manifest.blocks, blobs, to) == manifest.size
    before = (to / "a.txt").stat().st_ino
    (to / "bin" / "tool").write_text("another1\n\n")  # as long as before
    assert unpack(manifest.entries, manifest.blocks, blobs, to) == 10
    assert (to / "a.txt").stat().st_ino == before
    assert (to / "bin" / "tool").read_text() == "#!/bin/sh\n"


def test_a_missing_blob_leaves_no_half_file(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    manifest = pack(walk(folder), blobs)
    blobs.known.clear()
    with pytest.raises(StorageError, match=manifest.blocks[0].digest):
        unpack(manifest.entries, manifest.blocks, blobs, tmp_path / "to")
    assert not [path for path in (tmp_path / "to").rglob("*") if path.is_file() and path.stat().st_size]


def test_a_file_with_another_checksum_is_refused(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    manifest = pack(walk(folder), blobs)
    lying = [Entry(path="a.txt", size=5, digest="0" * 64)]
    with pytest.raises(StorageError, match=r"'a\.txt' does not have the checksum"):
        unpack(lying, manifest.blocks, blobs, tmp_path / "to")
    assert not (tmp_path / "to" / "a.txt").exists()


def test_nothing_is_written_through_a_link_that_lies_there(tmp_path: Path, blobs: MemoryBlobs) -> None:
    root, to, outside = tmp_path / "from", tmp_path / "to", tmp_path / "outside"
    (root / "d").mkdir(parents=True)
    (root / "d" / "x").write_text("new")
    (root / "f").write_text("new")
    to.mkdir()
    outside.mkdir()
    (outside / "f").write_text("old")
    manifest = pack(walk(root), blobs)
    (to / "f").symlink_to(outside / "f")
    (to / "d").symlink_to(outside)
    with pytest.raises(TaskFailedError, match="behind a link"):
        unpack(manifest.entries, manifest.blocks, blobs, to)
    (to / "d").unlink()
    unpack(manifest.entries, manifest.blocks, blobs, to)
    assert (outside / "f").read_text() == "old"
    assert [path.name for path in outside.iterdir()] == ["f"]
    assert (to / "f").read_text() == "new"
    assert not (to / "f").is_symlink()


def test_a_link_that_leads_out_is_neither_packed_nor_unpacked(tmp_path: Path, blobs: MemoryBlobs) -> None:
    root = tmp_path / "from"
    root.mkdir()
    (root / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(TaskFailedError, match="the link 'passwords' leads out"):
        walk(root)
    manifest = pack(walk(root, links_lead_out=True), blobs)
    with pytest.raises(TaskFailedError, match="leads out of the artifact"):
        unpack(manifest.entries, manifest.blocks, blobs, tmp_path / "to")
    assert not (tmp_path / "to").exists()
    unpack(manifest.entries, manifest.blocks, blobs, tmp_path / "to", links_lead_out=True)
    assert (tmp_path / "to" / "passwords").is_symlink()


@pytest.fixture
def special(tmp_path: Path) -> Iterator[dict[str, Path]]:
    root = tmp_path / "from"
    root.mkdir()
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        (tmp_path / "other").mkdir()
        server.bind(str(tmp_path / "other" / "socket"))
        yield {"pipe": root, "socket": tmp_path / "other"}


def test_pipes_and_sockets_are_refused_and_not_waited_for(special: dict[str, Path], blobs: MemoryBlobs) -> None:
    for name, root in special.items():
        with pytest.raises(TaskFailedError, match=f"{name}' is a pipe, a device or a socket"):
            walk(root)
        with pytest.raises(TaskFailedError):
            pack(walk(root / name), blobs)
    with pytest.raises(TaskFailedError, match="is a pipe, a device"):
        pack(walk(Path("/dev/null")), blobs)


def test_folders_to_avoid_are_not_looked_into(folder: Path) -> None:
    assert "bin/tool" not in {found.path for found in walk(folder, avoid=[folder / "bin"])}
    assert "tool" in {found.path for found in walk(folder / "bin", avoid=[folder / "bin"], links_lead_out=True)}


def test_a_file_alone_is_packed_by_its_name(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    manifest = pack(walk(folder / "link"), blobs)
    assert [(entry.path, entry.kind, entry.size) for entry in manifest.entries] == [("link", "file", 5)]


def test_ten_thousand_small_files_are_a_few_blobs(tmp_path: Path, blobs: MemoryBlobs) -> None:
    root = tmp_path / "from"
    for number in range(100):
        (root / str(number)).mkdir(parents=True)
        for other in range(100):
            (root / str(number) / str(other)).write_text(f"{number} {other}")
    manifest = decode(pack(walk(root), blobs).encode())
    assert manifest.files == 10_000
    assert blobs.stored == 1
    unpack(manifest.entries, manifest.blocks, blobs, tmp_path / "to")
    assert (tmp_path / "to" / "42" / "17").read_text() == "42 17"


def test_a_cancellation_ends_it_between_files(folder: Path, tmp_path: Path, blobs: MemoryBlobs) -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        pack(walk(folder), blobs, check=stop)
    assert pack([], blobs) == Manifest()
