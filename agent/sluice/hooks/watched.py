"""The connections of a probe: looked at before anything is said on them, and ended from outside when time is up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluice.hooks.networks import current
from sluice.values import dataclass

if TYPE_CHECKING:
    import socket
    import ssl

    import requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What TLS with a service takes beyond a certificate for its name, signed by an authority of this machine.

    `shows` gives a context the certificate that this side shows of itself. With `any_name` the certificate of the far
    side may be for another name than the address has. `accepts` looks at it (DER) before anything is sent and answers
    why it is not the right one, '' when it is.
    """

    shows: Callable[[ssl.SSLContext], None] | None = None
    any_name: bool = False
    accepts: Callable[[bytes], str] | None = None


class SpecialAddressError(OSError):
    """A connection came about with an address that no service has."""


class UnacceptableCertificateError(OSError):
    """A service shows a certificate that the connection does not accept."""


class Clock:
    """Shuts down the sockets that it was shown when it strikes, and each that it is shown later."""

    def __init__(self) -> None:
        self.struck = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def show(self, opened: socket.socket) -> None:
        # a duplicate: TLS takes the descriptor out of the object that it wraps
        with self._lock:
            self._sockets.append(opened.dup())
        if self.struck:
            self.strike()

    def strike(self) -> None:
        self.struck = True
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(2)  # SHUT_RDWR: it wakes a reader in another thread, which closing does not

    def close(self) -> None:
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()


def is_special(text: str) -> bool:
    """Whether no service has this address (link-local, multicast or none at all), or nothing is tried there for others."""
    import ipaddress

    if (networks := current()) is not None and networks.refuses(text):
        return True

    address = ipaddress.ip_address(text.partition("%")[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    return bool(plain.is_link_local or plain.is_multicast or plain.is_unspecified)


def watch(session: requests.Session, clock: Clock, tls: Tls | None) -> None:
    """Let the session look at the address that it has reached before it says anything: names may change their mind."""
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Watched(HTTPConnection):
        def _new_conn(self) -> socket.socket:  # before a handshake, which may take its time too
            opened = super()._new_conn()
            clock.show(opened)
            return opened

        def connect(self) -> None:
            super().connect()
            _check_peer(self)

    class WatchedTls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            opened = super()._new_conn()
            clock.show(opened)
            return opened

        def connect(self) -> None:
            super().connect()
            _check_peer(self)
            if tls is not None and tls.accepts is not None:
                _check_certificate(self, tls.accepts)

    class Plain(HTTPConnectionPool):
        ConnectionCls = Watched

    class Tls(HTTPSConnectionPool):
        ConnectionCls = WatchedTls

        def _validate_conn(self, conn: Any) -> None:
            # as the base class, without its warning on standard error: the connection itself says what it trusts
            if conn.is_closed:
                conn.connect()

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
            super().init_poolmanager(*arguments, **{**named, **_options(tls)})
            self.poolmanager.pool_classes_by_scheme = {"http": Plain, "https": Tls}

    session.mount("http://", Adapter())
    session.mount("https://", Adapter())


def _options(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    from urllib3.util import create_urllib3_context

    context = create_urllib3_context()
    context.check_hostname = False  # urllib3 compares the name itself then, unless it is told not to
    if tls.shows is not None:
        tls.shows(context)
    return {"ssl_context": context, **({"assert_hostname": False} if tls.any_name else {})}


def _check_certificate(connection: Any, accepts: Callable[[bytes], str]) -> None:
    if why := accepts(connection.sock.getpeercert(True) or b""):
        connection.close()
        raise UnacceptableCertificateError(why)


def _check_peer(connection: Any) -> None:
    peer = ""
    with contextlib.suppress(OSError, AttributeError):
        peer = str(connection.sock.getpeername()[0])
    if peer and is_special(peer):
        connection.close()
        raise SpecialAddressError(f"{peer} is a link-local or special address")
