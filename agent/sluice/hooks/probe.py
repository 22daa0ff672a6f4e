"""Asks a web service a question with a connection's credentials, and tells apart why there is no answer.

Credentials stay within the origin that they are for, redirects included; addresses that no service has (a cloud's
metadata service) are not asked, whatever a name resolves to in the moment of connecting; `~/.netrc` is not read.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from sluice.errors import VerificationError
from sluice.hooks.connection import Connection
from sluice.hooks.networks import InnerAddressError, current
from sluice.hooks.watched import Clock, SpecialAddressError, Tls, UnacceptableCertificateError, is_special, watch
from sluice.secret import Secret
from sluice.values import dataclass

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
MAX_REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 * 1024
_REFUSALS = ("ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_REQUIRED", "ALERT_CERTIFICATE_UNKNOWN")
"""What OpenSSL calls the alerts of a server that does not take the certificate of its client, or wants one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where credentials may be sent: scheme, host and port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service answered: `headers` by lower-case name, of the body no more than was asked for."""

    status: int
    url: str
    origin: Origin
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)  # a token may be in it

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300

    @property
    def shown(self) -> str:
        """The status with its standard name: what the server calls it is text of a stranger."""
        from http import HTTPStatus

        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        import json

        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Asks on behalf of a connection; what goes wrong on the way is a `VerificationError` that names it.

    `client_certificate` is the path of a PEM file with a certificate and its key, where the service asks for one.
    Within `seconds`, where that is set, an answer is complete: redirects, headers that come drop by drop and the part
    of the body that was asked for included.
    """

    connection: Connection
    authorization: Secret | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # a caller's may hold a key
    trust_any_certificate: bool = False
    client_certificate: str = ""
    seconds: float = 0.0
    tls: Tls | None = None

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        body: bytes | IO[bytes] = b"",
        authenticate: bool = True,
        limit: int = 0,
        sink: Callable[[bytes], None] | None = None,
        follow: bool = True,
    ) -> Answer:
        """The answer after redirects, which are followed only within the origin; of its body `limit` bytes at most.

        With `follow=False` a redirect is the answer; a file as `body` is sent once, so nothing is followed then either.
        `sink` is given the whole body of a success in pieces as they come; what it raises passes through.
        """
        import requests

        origin = self.origin(url)
        follow = follow and isinstance(body, bytes)
        with requests.Session() as session, self._deadline(origin) as clock:
            watch(session, clock, self.tls)
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._send(session, origin, method, url, body, limit, sink, authenticate=authenticate)
                if not follow or answer.status not in REDIRECTS or "location" not in answer.headers:
                    return answer
                url = self._next(origin, url, answer.headers["location"])
        raise self._error(f"{origin} redirects more than {MAX_REDIRECTS} times")

    @contextlib.contextmanager
    def _deadline(self, origin: Origin) -> Iterator[Clock]:
        """Ends what is waited for when the time is up: a limit of each wait alone is none of the whole."""
        clock = Clock()
        timer = threading.Timer(self.seconds, clock.strike)
        timer.daemon = True
        try:
            if self.seconds:
                timer.start()
            yield clock
        except VerificationError:
            if not clock.struck:
                raise
        finally:
            timer.cancel()
            clock.close()
        if clock.struck:
            raise self._error(f"{origin} did not answer within {self.seconds:g} seconds")

    def origin(self, url: str) -> Origin:
        """The origin of a URL; raises when it is none that may be asked."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise self._error("the URL cannot be asked", str(error)) from None
        if parts.scheme not in PORTS:
            raise self._error(
                f"a connection to '{parts.scheme}://' cannot be verified",
                "only http and https can be tried; the connection itself may be all right",
            )
        if not parts.hostname:
            raise self._error("the URL cannot be asked", "it names no host")
        if parts.username is not None or parts.password is not None:
            why = "it holds a user name or password; those belong into the connection's own fields"
            raise self._error("the URL cannot be asked", why)
        return Origin(parts.scheme, parts.hostname, port or PORTS[parts.scheme])

    @property
    def _waits(self) -> tuple[float, float]:
        """How long a connection may take to come about, and how long the other side may say nothing."""
        if not self.seconds:
            return CONNECT_SECONDS, READ_SECONDS
        return min(CONNECT_SECONDS, self.seconds), min(READ_SECONDS, self.seconds)

    def _next(self, origin: Origin, url: str, location: str) -> str:
        try:
            url = urljoin(url, location)
        except ValueError as error:
            why = f"it redirects to an invalid one: {error}"
            raise self._error("the URL cannot be asked", why) from None
        elsewhere = self.origin(url)
        if elsewhere != origin:
            raise self._error(
                f"{origin} redirects to {elsewhere}",
                "credentials are not sent to another place than the connection's URL names",
                f"if that is the right place: sluice connection update {self.connection.name} --url {elsewhere}",
            )
        return url

    def _send(
        self,
        session: requests.Session,
        origin: Origin,
        method: str,
        url: str,
        body: bytes | IO[bytes],
        limit: int,
        sink: Callable[[bytes], None] | None,
        *,
        authenticate: bool,
    ) -> Answer:
        import requests

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # A callable also where there is nothing to add: otherwise requests would look into ~/.netrc.
            if authenticate and self.authorization is not None:
                request.headers["Authorization"] = self.authorization.reveal()
            return request

        check_host(origin.host, origin.port, name=self.connection.name, shown=str(origin))
        try:
            with session.request(
                method,
                url,
                auth=sign,
                data=body or None,
                headers=dict(self.headers),
                allow_redirects=False,
                stream=True,
                timeout=self._waits,
                # said here: what the session says, requests forgets when REQUESTS_CA_BUNDLE is set
                verify=False if self.trust_any_certificate else None,
                cert=self.client_certificate or None,
            ) as response:
                if sink is not None and response.ok and response.status_code not in REDIRECTS:
                    for piece in response.iter_content(_CHUNK):
                        sink(piece)
                    limit = 0
                return Answer(
                    status=response.status_code,
                    url=response.url,
                    origin=origin,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=_begin(response, limit),
                )
        except (requests.RequestException, UnicodeError) as error:
            raise self._unreachable(origin, error) from None

    def _unreachable(self, origin: Origin, error: Exception) -> VerificationError:
        import socket
        import ssl

        import requests

        causes = tuple(_causes(error))
        if inner := next((one for one in causes if isinstance(one, InnerAddressError)), None):
            return self._error(f"{origin} is not asked", str(inner))
        if any(isinstance(one, SpecialAddressError) for one in causes):
            return self._error(f"{origin} is not asked", "it is at a link-local or special address")
        if unaccepted := next((one for one in causes if isinstance(one, UnacceptableCertificateError)), None):
            return self._error(f"the certificate of {origin} is not the right one", str(unaccepted))
        if self.tls is not None and self.tls.shows is not None and _is_refusal(causes):
            return self._error(f"{origin} does not accept the client certificate", "it ended the connection over it")
        certificate = next((one for one in causes if isinstance(one, ssl.SSLCertVerificationError)), None)
        if certificate is not None:
            return self._error(f"the certificate of {origin} is not trusted", certificate.verify_message)
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
        return self._error(what, reason or type(error).__name__)

    def _error(self, what: str, why: str = "", do: str = "") -> VerificationError:
        return VerificationError(what, where=self.connection.name, why=why, do=do)


def check_host(host: str, port: int, *, name: str, shown: str = "") -> None:
    """Refuse a host whose address no service has: a cloud's metadata service answers at a link-local one.

    `name` is the connection's, `shown` what the error calls the host. A host that is not resolved is no error here:
    the connection itself tells why, or a proxy knows the name.
    """
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for *_, place in found:
        if is_special(str(place[0])):
            why = f"{place[0]} is a link-local or special address"
            if current() is not None:
                why = str(InnerAddressError(str(place[0])))
            raise VerificationError(f"{shown or host} is not asked", where=name, why=why)


def _is_refusal(causes: tuple[BaseException, ...]) -> bool:
    """Whether the far side did not take our certificate: that may come as an alert, or as an end without a word."""
    import ssl

    ends = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
    alerts = [one.reason or "" for one in causes if isinstance(one, ssl.SSLError)]
    return any(isinstance(one, ends) for one in causes) or any(alert.endswith(_REFUSALS) for alert in alerts)


def _begin(response: requests.Response, limit: int) -> bytes:
    """So many bytes of the body at most; none of the rest is waited for."""
    pieces: list[bytes] = []
    size = 0
    if limit:
        for piece in response.iter_content(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            if size >= limit:
                break
    return b"".join(pieces)[:limit]


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
