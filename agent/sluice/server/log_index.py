"""Where the lines of a log begin: so that any part of a large one is read at once, its end above all.

A log only grows. What is known of it is one number for each block of the file (how many lines end before it) and where
its groups are; a million lines are some thousand numbers. What has come since is looked at when it is asked for.
"""

from __future__ import annotations

import os
import re
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sluice.runs.logs import STAMP_LENGTH
from sluice.values import dataclass

BLOCK = 64 << 10
"""Bytes of the file for which one number is kept."""

MAX_GROUPS = 5000
"""So many groups can be folded; those that follow are shown open."""

MAX_LINE = 16 << 10
"""Bytes of a line that are shown; the rest is in the downloaded log."""

MAX_HITS = 5000
"""So many lines that hold a text are found."""

_CONTROLS = re.compile(rb"\x1b\[[0-9;:?]*[ -/]*[@-~]")
_PIECE = 1 << 20

_MARKED = 64
"""So many bytes of a line tell whether a group begins or ends there."""

_MARKS = {b"##[group]": True, b"##[endgroup]": False}


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a log: the first one's number (they count from 1), their text with its time, how many there are."""

    first: int
    texts: list[bytes]
    total: int


@dataclass(frozen=True, slots=True)
class Hits:
    """The lines that hold a text, by number; `complete` unless there were too many."""

    lines: list[int]
    complete: bool


class LogIndex:
    """The index of one log. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._before = array("Q", [0])
        self._lines = 0
        self._size = 0
        self._number = 0
        self._marked_size = 0
        self._marked_lines = 0
        self._line_start = b""
        self._groups: list[tuple[int, int]] = []
        self._open: list[int] = []

    def refresh(self) -> int:
        """Look at what has come since; answers how many whole lines there are."""
        with self._lock:
            try:
                with self._path.open("rb", buffering=0) as file:
                    self._read_on(file)
            except FileNotFoundError:
                return 0
            return self._lines

    def has_grown(self) -> bool:
        """Whether there is more than was looked at."""
        try:
            return self._path.stat().st_size != self._size
        except OSError:
            return False

    def lines(self, first: int, count: int) -> Lines:
        """Lines from a number on; with a number of 0 or below, the last ones."""
        total = self.refresh()
        if first <= 0:
            first = max(1, total - count + 1)
        last = min(total, first + count - 1)
        if first > last:
            return Lines(first, [], total)
        with self._path.open("rb") as file:
            texts = [_shown(line) for line in self._between(file, first, last)]
        return Lines(first, texts, total)

    def groups(self) -> list[tuple[int, int]]:
        """The groups: the numbers of their first and last lines, 0 for one that has not ended, in order.

        They are looked for when they are asked for: the end of a large log does not wait for that.
        """
        self.refresh()
        with self._lock:
            if self._marked_size < self._size:
                with self._path.open("rb", buffering=0) as file:
                    self._find_groups(file)
            return sorted([*self._groups, *((start, 0) for start in self._open)])

    def find(self, text: str) -> Hits:
        """The lines that hold a text, whatever its case; what colours it, and the times of the lines, do not count."""
        wanted = text.lower().encode("utf-8", "replace")
        found: list[int] = []
        total = self.refresh()
        if not total:
            return Hits(found, complete=True)
        with self._path.open("rb") as file:
            for number, piece in self._pieces(file):
                for line in _matching(wanted, piece, number):
                    if line > total:
                        return Hits(found, complete=True)
                    if len(found) == MAX_HITS:
                        return Hits(found, complete=False)
                    found.append(line)
        return Hits(found, complete=True)

    def _read_on(self, file: BinaryIO) -> None:
        """Count the lines of what was appended. A block is noted once it is whole."""
        state = os.fstat(file.fileno())
        if state.st_size < self._size or state.st_ino != self._number:  # another file by now
            self._begin()
            self._number = state.st_ino
        file.seek(self._size)
        while block := file.read(BLOCK - self._size % BLOCK):
            self._lines += block.count(b"\n")
            self._size += len(block)
            if self._size % BLOCK == 0:
                self._before.append(self._lines)

    def _find_groups(self, file: BinaryIO) -> None:
        file.seek(self._marked_size)
        while block := file.read(min(_PIECE, self._size - self._marked_size)):
            self._mark_groups(block)
            self._marked_lines += block.count(b"\n")
            self._marked_size += len(block)

    def _mark_groups(self, block: bytes) -> None:
        """Note the groups that begin and end in a block. A mark is the first thing in its line, behind the time."""
        known = len(self._line_start)
        text = self._line_start + block
        self._line_start = text[text.rfind(b"\n") + 1 :][:_MARKED]
        position, counted, number = text.find(b"##["), 0, self._marked_lines + 1
        while position >= 0:
            start = text.rfind(b"\n", 0, position) + 1
            end = text.find(b"]", position, position + 12) + 1
            begins = (
                _MARKS.get(text[position:end].lower()) if end > known and position == start + STAMP_LENGTH else None
            )
            if begins is not None:
                number += text.count(b"\n", counted, start)
                counted = start
                self._mark(number, begins=begins)
            position = text.find(b"##[", position + 3)

    def _mark(self, number: int, *, begins: bool) -> None:
        if not begins:
            if self._open:
                self._groups.append((self._open.pop(), number))
        elif len(self._groups) + len(self._open) < MAX_GROUPS:
            while self._open:  # a group that never ended ends where the next one begins
                self._groups.append((self._open.pop(), number - 1))
            self._open.append(number)

    def _between(self, file: BinaryIO, first: int, last: int) -> list[bytes]:
        """Whole lines from one number to another, both meant."""
        block = self._block_of_end(first - 1)
        skip = first - 1 - self._before[block]
        end = self._block_of_end(last)
        file.seek(block * BLOCK)
        text = file.read((end - block + 1) * BLOCK)
        wanted = last - first + 1
        while text.count(b"\n") < skip + wanted and (more := file.read(BLOCK)):
            text += more
        return text.split(b"\n", skip + wanted)[skip : skip + wanted]

    def _block_of_end(self, line: int) -> int:
        """The block in which a line ends; the first one for no line."""
        return max(0, bisect_left(self._before, line) - 1)

    @staticmethod
    def _pieces(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        """The whole file, in pieces of whole lines, each with the number of its first line."""
        number, rest = 1, b""
        while piece := file.read(4 << 20):
            text = rest + piece
            end = text.rfind(b"\n") + 1
            whole, rest = text[:end], text[end:]
            yield number, whole
            number += whole.count(b"\n")


def _matching(wanted: bytes, piece: bytes, number: int) -> Iterator[int]:
    """The numbers of a piece's lines that hold a text behind their times."""
    piece = (_CONTROLS.sub(b"", piece) if b"\x1b" in piece else piece).lower()
    counted, line = 0, number
    position = piece.find(wanted)
    while position >= 0:
        behind_time = piece.rfind(b"\n", 0, position) + 1 + STAMP_LENGTH
        if position < behind_time:
            position = piece.find(wanted, behind_time)
            continue
        line += piece.count(b"\n", counted, position)
        counted = position
        yield line
        position = piece.find(b"\n", position) + 1
        if not position:
            return
        position = piece.find(wanted, position)


def _shown(line: bytes) -> bytes:
    if len(line) <= MAX_LINE:
        return line
    return line[:MAX_LINE] + f" ... ({len(line) - MAX_LINE} more bytes: see the downloaded log)".encode("ascii")


class LogIndexes:
    """The indexes that were used last; each is a few kilobytes."""

    def __init__(self, keep: int = 256) -> None:
        self._keep = keep
        self._known: OrderedDict[Path, LogIndex] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path) -> LogIndex:
        """The index of a log."""
        with self._lock:
            index = self._known.pop(path, None) or LogIndex(path)
            self._known[path] = index
            while len(self._known) > self._keep:
                self._known.popitem(last=False)
            return index
