"""The log of one step: takes output in pieces from several streams, finds commands in it, masks it, tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sluice.runtime.bytes_text import decode, encode
from sluice.runtime.logging_commands import KEYWORD
from sluice.runtime.masking import Masker
from sluice.runtime.visible import uncovered, without_nuls

MAX_LINE = 1 << 20
"""Bytes of an unfinished line that are kept; a longer line is told in pieces."""

MAX_COMMAND = 1 << 23
"""Bytes of an unfinished line that are kept when it may become a command."""

EmitText = Callable[[bytes, bool], None]
"""Takes masked text, and whether its last line is unfinished."""

Told = Callable[[bytes], None]
"""Sees what a stream tells, masked."""

RunCommand = Callable[[str], bool]
"""Carries out the command in a line; False when the line is to be logged as text."""


class StepLog:
    """What a step says, in one order, whichever stream or thread it comes from."""

    def __init__(self, masker: Masker, emit: EmitText) -> None:
        self._masker = masker
        self._emit = emit
        # Reentrant: a command that a stream carries writes to the log itself.
        self._lock = threading.RLock()
        self._unfinished: object = None

    def write(self, text: str | bytes) -> None:
        """Whole lines, from the runtime or a handler: data, never commands."""
        raw = encode(text) if isinstance(text, str) else text
        raw = uncovered(_unify(without_nuls(raw)), self._masker)
        if raw:
            self.tell(self._masker.mask(raw if raw.endswith(b"\n") else raw + b"\n"), self)

    def stream(self, run_command: RunCommand | None = None, told: Told | None = None) -> LogStream:
        """A stream of output; only with `run_command` are its lines looked at for commands."""
        return LogStream(self, self._masker, run_command, told)

    def tell(self, text: bytes, source: object) -> None:
        """Hand masked text on; an unfinished line of another source is ended first."""
        if not text:
            return
        with self._lock:
            if self._unfinished is not None and self._unfinished is not source:
                text = b"\n" + text
            finished = text.endswith(b"\n")
            self._unfinished = None if finished else source
            self._emit(text, not finished)

    def finish_line(self, source: object) -> None:
        """End the line that this source left unfinished, if it did."""
        with self._lock:
            if self._unfinished is source:
                self.tell(b"\n", source)


class LogStream:
    """One stream of bytes, put together to lines. Carriage returns end lines, too, as they do for the agent."""

    def __init__(self, log: StepLog, masker: Masker, run_command: RunCommand | None, told: Told | None = None) -> None:
        self._log = log
        self._told = told
        self._masker = masker
        self._mask = masker.stream()
        self._run_command = run_command
        self._tail: list[bytes] = []
        self._tail_size = 0
        self._return_pending = False
        # Masked text that does not end a line yet, since the mask holds on to what may be a secret.
        self._masked = b""

    def feed(self, chunk: bytes) -> None:
        """Take what came."""
        chunk = without_nuls(chunk)
        if b"\r" in chunk or self._return_pending:
            chunk = self._unify(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._keep(chunk)
            return
        if self._tail:
            block = b"".join((*self._tail, chunk[:cut]))
            self._tail.clear()
            self._tail_size = 0
        else:
            block = chunk if cut == len(chunk) else chunk[:cut]
        if cut < len(chunk):
            self._keep(chunk[cut:])
        if self._run_command is not None and KEYWORD in block:
            self._lines(block)
        else:
            self._tell(self._masked_now(block))

    def waiting(self) -> bool:
        """Whether there is an unfinished line that nobody has seen."""
        return self._tail_size > 0 or bool(self._masked)

    def idle(self) -> None:
        """Nothing came for a while: show the unfinished line, unless it may become a command."""
        if self._tail and not (self._run_command is not None and self._may_be_command()):
            self._release()
        if self._masked:
            masked, self._masked = self._masked, b""
            self._out(masked, self)

    def close(self) -> None:
        """The end: what is left of the last line, and all that the mask held back."""
        if self._return_pending:
            self._return_pending = False
            self._tail.append(b"\n")
        if self._tail:
            last = b"".join(self._tail)
            self._tail.clear()
            self._tail_size = 0
            if self._run_command is not None and KEYWORD in last:
                self._lines(last if last.endswith(b"\n") else last + b"\n")
            else:
                self._tell(self._masked_now(last if last.endswith(b"\n") else last + b"\n"))
        masked = self._masked + self._mask.flush()
        self._masked = b""
        self._out(masked, self)
        self._log.finish_line(self)

    def _unify(self, chunk: bytes) -> bytes:
        if self._return_pending:
            chunk = b"\r" + chunk
        self._return_pending = chunk.endswith(b"\r")
        return _unify(chunk[:-1] if self._return_pending else chunk)

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._tail.append(piece)
        self._tail_size += len(piece)
        if self._tail_size > MAX_LINE:
            may_be_command = self._run_command is not None and self._may_be_command()
            if not may_be_command or self._tail_size > MAX_COMMAND:
                self._release()

    def _may_be_command(self) -> bool:
        if len(self._tail) > 1:
            self._tail[:] = [b"".join(self._tail)]
        tail = self._tail[0]
        return KEYWORD in tail or any(tail.endswith(KEYWORD[:length]) for length in range(1, len(KEYWORD)))

    def _release(self) -> None:
        piece = b"".join(self._tail)
        self._tail.clear()
        self._tail_size = 0
        masked = self._masked + self._masked_now(piece)
        self._masked = b""
        self._out(masked, self)

    def _lines(self, block: bytes) -> None:
        """Text up to each command is told before the command is carried out."""
        assert self._run_command is not None  # noqa: S101  # the only caller has looked
        text: list[bytes] = []
        for line in block.splitlines(keepends=True) if b"\n" in block else [block]:
            if KEYWORD in line:
                if text:
                    self._tell(self._masked_now(b"".join(text)))
                    text.clear()
                if self._run_command(decode(line.rstrip(b"\n"))):
                    continue
            text.append(line)
        if text:
            self._tell(self._masked_now(b"".join(text)))

    def _masked_now(self, text: bytes) -> bytes:
        return self._mask.feed(uncovered(text, self._masker))

    def _out(self, masked: bytes, source: object) -> None:
        if masked and self._told is not None:
            self._told(masked)
        self._log.tell(masked, source)

    def _tell(self, masked: bytes) -> None:
        """Tell whole lines; keep what does not end one."""
        if self._masked:
            masked = self._masked + masked
        cut = masked.rfind(b"\n") + 1
        self._masked = masked[cut:]
        self._out(masked if cut == len(masked) else masked[:cut], self)


def _unify(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
