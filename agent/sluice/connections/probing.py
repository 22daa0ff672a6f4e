"""Tries a connection the way an installed extension says: one request, made of the extension's templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.connections.contributed import Try
from sluice.connections.mustache import fill
from sluice.errors import VerificationError
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection

_VERBS = frozenset({"GET", "HEAD"})
_REASONS = {
    401: "the server does not accept the credentials",
    403: "the server knows who asks, but forbids it",
    404: "the server has nothing at the address of the test",
}


def try_connection(connection: Connection, source: Try) -> str:
    """Ask, and answer what the server said; raises `VerificationError` with the reason.

    The answer's body is not read: only whether the server accepts the request counts.
    """
    from sluice.hooks.probe import Probe

    if source.verb not in _VERBS:
        raise VerificationError(
            "the connection cannot be tried", where=connection.name, why=f"its test is a {source.verb} request"
        )
    url = fill(source.url, lambda key: _value(connection, key)).strip()
    answer = Probe(connection=connection, headers=_headers(connection, source)).ask(url, method=source.verb)
    if not answer.ok:
        what = _REASONS.get(answer.status, "the server answered with an error")
        raise VerificationError(f"{answer.origin}: {what}", where=connection.name, why=answer.shown)
    return f"{answer.origin} answered {answer.shown}"


def _value(connection: Connection, key: str) -> str:
    if key.lower() == "url":
        # Extensions write `{{endpoint.url}}path`, as the service's URLs end with a slash.
        return connection.url if connection.url.endswith("/") or "?" in connection.url else f"{connection.url}/"
    value = connection.value(key)
    return value.reveal() if isinstance(value, Secret) else value or ""


def _headers(connection: Connection, source: Try) -> Mapping[str, str]:
    """Those of the test, and those of the scheme that it does not set itself."""
    scheme = connection.scheme.casefold()
    by_scheme = next((several for name, several in source.scheme_headers.items() if name.casefold() == scheme), ())
    headers: dict[str, str] = {}
    for name, template in (*by_scheme, *source.headers):
        value = fill(template, lambda key: _value(connection, key)).strip()
        if any(not 32 <= ord(character) < 256 for character in name + value):
            raise VerificationError(
                f"the header '{name}' of the test would hold a character that no header can", where=connection.name
            )
        headers = {other: text for other, text in headers.items() if other.lower() != name.lower()}
        headers[name] = value
    return headers
