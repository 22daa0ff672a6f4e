"""A TCP connection to a host, and the time limit that it shares with all that follows."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from typing import Any

import paramiko

from sluice.plugin import CanceledError, Connection, SluiceError, VerificationError

DEAD_LINE_SECONDS = 90
"""How long sent data may stay unacknowledged before the line counts as broken."""
LOOK_SECONDS = 0.2
"""How often a connection that is being made looks whether it is still wanted."""


class Deadline:
    """A point in time that a number of waits share; canceling brings it about at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.canceled = False
        self._end = time.monotonic() + seconds
        self._watched: list[paramiko.Transport] = []

    def left(self) -> float:
        """Seconds left, never less than a millisecond, since 0 means no limit to some callers."""
        return max(self._end - time.monotonic(), 0.001)

    @property
    def passed(self) -> bool:
        return self.canceled or time.monotonic() >= self._end

    def watch(self, transport: paramiko.Transport) -> None:
        """Close the transport when canceled, which ends every wait for it."""
        self._watched.append(transport)
        if self.canceled:
            transport.close()

    def met(self) -> None:
        """What was waited for is there: canceling closes nothing any more."""
        self._watched.clear()

    def cancel(self) -> None:
        """Let it be now; called from another thread."""
        self.canceled = True
        for transport in tuple(self._watched):
            transport.close()


def dial(connection: Connection, name: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect; raises `VerificationError` that says why it did not work, `CanceledError` when canceled."""
    address = f"{name}:{port}"
    try:
        places = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise VerificationError(
            f"the host name '{name}' was not resolved", where=connection.name, why=str(error)
        ) from None
    failure: OSError = OSError("it has no address")
    for family, kind, protocol, _, place in places:
        try:
            line = _connect(socket.socket(family, kind, protocol), place, deadline)
        except OSError as error:
            failure = error
            continue
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or small messages wait for acknowledgements
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_LINE_SECONDS * 1000)
        return line
    if deadline.passed:
        raise too_late(connection, address, deadline)
    if isinstance(failure, ConnectionRefusedError):
        raise VerificationError(
            f"{address} refused the connection",
            where=connection.name,
            why="no SSH server listens there, or a firewall refuses",
        )
    raise VerificationError(f"{address} cannot be reached", where=connection.name, why=failure.strerror or str(failure))


def _connect(line: socket.socket, place: Any, deadline: Deadline) -> socket.socket:
    """Connect without blocking, so that a cancellation is seen; raises `OSError`."""
    try:
        line.setblocking(False)
        code = _connected(line, place, deadline)
        line.setblocking(True)
    except BaseException:
        line.close()
        raise
    if code:
        line.close()
        raise OSError(code, os.strerror(code))
    return line


def _connected(line: socket.socket, place: Any, deadline: Deadline) -> int:
    """0, or the error number."""
    code = line.connect_ex(place)
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_WRITE)
        while code in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
            if deadline.passed:
                return errno.ETIMEDOUT
            if selector.select(min(deadline.left(), LOOK_SECONDS)):
                code = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return code


def too_late(connection: Connection, address: str, deadline: Deadline) -> SluiceError:
    """The error when the deadline has passed: canceled, or no answer in time."""
    if deadline.canceled:
        return CanceledError("canceled while connecting", where=connection.name)
    return VerificationError(
        f"{address} did not answer in time",
        where=connection.name,
        why=f"connecting and authenticating took longer than {deadline.seconds:g} seconds",
    )
