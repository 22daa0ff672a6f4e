"""Single keys from a terminal, or first letters of lines from anything else, read so that the wait can be ended."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TextIO

END: Final = ""
"""The answer when there is no more input."""

_TICK: Final = 0.2
"""Seconds between two looks at whether the question has been settled elsewhere."""

_MAX_PIECE: Final = 64


class Keys(Protocol):
    """Where answers come from."""

    def read(self, settled: Callable[[], bool]) -> str | None:
        """The next key in lower case (a line feed for Enter), `END`, or None once `settled` says so."""

    def forget(self) -> None:
        """Drop what was typed before the question stood on the screen."""


@contextlib.contextmanager
def keys_of(stream: TextIO) -> Iterator[Keys]:
    """The keys of a stream. A terminal hands over single keys meanwhile, and is put back whatever happens."""
    descriptor = _descriptor(stream)
    if descriptor is None or sys.platform == "win32":
        yield _Lines(stream)
    elif not stream.isatty():
        yield _Pipe(descriptor)
    else:
        terminal = _Terminal(descriptor)
        try:
            yield terminal
        finally:
            terminal.restore()


def in_foreground(stream: TextIO) -> bool:
    """Whether this process may read the terminal; one in the background would be stopped for trying."""
    descriptor = _descriptor(stream)
    if descriptor is None or sys.platform == "win32" or not stream.isatty():
        return True
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not our controlling terminal: nobody stops us
        return True


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, AttributeError, ValueError):
        return None


class _Lines:
    """A stream that cannot be waited for: asks before each line only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def read(self, settled: Callable[[], bool]) -> str | None:
        if settled():
            return None
        line = self._stream.readline()
        return _first(line) if line else END

    def forget(self) -> None:
        """Lines may well be there before the question."""


class _Pipe:
    """A pipe or file: lines, read byte by byte so that nothing is taken from whoever reads after us."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, settled: Callable[[], bool]) -> str | None:
        line = b""
        while not line.endswith(b"\n"):
            if not _ready(self._descriptor, settled):
                return None
            byte = os.read(self._descriptor, 1)
            if not byte:
                return _first(line.decode(errors="replace")) if line else END
            if len(line) < _MAX_PIECE or byte == b"\n":
                line += byte
        return _first(line.decode(errors="replace"))

    def forget(self) -> None:
        """Lines may well be there before the question."""


class _Terminal:
    """A terminal in cbreak mode: each key at once, no echo, Ctrl-C still interrupts."""

    def __init__(self, descriptor: int) -> None:
        import termios

        self._descriptor = descriptor
        self._termios = termios
        self._saved = termios.tcgetattr(descriptor)
        self._set()

    def read(self, settled: Callable[[], bool]) -> str | None:
        while True:
            if not _ready(self._descriptor, settled, self._keep):
                return None
            try:
                piece = os.read(self._descriptor, _MAX_PIECE)
            except OSError:  # the terminal is gone
                return END
            if not piece or piece.startswith(b"\x04"):
                return END
            # An arrow key is an escape sequence that ends in a letter: never an answer.
            if not piece.startswith(b"\x1b"):
                return _first(piece.decode(errors="replace"))

    def forget(self) -> None:
        self._termios.tcflush(self._descriptor, self._termios.TCIFLUSH)

    def restore(self) -> None:
        """Put the terminal back; what was typed meanwhile is not meant for the shell."""
        with contextlib.suppress(self._termios.error):
            self._termios.tcsetattr(self._descriptor, self._termios.TCSAFLUSH, self._saved)

    def _set(self) -> None:
        import tty

        tty.setcbreak(self._descriptor)

    def _keep(self) -> None:
        """After Ctrl-Z and `fg` the shell may have put its own modes back."""
        with contextlib.suppress(self._termios.error):
            if self._termios.tcgetattr(self._descriptor)[3] & self._termios.ICANON:
                self._set()


def _ready(descriptor: int, settled: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Wait until there is something to read; False once the question is settled elsewhere."""
    while not settled():
        readable, _, _ = select.select([descriptor], [], [], _TICK)
        if readable:
            return True
        meanwhile()
    return False


def _first(text: str) -> str:
    """The key that a line or a pasted piece begins with."""
    return text.lstrip(" \t")[:1].lower().replace("\r", "\n") or "\n"
