"""Where a decision or a use comes from: host, process, terminal, and the address of who speaks from elsewhere."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict

from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`terminal` is '' where there is none; `address` is that of a log-in from elsewhere ('' for none)."""

    host: str
    process: int
    terminal: str = ""
    address: str = ""

    def as_details(self) -> dict[str, str | int]:
        """What is known of it, for the audit log."""
        return {name: value for name, value in asdict(self).items() if value}


_CURRENT: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current() -> Origin:
    """Where this very work comes from: what `coming_from` said, else this process."""
    return _CURRENT.get() or _of_process(os.getpid())


@contextlib.contextmanager
def coming_from(address: str) -> Iterator[None]:
    """Work within is done for somebody at that address: what a server answers for."""
    here = _of_process(os.getpid())
    mark = _CURRENT.set(Origin(host=here.host, process=here.process, address=_address(address) or "unknown"))
    try:
        yield
    finally:
        _CURRENT.reset(mark)


def come_from(address: str) -> None:
    """As `coming_from`, for the rest of the context that this is called in: a request's, which ends with it."""
    here = _of_process(os.getpid())
    _CURRENT.set(Origin(host=here.host, process=here.process, address=_address(address) or "unknown"))


@functools.lru_cache(maxsize=1)  # a child has another number
def _of_process(number: int) -> Origin:
    # the variable is set by sshd; whoever can set it here can write the log anyway
    remote = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return Origin(host=socket.gethostname()[:255], process=number, terminal=_terminal(), address=_address(remote))


def _terminal() -> str:
    for descriptor in (0, 2, 1):
        with contextlib.suppress(OSError):
            if os.isatty(descriptor):
                return os.ttyname(descriptor)
    return ""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return ""
