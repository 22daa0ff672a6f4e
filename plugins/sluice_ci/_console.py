"""A Jenkins console as text: without the notes and colours that Jenkins and tools put into it."""

from __future__ import annotations

import re
from collections.abc import Callable

_NOTE = re.compile(rb"\x1b\[8mha:[^\x1b]*\x1b\[0m")
_CONTROL = re.compile(rb"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-Z\\^_])")
LONGEST = 64 * 1024
"""A line is written in pieces of so many bytes at most."""


class Console:
    """Takes what arrives, and writes it line by line."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._line = b""

    def take(self, piece: bytes) -> None:
        """More of the console; whole lines are written."""
        lines, found, rest = (self._line + piece).rpartition(b"\n")
        if len(rest) > LONGEST:
            lines, found, rest = lines + found + rest, b"", b""
        self._line = rest
        if lines or found:
            self._write(plain(lines + found))

    def end(self) -> None:
        """Write what is left."""
        self._write(plain(self._line))
        self._write(b"")
        self._line = b""


def plain(text: bytes) -> bytes:
    """The text without notes and control sequences."""
    return _CONTROL.sub(b"", _NOTE.sub(b"", text))
