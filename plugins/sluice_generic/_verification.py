"""Tries a generic connection: one GET of its URL, with Basic authentication when it has a user name or a password."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from sluice.plugin import Connection, VerificationError

CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
MAX_REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
SUCCESSES = range(200, 300)
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where credentials may be sent: scheme, host and port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def verify(connection: Connection) -> str:
    """Answer what the server said; raises `VerificationError` that tells the reasons apart."""
    origin = _origin(connection, connection.url)
    username, password = connection.text("username"), connection.secret("password")
    given = bool(username or password)
    with requests.Session() as session:
        response = _follow(connection, session, origin)
        status = response.status_code
    if status not in SUCCESSES:
        raise _refused(connection, status, given=given)
    who = f" as {username}" if username else " with the token" if password else " without authentication"
    text = f"{origin} answered {_status(status)}{who}"
    if given and status in SUCCESSES and not _asks_for_authentication(connection, response.url):
        text += "; it answers the same without the credentials, so they were not checked"
    if password and origin.scheme == "http":
        text += "; the password was sent without encryption: use https where you can"
    return text


def _origin(connection: Connection, text: str) -> Origin:
    """The origin of a URL; raises when it is none that may be asked."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise _invalid(connection, str(error)) from None
    if url.scheme not in PORTS:
        raise VerificationError(
            f"a connection to '{url.scheme}://' cannot be verified",
            where=connection.name,
            why="only http and https can be tried; the connection itself may be all right",
        )
    if not url.hostname:
        raise _invalid(connection, "it names no host")
    if url.username is not None or url.password is not None:
        raise _invalid(connection, "it holds a user name or password; those belong into the connection's own fields")
    return Origin(url.scheme, url.hostname, port or PORTS[url.scheme])


def _invalid(connection: Connection, why: str) -> VerificationError:
    return VerificationError("the URL cannot be asked", where=connection.name, why=why)


def _follow(connection: Connection, session: requests.Session, origin: Origin) -> requests.Response:
    """The answer after redirects, which are followed only within the origin."""
    url = connection.url
    for _ in range(MAX_REDIRECTS + 1):
        response = _get(connection, session, origin, url, authenticate=True)
        if response.status_code not in REDIRECTS or "location" not in response.headers:
            return response
        try:
            url = urljoin(url, response.headers["location"])
        except ValueError as error:
            raise _invalid(connection, f"it redirects to an invalid one: {error}") from None
        elsewhere = _origin(connection, url)
        if elsewhere != origin:
            raise VerificationError(
                f"{origin} redirects to {elsewhere}",
                where=connection.name,
                why="credentials are not sent to another place than the connection's URL names",
                do=f"if that is the right place: sluice connection update {connection.name} --url {elsewhere}",
            )
    raise VerificationError(f"{origin} redirects more than {MAX_REDIRECTS} times", where=connection.name)


def _get(
    connection: Connection, session: requests.Session, origin: Origin, url: str, *, authenticate: bool
) -> requests.Response:
    username, password = connection.text("username"), connection.secret("password")

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # A callable also where there is nothing to add: otherwise requests would look into ~/.netrc.
        if authenticate and (username or password):
            sent = password.reveal().encode() if password else b""
            request = HTTPBasicAuth(username.encode(), sent)(request)
        return request

    _check_address(connection, origin)
    try:
        # The body is never read: neither its size nor its content can matter.
        with session.get(
            url, auth=sign, allow_redirects=False, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
        ) as response:
            return response
    except (requests.RequestException, UnicodeError) as error:
        raise _unreachable(connection, origin, error) from None


def _asks_for_authentication(connection: Connection, url: str) -> bool:
    """Whether the URL is refused without credentials: only then did they prove anything."""
    origin = _origin(connection, url)
    with requests.Session() as session:
        response = _get(connection, session, origin, url, authenticate=False)
    return response.status_code not in SUCCESSES


def _check_address(connection: Connection, origin: Origin) -> None:
    """Refuse addresses that no service has: a cloud's metadata service answers at a link-local one."""
    try:
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # the request itself tells why, or a proxy knows the name
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            raise VerificationError(
                f"{origin} is not asked", where=connection.name, why=f"{address} is a link-local or special address"
            )


def _unreachable(connection: Connection, origin: Origin, error: Exception) -> VerificationError:
    causes = tuple(_causes(error))
    certificate = next((one for one in causes if isinstance(one, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return VerificationError(
            f"the certificate of {origin} is not trusted", where=connection.name, why=certificate.verify_message
        )
    what = f"{origin} cannot be asked"
    if isinstance(error, requests.exceptions.SSLError):
        what = f"no TLS connection to {origin} came about"
    elif isinstance(error, requests.exceptions.ProxyError):
        what = f"the proxy on the way to {origin} refused or is not there"
    elif isinstance(error, requests.Timeout):
        what = f"{origin} did not answer in time"
    elif any(isinstance(one, socket.gaierror) for one in causes):
        what = f"the host name '{origin.host}' was not resolved"
    elif any(isinstance(one, ConnectionRefusedError) for one in causes):
        what = f"{origin} refused the connection"
    elif isinstance(error, requests.ConnectionError):
        what = f"the connection to {origin} broke"
    reason = next((one.strerror for one in causes if isinstance(one, OSError) and one.strerror), "")
    return VerificationError(what, where=connection.name, why=reason or type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it; libraries keep that in `reason`, in arguments and in the context."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        related = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting.extend(other for other in related if isinstance(other, BaseException))


def _refused(connection: Connection, status: int, *, given: bool) -> VerificationError:
    texts = {
        401: "the server does not accept the user name and password" if given else "the server wants authentication",
        403: "the server knows who asks, but forbids the URL",
        404: "the server has nothing at this URL",
        407: "the proxy wants authentication",
    }
    return VerificationError(
        texts.get(status, "the server answered with an error"),
        where=connection.name,
        why=_status(status),
    )


def _status(status: int) -> str:
    """The status with its standard name: what the server calls it is text of a stranger."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
