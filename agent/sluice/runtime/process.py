"""Runs one process: its output in big chunks as it comes, its end, and its orderly or instant stop.

The process gets a session, and so a process group, of its own. When canceled the group gets SIGINT as from a
terminal, then SIGTERM, then SIGKILL, each after a grace period; whatever is left of the group when its leader has
ended is killed. A process that ends by itself may leave others running in the background, for later steps.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from sluice.errors import TaskFailedError
from sluice.runtime.adopted import HOUSEHOLD
from sluice.runtime.cancellation import Cancellation
from sluice.values import dataclass

CHUNK = 256 * 1024
"""Bytes read at a time."""

PIPE_SIZE = 1024 * 1024
"""Bytes a pipe holds where the system lets us choose; fewer switches between the process and us."""

IDLE_SECONDS = 0.5
"""So long nothing is written before an unfinished line is shown."""

LINGER_SECONDS = 5.0

MAX_GIVEN = 4096
"""Bytes that fit into any pipe at once."""

_NO_PIDFD_POLL_SECONDS = 0.05
_KILLED_LINGER_SECONDS = 0.2
_FOREVER_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graces:
    """Seconds from one signal to the next when a process is canceled, as the agent has them.

    `linger` is how long output is read on when the process has ended and something keeps its output open.
    """

    interrupt: float = 7.5
    terminate: float = 2.5
    linger: float = LINGER_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended: `code` is negative for a signal; `left_open` when its output was still held open."""

    code: int
    left_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Takes a process's output: `feed` each chunk, `idle` when nothing comes and `waiting` says a line is unfinished."""

    feed: Callable[[bytes], None]
    idle: Callable[[], None]
    waiting: Callable[[], bool]


def run_process(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: Sink,
    errors: Sink | None = None,
    cancellation: Cancellation,
    graces: Graces | None = None,
    given: bytes = b"",
) -> Exit:
    """Run it to its end. Without `errors` both streams go to `output`, in the order they were written.

    `given` is its standard input, a few kilobytes at most. Raises `TaskFailedError` when it cannot be started.
    """
    with contextlib.ExitStack() as stack:
        with _standard_input(given) as stdin:
            merged = errors is None
            start = HOUSEHOLD.started(lambda: _start(arguments, cwd, env, stdin, merged=merged))
            process = stack.enter_context(start)
        watch = stack.enter_context(_Watch(process, graces or Graces()))
        watch.read(process.stdout, output)
        watch.read(process.stderr, errors or output)
        take_back = cancellation.on_cancel(watch.wake)
        take_back_kill = cancellation.on_kill(watch.wake)
        try:
            return watch.run(cancellation)
        finally:
            take_back()
            take_back_kill()


@contextlib.contextmanager
def _standard_input(given: bytes) -> Iterator[int]:
    """A descriptor that holds the text and ends after it."""
    if not given:
        yield subprocess.DEVNULL
        return
    if len(given) > MAX_GIVEN:
        raise TaskFailedError(f"a process is given more than {MAX_GIVEN} bytes on its standard input")
    read, write = os.pipe()
    try:
        os.write(write, given)
        os.close(write)
        yield read
    finally:
        os.close(read)


def _start(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: int, *, merged: bool
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        missing = error.filename or arguments[0]
        raise TaskFailedError(f"cannot start {arguments[0]}", why=f"{error.strerror}: {missing}") from error
    except ValueError as error:  # a NUL in an argument or in the environment
        raise TaskFailedError(f"cannot start {arguments[0]}", why=str(error)) from error


class _Watch:
    """Waits for output, for the end, and for the next signal to be due."""

    def __init__(self, process: subprocess.Popen[bytes], graces: Graces) -> None:
        self._process = process
        self._graces = graces
        self._selector = selectors.DefaultSelector()
        self._sinks: dict[int, Sink] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._wake_lock = threading.Lock()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._pidfd = _watch_end(process.pid)
        if self._pidfd >= 0:
            self._selector.register(self._pidfd, selectors.EVENT_READ)
        self._due: Iterator[float] | None = None
        self._next_signal = 0.0
        self._ended_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:  # an error on our side: leave nothing behind
            _signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._selector.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        with self._wake_lock:
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_write = -1

    def read(self, stream: IO[bytes] | None, sink: Sink) -> None:
        """Read this stream to its end into the sink."""
        if stream is not None:
            fd = stream.fileno()
            _widen(fd)
            self._sinks[fd] = sink
            self._selector.register(fd, selectors.EVENT_READ)

    def wake(self) -> None:
        """Make `run` look at its cancellation; from any thread."""
        # Under a lock: the number of a closed descriptor may be another file's by now.
        with self._wake_lock, contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    def run(self, cancellation: Cancellation) -> Exit:
        """Until the process has ended and its output is read."""
        while self._sinks:
            if cancellation.canceled:
                self._stop(cancellation)
            ready = self._selector.select(self._timeout())
            if not ready:
                self._nothing_came()
            for key, _ in ready:
                self._take(key.fd)
            if self._over(cancellation):
                break
        return self._end(cancellation)

    def _take(self, fd: int) -> None:
        if fd == self._wake_read:
            os.read(fd, 64)
        elif fd == self._pidfd:
            self._selector.unregister(fd)
            self._ended_at = time.monotonic()
        elif chunk := os.read(fd, CHUNK):
            self._sinks[fd].feed(chunk)
        else:
            self._selector.unregister(fd)
            del self._sinks[fd]

    def _nothing_came(self) -> None:
        if self._pidfd < 0 and not self._ended_at and self._process.poll() is not None:
            self._ended_at = time.monotonic()
        for sink in self._sinks.values():
            sink.idle()

    def _timeout(self) -> float | None:
        waits: list[float] = []
        if any(sink.waiting() for sink in self._sinks.values()):
            waits.append(IDLE_SECONDS)
        if self._due is not None:
            waits.append(self._next_signal - time.monotonic())
        if self._ended_at or self._pidfd < 0:
            waits.append(_NO_PIDFD_POLL_SECONDS)
        return max(0.0, min(waits)) if waits else None

    def _over(self, cancellation: Cancellation) -> bool:
        """Whether to stop reading although something holds the output open."""
        if not self._ended_at:
            return False
        linger = _KILLED_LINGER_SECONDS if cancellation.canceled else self._graces.linger
        if cancellation.canceled:
            _signal_group(self._process.pid, signal.SIGKILL)
        return time.monotonic() - self._ended_at >= linger

    def _stop(self, cancellation: Cancellation) -> None:
        """Send the signals that are due."""
        if self._ended_at:
            return
        if cancellation.killed:
            _signal_group(self._process.pid, signal.SIGKILL)
            self._due, self._next_signal = iter(()), time.monotonic() + _FOREVER_SECONDS
        elif self._due is None or time.monotonic() >= self._next_signal:
            if self._due is None:
                self._due = self._signals()
            self._next_signal = time.monotonic() + next(self._due, _FOREVER_SECONDS)

    def _signals(self) -> Iterator[float]:
        _signal_group(self._process.pid, signal.SIGINT)
        yield self._graces.interrupt
        _signal_group(self._process.pid, signal.SIGTERM)
        yield self._graces.terminate
        _signal_group(self._process.pid, signal.SIGKILL)

    def _end(self, cancellation: Cancellation) -> Exit:
        """Output has ended: wait for the process, which may outlive it, then sweep its group if it was canceled."""
        left_open = bool(self._sinks)
        while self._process.poll() is None:
            if cancellation.canceled:
                self._stop(cancellation)
            for key, _ in self._selector.select(self._timeout_without_output()):
                self._take(key.fd)
        if cancellation.canceled:
            _signal_group(self._process.pid, signal.SIGKILL)
        return Exit(code=self._process.returncode, left_open=left_open)

    def _timeout_without_output(self) -> float | None:
        if self._pidfd < 0:
            return _NO_PIDFD_POLL_SECONDS
        return max(0.0, self._next_signal - time.monotonic()) if self._due is not None else None


def _watch_end(pid: int) -> int:
    """A descriptor that becomes readable when the process ends; -1 where there is none."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return -1


def _widen(fd: int) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def _signal_group(pid: int, number: signal.Signals) -> None:
    """A process group keeps its number for as long as one of its processes lives, so it is never somebody else's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
