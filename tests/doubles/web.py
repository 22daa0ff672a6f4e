"""What contract doubles of web services share: a server on loopback that keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Call:
    """One request; headers by lower-case name. `certificate` is the client's (DER), where it has shown one."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    certificate: bytes = b""


@dataclass(frozen=True)
class Reply:
    """One answer: JSON unless `content` says otherwise."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: str = "application/json; charset=utf-8"


class Double:
    """A service; what it is asked is in `calls`, what was wrong with that in `complaints` (none when all is well)."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.complaints: list[str] = []

    def answer(self, call: Call) -> Reply:
        raise NotImplementedError

    def expect(self, holds: bool, complaint: str) -> None:
        """Note what a real service would not put up with."""
        if not holds:
            self.complaints.append(complaint)


@contextmanager
def served(double: Double, context: ssl.SSLContext | None = None) -> Iterator[None]:
    """Serve it for the length of the block; it knows its `url` then. With `context` over TLS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"double": double}))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    double.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    double: Double

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        if self.headers["Expect"] == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        call = Call(
            method=self.command,
            path=parts.path,
            query={name: values[0] for name, values in parse_qs(parts.query).items()},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers["Content-Length"] or 0)),
            certificate=self._certificate(),
        )
        self.double.calls.append(call)
        reply = self.double.answer(call)
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content)
        self.send_header("Content-Length", str(len(content)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        with contextlib.suppress(ConnectionError):  # a client that has waited long enough hangs up
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def _certificate(self) -> bytes:
        shown = self.connection.getpeercert(binary_form=True) if isinstance(self.connection, ssl.SSLSocket) else None
        return shown or b""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
        pass
