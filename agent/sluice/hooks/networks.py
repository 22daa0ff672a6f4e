"""Which addresses may be connected to while a connection is tried for somebody who is not at this machine.

A server stands where those who use it do not: what it tries for them would reach into the networks around it. So every
connection that is begun meanwhile is looked at, by whatever library, at the address that it really goes to. What a name
resolves to before that does not count, and neither does where a redirect comes from.
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final

from sluice.values import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class InnerAddressError(OSError):
    """A connection to an address that is not tried for others."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is in an inner network, where this server tries nothing (see --allow-network)")
        self.strerror = str(self)


@dataclass(frozen=True, slots=True)
class Networks:
    """The inner networks where connections may be tried all the same; what is public always may."""

    allowed: tuple[Network, ...] = ()

    def refuses(self, text: str) -> bool:
        """Whether an address is one of an inner network, or none of a service, and not allowed."""
        try:
            address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return True
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return True
        if any(address.version == one.version and address in one for one in self.allowed):
            return False
        return not address.is_global

    def check(self, family: int, address: Any) -> None:
        """Raise `InnerAddressError` for where a socket is about to connect to."""
        import socket

        if family not in {socket.AF_INET, socket.AF_INET6}:
            if not self._allows_loopback:
                raise InnerAddressError("a socket of this machine")
            return
        host = str(address[0]) if isinstance(address, Sequence) and address else ""
        for found in _resolved(host):
            if self.refuses(found):
                raise InnerAddressError(found)

    @property
    def _allows_loopback(self) -> bool:
        return not self.refuses("127.0.0.1")


_CURRENT: ContextVar[Networks | None] = ContextVar("networks", default=None)
_watching = False


def current() -> Networks | None:
    """What holds in this context; None where somebody tries a connection from its own machine."""
    return _CURRENT.get()


@contextlib.contextmanager
def limited_to(networks: Networks) -> Iterator[None]:
    """Refuse every other connection that is begun within, in this context."""
    _watch()
    mark = _CURRENT.set(networks)
    try:
        yield
    finally:
        _CURRENT.reset(mark)


def _watch() -> None:
    """Have Python tell of each connection before it is begun. That cannot be taken back, so it is done once."""
    global _watching  # noqa: PLW0603  # of the process, as what it tells of
    if not _watching:
        _watching = True
        sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    networks = _CURRENT.get()
    if networks is not None:
        opened, address = arguments
        networks.check(opened.family, address)


def _resolved(host: str) -> list[str]:
    """The addresses of a host; an address is its own, however it is written (`127.1`, `0x7f000001`)."""
    import socket

    try:
        return [str(place[0]) for *_, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _plain(address: _Address) -> _Address:
    """The address that is meant where one is wrapped into another: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
