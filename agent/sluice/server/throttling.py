"""Slows down whoever guesses credentials: after some failures an address is not listened to for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sluice.values import dataclass

FREE_FAILURES = 10
"""So many failures an address may have before it has to wait."""

FIRST_WAIT = 5.0
LONGEST_WAIT = 15 * 60.0
FORGET_SECONDS = 30 * 60.0
MAX_ADDRESSES = 10_000


@dataclass(slots=True)
class _Known:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


class Throttle:
    """Counts failed sign-ins by address, in the memory of this process. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """How many seconds an address has to wait before it is listened to; 0 for none."""
        with self._lock:
            found = self._known.get(address)
            return max(0.0, found.until - self._clock()) if found else 0.0

    def failed(self, address: str) -> None:
        """Somebody at that address showed what nobody has."""
        now = self._clock()
        with self._lock:
            if len(self._known) >= MAX_ADDRESSES:
                self._forget(now)
            found = self._known.setdefault(address, _Known())
            if now - found.last > FORGET_SECONDS:
                found.failures = 0
            found.failures += 1
            found.last = now
            if (over := found.failures - FREE_FAILURES) > 0:
                found.until = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(over - 1, 20))

    def succeeded(self, address: str) -> None:
        """Somebody at that address signed in."""
        with self._lock:
            self._known.pop(address, None)

    def _forget(self, now: float) -> None:
        kept = {address: one for address, one in self._known.items() if now - one.last <= FORGET_SECONDS}
        self._known = kept if len(kept) < MAX_ADDRESSES else {}


class Rate:
    """Lets each of many do something so many times in a while. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float], count: int, seconds: float) -> None:
        self._clock = clock
        self._count = count
        self._seconds = seconds
        self._times: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def wait(self, who: str) -> float:
        """Count one more time, and answer 0; or answer how many seconds there are to wait until the next."""
        now = self._clock()
        with self._lock:
            times = [time for time in self._times.get(who, ()) if now - time < self._seconds]
            if len(times) >= self._count:
                return times[0] + self._seconds - now
            self._times[who] = [*times, now]
            if len(self._times) > MAX_ADDRESSES:
                self._times = {who: self._times[who]}
            return 0.0
