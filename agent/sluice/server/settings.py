"""How a server was asked to be."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from sluice.errors import UsageError
from sluice.hooks.networks import Networks
from sluice.values import dataclass

ORGANIZATION = "local"
"""The organization of an installation, the first part of its addresses."""

SESSION_SECONDS = 12 * 3600.0
LINK_SECONDS = 10 * 60.0
MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request, where a route does not take more."""

MAX_UPLOAD = 11 * 1024 * 1024
"""Bytes of a request that brings a secure file, which has 10 MB at most, and what is around it."""

UPLOADS = ("/_library/files", "/_apis/distributedtask/securefiles")
"""How the paths of such requests end."""

_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WILDCARDS = {"0.0.0.0", "::", ""}  # noqa: S104  # recognized, not bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where a server listens, and by which names it answers. Times are in seconds.

    `public_url` is how others reach it, without the organization ('': as it listens); `hosts` are further names that
    requests may name it by; `proxies` are addresses whose `X-Forwarded-For` is believed.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    certificate: Path | None = None
    key: Path | None = None
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    organization: str = ORGANIZATION
    session_seconds: float = SESSION_SECONDS
    link_seconds: float = LINK_SECONDS
    networks: Networks = field(default_factory=Networks)
    """The inner networks where connections are tried for those who use the server."""
    max_jobs: int = 0
    """Jobs that are carried out at a time; 0: as many as the machine has processors, at least two."""
    origins: frozenset[str] = field(init=False, default=frozenset())
    """`scheme://host:port` of every name: what a browser may say that a request comes from."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError("TLS takes a certificate and its key", do="give --tls-certificate and --tls-key")
        if not _ORGANIZATION.fullmatch(self.organization):
            raise UsageError(
                f"'{self.organization}' is no name for an organization",
                why="it is the first part of every address",
                do="use letters, digits, '.', '-' and '_'",
            )
        url = self.public_url.rstrip("/") or f"{self.scheme}://{_bracketed(self._reachable())}:{self.port}"
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"'{self.public_url}' is no address of a server", do="write it as https://host:port")
        object.__setattr__(self, "public_url", url)
        names = [f"{_bracketed(host)}:{self.port}" for host in self._local_names()]
        names += [parts.netloc.rpartition("@")[2], *self.hosts]
        schemes = {self.scheme, parts.scheme}
        object.__setattr__(
            self,
            "origins",
            frozenset(
                f"{scheme}://{_without_default(name.casefold(), scheme)}" for name in names for scheme in schemes
            ),
        )

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS, here or at a proxy in front."""
        return self.public_url.startswith("https://")

    @property
    def scheme(self) -> str:
        """What is spoken on the socket."""
        return "https" if self.certificate else "http"

    @property
    def collection_url(self) -> str:
        """The address of the organization, with a slash at the end: `System.CollectionUri`."""
        return f"{self.public_url}/{self.organization}/"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host.casefold() == "localhost" or _is_loopback(self.host)

    def knows(self, host: str) -> bool:
        """Whether a request may name this server so (the `Host` header)."""
        name = host.casefold()
        return any(f"{scheme}://{_without_default(name, scheme)}" in self.origins for scheme in ("http", "https"))

    def _reachable(self) -> str:
        if self.host not in _WILDCARDS:
            return self.host
        import socket

        return socket.gethostname()

    def _local_names(self) -> list[str]:
        if self.loopback or self.host in _WILDCARDS:
            return ["localhost", "127.0.0.1", "::1", *([] if self.loopback else [self._reachable()])]
        return [self.host]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _without_default(name: str, scheme: str) -> str:
    return name.removesuffix(":443" if scheme == "https" else ":80")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
