"""Cancellation of work: asked for politely first (`cancel`), without waiting second (`kill`).

A job has one `Cancellation`; each step works under a child of it. The reason says why, in a person's words, and
`timed_out` whether a clock asked rather than a person.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

TIMED_OUT = "The task has timed out."
"""The agent's sentence for a step that ran longer than its `timeoutInMinutes`."""

Action = Callable[[], None]


class _State(NamedTuple):
    """What has been asked for; replaced as a whole, so that a reader needs no lock."""

    canceled: bool = False
    killed: bool = False
    timed_out: bool = False
    reason: str = ""


class Deadline:
    """A clock that acts when its time is up, and stands still while it is `held`. 0 seconds are no limit.

    `used` are seconds that count already, of an earlier process say.
    """

    def __init__(self, seconds: float, action: Action, *, used: float = 0) -> None:
        self._limit = seconds
        self._action = action
        self._lock = threading.Lock()
        self._used = used
        self._since: float | None = None
        self._timer: threading.Timer | None = None

    @property
    def used(self) -> float:
        """Seconds that have gone by, without those in which it was held."""
        with self._lock:
            return self._used + (time.monotonic() - self._since if self._since is not None else 0)

    @contextlib.contextmanager
    def running(self) -> Iterator[Deadline]:
        """It runs for the length of a `with` block."""
        self._go_on()
        try:
            yield self
        finally:
            self._stop()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """It stands still for the length of a `with` block."""
        self._stop()
        try:
            yield
        finally:
            self._go_on()

    def _go_on(self) -> None:
        with self._lock:
            self._since = time.monotonic()
            if self._limit > 0:
                self._timer = threading.Timer(max(0.0, self._limit - self._used), self._action)
                self._timer.daemon = True
                self._timer.start()

    def _stop(self) -> None:
        with self._lock:
            if self._since is not None:
                self._used += time.monotonic() - self._since
            self._since = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None


class Cancellation:
    """A request to stop that any thread may make and any thread may see; once made it stays made.

    Actions run once each, in the thread that cancels, in the order given. An action that raises doesn't keep the
    others from running; its error is raised when all have run.
    """

    def __init__(self) -> None:
        # Reentrant: a signal handler may cancel while its own thread is in here.
        self._lock = threading.RLock()
        self._state = _State()
        self._stopped = threading.Event()
        self._on_cancel: dict[int, Action] = {}
        self._on_kill: dict[int, Action] = {}
        self._next = 0

    @property
    def canceled(self) -> bool:
        """True from the first request on, whichever level it had."""
        return self._state.canceled

    @property
    def killed(self) -> bool:
        """True when there is no time left for an orderly end."""
        return self._state.killed

    @property
    def timed_out(self) -> bool:
        """True when a deadline made the first request."""
        return self._state.timed_out

    @property
    def reason(self) -> str:
        """Why, as given with the first request; '' when nobody said."""
        return self._state.reason

    def cancel(self, reason: str = "", *, timed_out: bool = False) -> None:
        """Ask for an orderly end; asking again changes nothing."""
        with self._lock:
            if self._state.canceled:
                return
            self._state = _State(canceled=True, timed_out=timed_out, reason=reason)
            actions = tuple(self._on_cancel.values())
            self._on_cancel.clear()
            self._stopped.set()
        _run(actions)

    def kill(self, reason: str = "") -> None:
        """Ask for an end at once; implies `cancel`."""
        with self._lock:
            if self._state.killed:
                return
            state = self._state
            self._state = _State(canceled=True, killed=True, timed_out=state.timed_out, reason=state.reason or reason)
            actions = (*self._on_cancel.values(), *self._on_kill.values())
            self._on_cancel.clear()
            self._on_kill.clear()
            self._stopped.set()
        _run(actions)

    def on_cancel(self, action: Action) -> Action:
        """Call `action` once when canceled, at once if that has happened; the answer takes it back."""
        return self._register(self._on_cancel, action, lambda: self._state.canceled)

    def on_kill(self, action: Action) -> Action:
        """Call `action` once when killed, at once if that has happened; the answer takes it back."""
        return self._register(self._on_kill, action, lambda: self._state.killed)

    def wait(self, seconds: float) -> bool:
        """Sleep so long unless canceled; True when canceled."""
        return self._stopped.wait(seconds)

    def child(self, *, shielded: bool = False) -> Cancellation:
        """A scope that is canceled and killed together with this one; a shielded one is only killed with it."""
        child = Cancellation()
        if not shielded:
            self.on_cancel(lambda: child.cancel(self.reason, timed_out=self.timed_out))
        self.on_kill(lambda: child.kill(self.reason))
        return child

    @contextlib.contextmanager
    def scope(self, *, shielded: bool = False) -> Iterator[Cancellation]:
        """A child for the length of a `with` block; afterwards this one knows it no more."""
        child = Cancellation()
        forget = [self.on_kill(lambda: child.kill(self.reason))]
        if not shielded:
            forget.append(self.on_cancel(lambda: child.cancel(self.reason, timed_out=self.timed_out)))
        try:
            yield child
        finally:
            for take_back in forget:
                take_back()

    @contextlib.contextmanager
    def deadline(self, seconds: float, reason: str = TIMED_OUT, *, used: float = 0) -> Iterator[Deadline]:
        """Cancel after so many seconds, unless the `with` block is left before; 0 is no deadline.

        `used` seconds of them have gone by already.
        """
        with Deadline(seconds, lambda: self.cancel(reason, timed_out=True), used=used).running() as clock:
            yield clock

    def _register(self, actions: dict[int, Action], action: Action, due: Callable[[], bool]) -> Action:
        with self._lock:
            if not due():
                self._next += 1
                key = self._next
                actions[key] = action
                return lambda: self._forget(actions, key)
        action()
        return _nothing

    def _forget(self, actions: dict[int, Action], key: int) -> None:
        with self._lock:
            actions.pop(key, None)


def _run(actions: tuple[Action, ...]) -> None:
    with contextlib.ExitStack() as stack:
        for action in reversed(actions):
            stack.callback(action)


def _nothing() -> None:
    """The action has run: there is nothing to take back."""
