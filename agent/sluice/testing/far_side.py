"""Far sides that no plugin may stumble over: one that is not there, hangs up, refuses, talks nonsense, says nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Literal

from sluice.values import dataclass

Manner = Literal["not there", "hangs up", "refuses", "talks nonsense", "says nothing"]
UNFRIENDLY: tuple[Manner, ...] = ("not there", "hangs up", "refuses", "talks nonsense")
"""Those that answer at once, whatever that is."""

_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FarSide:
    """A server on loopback; `reached` is set when something has connected to it."""

    port: int
    reached: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """Where it is, as a URL."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def far_side(manner: Manner) -> Iterator[FarSide]:
    """A far side that behaves in that manner for the length of the block.

    `refuses` is a web server that knows nobody (401) and repeats all that it was sent, credentials included.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = FarSide(listener.getsockname()[1])
        if manner == "not there":
            listener.close()
            yield place
            return
        opened: list[socket.socket] = []
        thread = threading.Thread(target=_accept, args=(listener, manner, place, opened), name=f"far side: {manner}")
        thread.start()
        try:
            yield place
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for one in tuple(opened):
                _end(one)
            thread.join()


def _accept(listener: socket.socket, manner: Manner, place: FarSide, opened: list[socket.socket]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # it ends
            break
        opened.append(client)
        place.reached.set()
        client.settimeout(10)
        with contextlib.suppress(OSError):
            _answer(client, manner)
        if manner != "says nothing":
            _end(client)
    for one in opened:
        _end(one)


def _answer(client: socket.socket, manner: Manner) -> None:
    if manner == "refuses":
        asked = _head(client)
        body = b"go away: " + asked
        head = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        client.sendall(head.encode() + b'WWW-Authenticate: Basic realm="nobody"\r\nConnection: close\r\n\r\n' + body)
    elif manner == "talks nonsense":
        _head(client)
        client.sendall(b"\x00\xff not a protocol \x1b[31m\r\n" * 20)


def _head(client: socket.socket) -> bytes:
    """What a client says first: up to the end of an HTTP head, or to its first pause."""
    asked = b""
    client.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while b"\r\n\r\n" not in asked and len(asked) < _HEADER_BYTES:
            piece = client.recv(4096)
            if not piece:
                break
            asked += piece
    client.settimeout(10)
    return asked


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
