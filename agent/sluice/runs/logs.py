"""Log text of steps: append-only files, one a step and attempt, each line with its time (task runtime, section 13.3)."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import StorageError

PIECE = 4 << 20
"""Bytes of a log that are read at once."""


class RunLogs:
    """The log files of one run below the state folder's `logs/<run>/`."""

    def __init__(self, logs: Path, run_id: int) -> None:
        self.folder = logs / str(run_id)
        self._open: dict[str, io.FileIO] = {}
        self._unfinished: set[str] = set()
        self._counts: dict[str, int] = {}

    def path(self, step_id: str) -> Path:
        """The file of a step."""
        return self.folder / f"{step_id}.log"

    def write(self, step_id: str, text: bytes) -> None:
        """Append text with the time of now at the start of each line; a last line without a line feed goes on later."""
        stamp = _stamp()
        body = text[:-1] if text.endswith(b"\n") else text
        start = b"" if step_id in self._unfinished else stamp
        file = self._open.get(step_id) or self._create(step_id)
        parts = [start, body.replace(b"\n", b"\n" + stamp), text[len(body) :]]
        self._counts[step_id] += text.count(b"\n")
        (self._unfinished.discard if len(body) < len(text) else self._unfinished.add)(step_id)
        try:
            _write_all(file.fileno(), parts)
        except OSError as error:
            raise StorageError(
                f"the log '{self.path(step_id)}' cannot be written", why=error.strerror or str(error)
            ) from error

    def close(self, step_id: str) -> None:
        """Close a step's file, its last line ended."""
        if step_id in self._unfinished:
            self.write(step_id, b"\n")
        if file := self._open.pop(step_id, None):
            file.close()

    def read(self, step_id: str, offset: int = 0, *, limit: int = PIECE) -> tuple[bytes, int]:
        """The whole lines that a step has written behind a byte offset, and the offset behind them.

        At most `limit` bytes at once, unless a line is longer; nothing when no whole line has come yet.
        """
        try:
            with self.path(step_id).open("rb") as file:
                file.seek(offset)
                text = file.read(limit)
                while b"\n" not in text and (more := file.read(limit)):
                    text += more
        except FileNotFoundError:
            return b"", offset
        whole = text[: text.rfind(b"\n") + 1]
        return whole, offset + len(whole)

    def pieces(self, step_id: str) -> Iterator[bytes]:
        """All whole lines that a step has written so far, many at a time."""
        text, offset = self.read(step_id)
        while text:
            yield text
            text, offset = self.read(step_id, offset)

    def lines(self, step_id: str, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        """The lines of a step from one number to another (they count from 1, both are meant), without line feeds."""
        number = 0
        for piece in self.pieces(step_id):
            for line in piece[:-1].split(b"\n"):
                number += 1
                if last is not None and number > last:
                    return
                if number >= first:
                    yield line

    def count(self, step_id: str) -> int:
        """How many lines a step has ended since this process began to write them, and before."""
        return self._counts.get(step_id, 0)

    def _create(self, step_id: str) -> io.FileIO:
        """Open a step's file at its end. A line that a killed process left unfinished is ended first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path(step_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        file = self._open[step_id] = io.FileIO(descriptor, "a")
        self._counts[step_id], finished = _count(self.path(step_id))
        if not finished:
            file.write(b"\n")
            self._counts[step_id] += 1
        return file


def _count(path: Path) -> tuple[int, bool]:
    """How many lines a file has, and whether its last one has ended."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            count, last = count + piece.count(b"\n"), piece[-1:]
    return count, last == b"\n"


def _write_all(descriptor: int, parts: list[bytes]) -> None:
    """Write the parts one behind the other, without a copy of them in one piece where the system can do that."""
    written = os.writev(descriptor, parts) if hasattr(os, "writev") else 0
    if written < sum(map(len, parts)):
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _stamp() -> bytes:
    """The UTC time as .NET's round-trip format prints it: seven decimals and `Z`."""
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%07dZ " % (rest // 100)


STAMP_LENGTH = len(_stamp())
"""How many bytes of a line are its time."""
