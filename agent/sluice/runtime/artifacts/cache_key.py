"""The key of a cache: texts as they are, files by the checksum of their contents."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.globbing import find_files
from sluice.runtime.keeping import CacheKey

MAX_BYTES = 2000
"""Bytes that all segments of a key may have together, once files are checksums."""

_GLOB = "*?[]"
_SHOWN = 50
_SHOWN_PATH = 70


def split(key: str) -> tuple[str, ...]:
    """The segments of a key, which are separated by `|`."""
    return tuple(segment for part in key.split("|") if (segment := part.strip()))


def resolve(
    segments: Sequence[str], *, root: Path, workspace: Path, say: Callable[[str], None], prefix: bool = False
) -> CacheKey:
    """The key that segments mean now; relative paths start at `root`, and are told from `workspace` on.

    Raises `TaskFailedError` for segments that are reserved, and for paths and patterns without a file.
    """
    for segment in segments:
        _check(segment)
    width = min(max(map(len, segments), default=0), _SHOWN)
    resolver = _Resolver(root, workspace, width, say)
    resolved = tuple(resolver.resolve(segment) for segment in segments)
    if resolver.missing:
        raise TaskFailedError("; ".join(resolver.missing))
    if len("|".join(resolved).encode("utf-8", "surrogateescape")) > MAX_BYTES:
        raise TaskFailedError(
            f"The key of the cache has more than {MAX_BYTES} bytes.", do="name files instead of texts"
        )
    return CacheKey(segments=resolved, prefix=prefix)


def is_path(segment: str) -> bool:
    """Whether a segment means files: it has a `.` or a `/`, does not end in a period, and is not in quotes."""
    if segment.startswith('"') and segment.endswith('"'):
        return False
    return "\0" not in segment and ("." in segment or "/" in segment) and not segment.endswith(".")


def _check(segment: str) -> None:
    if segment == "*":
        raise TaskFailedError("`*` is a reserved key segment. For path glob, use `./*`.")
    if segment == "**":
        raise TaskFailedError("`**` is a reserved key segment. For path glob, use `./**`.")
    if segment.startswith("'"):
        raise TaskFailedError("A key segment cannot start with a single-quote character`.")
    if segment.startswith("`"):
        raise TaskFailedError("A key segment cannot start with a backtick character`.")
    if "\n" in segment or "\r" in segment:
        raise TaskFailedError("A key segment is one line of text.")


class _Resolver:
    def __init__(self, root: Path, workspace: Path, width: int, say: Callable[[str], None]) -> None:
        self._root = root
        self._workspace = workspace
        self._width = width
        self._say = say
        self.missing: list[str] = []

    def resolve(self, segment: str) -> str:
        shown = _cut(segment, self._width)
        if not is_path(segment):
            self._say(f" - {shown} [string]")
            return segment
        rules = [rule.strip() for rule in segment.split(",") if rule.strip()]
        included = [rule for rule in rules if not rule.startswith("!")]
        if not included:
            raise TaskFailedError("No include rules specified.")
        files = self._files(included, [rule[1:] for rule in rules if rule.startswith("!")])
        hashes = {os.path.relpath(file, self._workspace): _hash(file) for file in files}
        is_pattern = any(letter in segment for letter in _GLOB) or len(hashes) > 1
        self._tell(shown, segment, hashes, is_pattern=is_pattern)
        text = "".join(f"\nSHA256({name})=[{size}]{digest}" for name, (size, digest) in hashes.items())
        return base64.b64encode(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()).decode()

    def _tell(self, shown: str, segment: str, hashes: dict[str, tuple[int, str]], *, is_pattern: bool) -> None:
        if is_pattern:
            self._say(f" - {shown} [file pattern; matches: {len(hashes)}]")
            width = min(max(map(len, hashes), default=0), _SHOWN_PATH)
            for name, (_, digest) in hashes.items():
                self._say(f"   - {_cut(name, width)} --> {digest}")
            if not hashes:
                self.missing.append(f"No matching files found for pattern: {segment}")
            return
        digest = next((digest for _, digest in hashes.values()), "")
        self._say(f" - {shown} [file] {f'--> {digest}' if digest else '(not found)'}")
        if not digest:
            self.missing.append(f"File not found: {segment}")

    def _files(self, included: Sequence[str], excluded: Sequence[str]) -> list[str]:
        found: set[str] = set()
        for rule in included:
            folder, pattern = self._enumeration(rule)
            if folder.is_dir():
                others = [f"!{self._absolute(other)}" for other in excluded]
                found |= {os.fspath(file) for file in find_files(folder, [pattern, *others])}
        return sorted(found)

    def _enumeration(self, rule: str) -> tuple[Path, str]:
        """The folder to look in for a pattern, and the pattern from there on."""
        absolute = self._absolute(rule)
        first = min((absolute.find(letter) for letter in _GLOB if letter in absolute), default=len(absolute))
        cut = absolute.rfind("/", 0, first)
        return Path(absolute[:cut] or "/"), absolute[cut + 1 :]

    def _absolute(self, path: str) -> str:
        return os.path.normpath(self._root / path)


def _hash(file: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        with Path(file).open("rb") as opened:
            while piece := opened.read(1 << 20):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise TaskFailedError(f"'{file}' cannot be read", why=error.strerror or str(error)) from error
    return size, digest.hexdigest().upper()


def _cut(text: str, width: int) -> str:
    return f"{text[: width - 3]}..." if len(text) > width else text.ljust(width)
