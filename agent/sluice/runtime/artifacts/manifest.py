"""What an artifact or a cache consists of: its files, and the blobs that their contents lie in. Pure.

Contents stand one after another in blocks. A small file lies within a block that it shares, a large one in blocks of
its own: ten thousand small files are a handful of blobs, and a large file that stays the same is stored once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from sluice.errors import StorageError
from sluice.values import dataclass

BLOCK = 8 << 20
"""Bytes of a block, at most."""

VERSION = 1
MAX_PATH = 4096
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")

Kind = Literal["file", "link", "folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, a link (`target` is its text), or a folder with nothing in it; `path` is relative, with `/`.

    `digest` is the SHA-256 of a file's whole content, which starts in the block of that index at that offset.
    """

    path: str
    kind: Kind = "file"
    size: int = 0
    digest: str = ""
    executable: bool = False
    block: int = 0
    offset: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A blob and how many bytes it has."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Entries by path, and the blocks of their contents."""

    entries: tuple[Entry, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)

    @property
    def files(self) -> int:
        """How many files there are."""
        return sum(entry.kind == "file" for entry in self.entries)

    def encode(self) -> bytes:
        """As JSON; equal manifests are equal bytes."""
        data = {
            "version": VERSION,
            "entries": [_written(entry) for entry in self.entries],
            "blocks": [[block.digest, block.size] for block in self.blocks],
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")

    def merged(self, newer: Manifest) -> Manifest:
        """Both together; where both have a path, the newer one's."""
        taken = {entry.path for entry in newer.entries}
        mine = [entry for entry in self.entries if entry.path not in taken]
        moved = [_moved(entry, len(self.blocks)) for entry in newer.entries]
        entries = checked(sorted((*mine, *moved), key=lambda entry: entry.path))
        return Manifest(entries=entries, blocks=(*self.blocks, *newer.blocks))


def decode(raw: bytes) -> Manifest:
    """A manifest as `encode` wrote it; raises `StorageError` for one that leads out of its folder or fits nothing."""
    try:
        data = json.loads(raw.decode("utf-8", "surrogateescape"))
        if data["version"] != VERSION:
            raise _unfit(f"its version is {data['version']}, this Sluice knows {VERSION}")
        blocks = tuple(Block(digest=str(digest), size=int(size)) for digest, size in data["blocks"])
        entries = checked(Entry(**_read(entry)) for entry in data["entries"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unfit(str(error)) from error
    manifest = Manifest(entries=entries, blocks=blocks)
    _check_blocks(manifest)
    return manifest


def checked(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries; raises `StorageError` when one's path is no path below a folder, or two want the same place."""
    found: dict[str, Entry] = {}
    for entry in entries:
        parts = entry.path.split("/")
        if not entry.path or len(entry.path) > MAX_PATH or "\0" in entry.path or not {"", ".", ".."}.isdisjoint(parts):
            raise _unfit(f"'{entry.path[:200]}' is no path below a folder")
        if entry.path in found:
            raise _unfit(f"'{entry.path}' is there twice")
        found[entry.path] = entry
    for path in found:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if (above := found.get("/".join(parts[:end]))) is not None and above.kind != "folder":
                raise _unfit(f"'{path}' lies below '{above.path}', which is no folder")
    return tuple(found.values())


def leads_out(path: str, target: str) -> bool:
    """Whether a link at a path may end outside of the folder that the path is in.

    `..` counts as long as it leads up through real folders: behind a name, which may be a link itself, it is refused.
    """
    if target.startswith("/") or "\0" in target:
        return True
    parts = [part for part in target.split("/") if part not in {"", "."}]
    above = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return above > path.count("/") or ".." in parts[above:]


def _written(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"path": entry.path, "kind": entry.kind}
    for name in ("size", "digest", "executable", "block", "offset", "target"):
        if value := getattr(entry, name):
            found[name] = value
    return found


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"path": str, "kind": str, "size": int, "digest": str, "executable": bool, "block": int, "offset": int}
    for name, value in data.items():
        if type(value) is not wanted.get(name, str):
            raise ValueError(f"'{name}' is a {type(value).__name__}")
    if data["kind"] not in {"file", "link", "folder"}:
        raise ValueError(f"there is no kind '{data['kind']}'")
    if data["kind"] == "file" and _DIGEST.match(data["digest"]) is None:
        raise ValueError(f"'{data['path']}' has no checksum")
    return dict(data)


def _moved(entry: Entry, by: int) -> Entry:
    return replace(entry, block=entry.block + by) if entry.size else entry


def _check_blocks(manifest: Manifest) -> None:
    """No entry reaches behind the blocks that there are."""
    left = [0]
    for block in reversed(manifest.blocks):
        if block.size < 0 or _DIGEST.match(block.digest) is None:
            raise _unfit(f"'{block.digest[:80]}' is no blob")
        left.append(left[-1] + block.size)
    left.reverse()
    for entry in manifest.entries:
        if entry.size and not (
            0 <= entry.block < len(manifest.blocks)
            and 0 <= entry.offset < manifest.blocks[entry.block].size
            and 0 < entry.size <= left[entry.block] - entry.offset
        ):
            raise _unfit(f"the content of '{entry.path}' does not lie in its blobs")


def _unfit(why: str) -> StorageError:
    return StorageError("a list of files cannot be used", why=why)
