"""Tries a connection the way an installed extension says: one request, sent to where the connection leads."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from sluice.connections.contributed import Probe
from sluice.connections.mustache import fill
from sluice.errors import VerificationError
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection

SECONDS = (10.0, 20.0)
"""To connect, and to wait for an answer."""

_PORTS = {"http": 80, "https": 443}
_VERBS = frozenset({"GET", "HEAD"})


def try_connection(connection: Connection, probe: Probe) -> str:
    """Ask, and answer what the server said; raises `VerificationError` with the reason.

    Redirects are not followed and the answer's body is not read: neither can be turned into more than this one look.
    """
    if probe.verb not in _VERBS:
        raise VerificationError(
            "the connection cannot be tried", where=connection.name, why=f"its test is a {probe.verb} request"
        )
    url = fill(probe.url, lambda key: _value(connection, key)).strip()
    target = _target(connection, url)
    _check_address(connection, target)
    status = _ask(connection, probe.verb, url, _headers(connection, probe))
    place = f"{target.scheme}://{target.netloc}"
    if not 200 <= status < 300:
        reasons = {
            401: "the server does not accept the credentials",
            403: "the server knows who asks, but forbids it",
            404: "the server has nothing at the address of the test",
        }
        if 300 <= status < 400:
            reasons[status] = "the server sends on to another place, where credentials do not follow"
        what = reasons.get(status, "the server answered with an error")
        raise VerificationError(f"{place}: {what}", where=connection.name, why=_status(status))
    return f"{place} answered {_status(status)}"


def _value(connection: Connection, key: str) -> str:
    if key.lower() == "url":
        return connection.url if connection.url.endswith("/") or "?" in connection.url else f"{connection.url}/"
    value = connection.value(key)
    return value.reveal() if isinstance(value, Secret) else value or ""


def _headers(connection: Connection, probe: Probe) -> Mapping[str, str]:
    """Those of the test, and those of the scheme that it does not set itself."""
    scheme = connection.scheme.casefold()
    by_scheme = next(
        (several for name, several in (probe.scheme_headers or {}).items() if name.casefold() == scheme), ()
    )
    headers: dict[str, str] = {}
    for name, template in (*by_scheme, *probe.headers):
        value = fill(template, lambda key: _value(connection, key)).strip()
        if any(ord(character) < 32 for character in name + value):
            raise VerificationError(
                f"the header '{name}' of the test would hold a control character", where=connection.name
            )
        headers = {other: text for other, text in headers.items() if other.lower() != name.lower()}
        headers[name] = value
    return headers


def _target(connection: Connection, url: str) -> SplitResult:
    try:
        target = urlsplit(url)
        port_is_valid = target.port != 0
    except ValueError as error:
        raise VerificationError("the address of the test is invalid", where=connection.name, why=str(error)) from None
    if target.scheme not in _PORTS or not target.hostname or not port_is_valid:
        raise VerificationError(
            "the address of the test is invalid", where=connection.name, why="it is no http or https address"
        )
    if "@" in target.netloc:
        raise VerificationError("the address of the test holds a user name or password", where=connection.name)
    return target


def _check_address(connection: Connection, target: SplitResult) -> None:
    """Refuse addresses that no service has: a cloud's metadata service answers at a link-local one."""
    try:
        found = socket.getaddrinfo(target.hostname, target.port or _PORTS[target.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # the request itself tells why, or a proxy knows the name
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            raise VerificationError(
                f"{target.hostname} is not asked",
                where=connection.name,
                why=f"{address} is a link-local or special address",
            )


def _ask(connection: Connection, verb: str, url: str, headers: Mapping[str, str]) -> int:
    import requests

    # A callable that adds nothing: otherwise requests would look into ~/.netrc.
    with requests.Session() as session:
        try:
            with session.request(
                verb,
                url,
                headers={name: value.encode() for name, value in headers.items()},
                auth=lambda request: request,
                allow_redirects=False,
                stream=True,
                timeout=SECONDS,
            ) as response:
                return response.status_code
        except (requests.RequestException, UnicodeError, ValueError) as error:
            # Not the library's text: it may hold the address with what was filled in.
            raise VerificationError(
                "the server of the connection cannot be asked", where=connection.name, why=type(error).__name__
            ) from None


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
