"""The Kubernetes client as it is used here: nothing is sent twice or to elsewhere, and each peer is looked at."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.plugin import check_host
from sluice_kubernetes._access import Access

if TYPE_CHECKING:
    import socket

    from kubernetes.client import ApiClient

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0


class Line:
    """The sockets of a cluster's connections, which are shut down when nobody wants to wait for them any more."""

    def __init__(self) -> None:
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def add(self, opened: socket.socket) -> None:
        # a duplicate: TLS takes the descriptor out of the object that it wraps
        with self._lock:
            self._sockets.append(opened.dup())
        if self.is_cut:
            self.cut()

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, and answer whether it was cut meanwhile."""
        return self._cut.wait(seconds)

    def sockets(self) -> list[socket.socket]:
        """What has been opened so far."""
        with self._lock:
            return list(self._sockets)

    def cut(self) -> None:
        self._cut.set()
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(2)  # SHUT_RDWR: it wakes a reader in another thread, which closing does not

    def close(self) -> None:
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()


def client_of(access: Access, client_files: tuple[str, str] | None) -> ApiClient:
    """A client of the cluster, whose own certificate and key are in files."""
    import urllib3
    from kubernetes.client import ApiClient, Configuration

    certificate, key = client_files or (None, None)
    configuration = Configuration(
        host=access.server,
        verify_ssl=not access.insecure,
        ca_cert_data=access.authority or None,
        tls_server_name=access.server_name or None,
        # nothing is sent twice unasked, and nothing to where a stranger redirects
        retries=urllib3.Retry(0, redirect=0, raise_on_redirect=False),
        cert_file=certificate,
        key_file=key,
    )
    client = ApiClient(configuration)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    client.rest_client.pool_manager.connection_pool_kw["timeout"] = timeout
    return client


def watch_peers(manager: Any, where: str, line: Line) -> None:
    """Look at the address that each connection has reached before anything is said: names may change their mind."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def check(connection: Any) -> None:
        with contextlib.suppress(OSError, AttributeError):
            host, port = connection.sock.getpeername()[:2]
            check_host(str(host), int(port), name=where)

    def shown(opened: socket.socket) -> socket.socket:
        line.add(opened)  # before a handshake, which may take its time too
        return opened

    class Watched(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return shown(super()._new_conn())

        def connect(self) -> None:
            super().connect()
            check(self)

    class WatchedTls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return shown(super()._new_conn())

        def connect(self) -> None:
            super().connect()
            check(self)

    class Plain(HTTPConnectionPool):
        ConnectionCls = Watched

    class Tls(HTTPSConnectionPool):
        ConnectionCls = WatchedTls

        def _validate_conn(self, conn: Any) -> None:
            # as the base class, without its warning on standard error: the connection itself says what it trusts
            if conn.is_closed:
                conn.connect()

    manager.pool_classes_by_scheme = {"http": Plain, "https": Tls}


def write_private(path: Path, text: str) -> str:
    """Write a new file that only this user can read, and answer its path."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    return str(path)
