"""Runs one process in a container, as `sluice.runtime.process` does on the host: its output as it comes, its stop.

The engine cannot end what it has started within a container. A shell of one line writes down its own number and
becomes the process, which leads a group of its own: signals go to that group, by a second command.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from sluice.errors import TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.containers.engine import Engine, EngineError, told
from sluice.runtime.process import IDLE_SECONDS, Exit, Graces, Sink
from sluice.values import dataclass

FIRST_LOOK_SECONDS = 0.01
LOOK_SECONDS = 1.0
"""So often the engine is asked whether a silent process has ended."""

_PIECES = 64
_STDERR = 2
_NUMBER = 'echo $$ >"$0"; exec "$@"'
_KILL = 'read pid <"$1" && kill -"$0" -"$pid"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run where. `notes` is a folder that both sides have: as the host calls it, and as the container does."""

    container: str
    arguments: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    user: str
    notes: tuple[Path, str]


def run_in_container(
    engine: Engine,
    command: Command,
    *,
    output: Sink,
    errors: Sink | None,
    cancellation: Cancellation,
    graces: Graces | None = None,
) -> Exit:
    """Run it to its end; raises `TaskFailedError` when it cannot be started."""
    name = f".{uuid.uuid4().hex}.pid"
    note, inner = command.notes[0] / name, f"{command.notes[1]}/{name}"
    try:
        started = _start(engine, command, inner)
    except EngineError as error:
        raise TaskFailedError(f"cannot start {command.arguments[0]} in the container", why=error.why) from error
    watch = _Watch(engine, command, started, inner, graces or Graces(), cancellation)
    take_back = cancellation.on_cancel(watch.wake)
    take_back_kill = cancellation.on_kill(watch.wake)
    try:
        return watch.run(output, errors or output)
    finally:
        take_back()
        take_back_kill()
        watch.close()
        note.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Started:
    id: str
    socket: Any


def _start(engine: Engine, command: Command, note: str) -> _Started:
    with told("starting a process in the container"):
        made = engine.api.exec_create(
            command.container,
            ["sh", "-c", _NUMBER, note, *command.arguments],
            user=command.user,
            workdir=command.cwd,
            environment=[f"{name}={value}" for name, value in command.env.items()],
        )
        return _Started(made["Id"], engine.api.exec_start(made["Id"], socket=True))


@dataclass
class _Watch:
    """Waits for output, for the end, and for the next signal to be due."""

    engine: Engine
    command: Command
    started: _Started
    note: str
    graces: Graces
    cancellation: Cancellation
    _pieces: queue.Queue[tuple[int, bytes] | None] = field(default_factory=lambda: queue.Queue(_PIECES))
    _closing: threading.Event = field(default_factory=threading.Event)
    _due: Iterator[float] | None = None
    _next_signal: float = 0.0
    _killed: bool = False
    _over: bool = False

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, name="container output", daemon=True)
        self._reader.start()

    def wake(self) -> None:
        """Make `run` look at its cancellation; from any thread."""
        with contextlib.suppress(queue.Full):  # it has plenty to look at
            self._pieces.put_nowait((0, b""))

    def close(self) -> None:
        """Give up reading."""
        self._closing.set()
        with contextlib.suppress(OSError, AttributeError):
            self.started.socket.close()

    def run(self, output: Sink, errors: Sink) -> Exit:
        sinks = (output, errors)
        silent_since = time.monotonic()
        while True:
            if self.cancellation.canceled:
                self._stop()
            try:
                piece = self._pieces.get(timeout=self._timeout(sinks))
            except queue.Empty:
                for sink in sinks:
                    sink.idle()
                if self._lingers(silent_since):
                    return self._end(left_open=True)
                continue
            if piece is None:
                return self._end(left_open=False)
            stream, chunk = piece
            if chunk:
                silent_since = time.monotonic()
                (errors if stream == _STDERR else output).feed(chunk)

    def _timeout(self, sinks: Sequence[Sink]) -> float:
        waits = [LOOK_SECONDS]
        if any(sink.waiting() for sink in sinks):
            waits.append(IDLE_SECONDS)
        if self._due is not None:
            waits.append(self._next_signal - time.monotonic())
        return max(0.01, min(waits))

    def _lingers(self, silent_since: float) -> bool:
        """Whether the process has ended and something holds its output open for too long."""
        now = time.monotonic()
        if not self._over and now - silent_since >= LOOK_SECONDS:
            self._over = not self._state()[0]
        return self._over and (self.cancellation.canceled or now - silent_since >= self.graces.linger)

    def _end(self, *, left_open: bool) -> Exit:
        """Its status, once it has one: it may outlive its output. What a canceled process left of its group goes."""
        pause = FIRST_LOOK_SECONDS
        running, code = self._state()
        while running:
            if self.cancellation.canceled:
                self._stop()
            with contextlib.suppress(queue.Empty):
                self._pieces.get(timeout=pause)
            pause = min(2 * pause, LOOK_SECONDS)
            running, code = self._state()
        if self.cancellation.canceled:
            self._signal("KILL")
        return Exit(code=code if code is not None else 137, left_open=left_open)

    def _state(self) -> tuple[bool, int | None]:
        try:
            with told("looking at a process in the container"):
                found = self.engine.api.exec_inspect(self.started.id)
        except EngineError:  # the container is gone, and the process with it
            return False, 137
        return bool(found.get("Running")), found.get("ExitCode")

    def _stop(self) -> None:
        """Send the signals that are due."""
        if self.cancellation.killed and not self._killed:
            self._killed = True
            self._signal("KILL")
        elif not self._killed and (self._due is None or time.monotonic() >= self._next_signal):
            self._due = self._due or self._signals()
            self._next_signal = time.monotonic() + next(self._due, 3600.0)

    def _signals(self) -> Iterator[float]:
        self._signal("INT")
        yield self.graces.interrupt
        self._signal("TERM")
        yield self.graces.terminate
        self._killed = True
        self._signal("KILL")

    def _signal(self, name: str) -> None:
        with contextlib.suppress(EngineError):
            self.engine.ask(self.command.container, ["sh", "-c", _KILL, name, self.note], self.command.user)

    def _read(self) -> None:
        from docker.utils.socket import frames_iter

        # Closed by us or broken by the engine: either way it has said all that it will.
        with contextlib.suppress(OSError, ValueError):
            for stream, chunk in frames_iter(self.started.socket, tty=False):
                if not self._put((stream, chunk)):
                    return
        self._put(None)

    def _put(self, piece: tuple[int, bytes] | None) -> bool:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._pieces.put(piece, timeout=LOOK_SECONDS)
                return True
        return False
