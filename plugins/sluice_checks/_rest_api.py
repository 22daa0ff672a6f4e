"""Invoke REST API: a service behind a generic connection is asked, or Azure's management API."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from sluice.plugin import CheckRun, Connection, Decision, Proposed, Secret, SluiceError, VerificationError, basic
from sluice_checks._invocation import Target, decide, unreachable, with_system_variables
from sluice_checks._invocation import problems as invocation_problems

SELECTOR = "connectedServiceNameSelector"
GENERIC = "connectedServiceName"
AZURE = "connectedServiceNameARM"


def evaluate(run: CheckRun) -> Decision:
    """Ask the service; see `_invocation`."""
    run = with_system_variables(run)
    selector = _selector(run.settings)
    connection = run.connection(run.setting(selector))
    url = address(connection, run.expand(run.setting("urlSuffix")).strip())
    try:
        authorization = bearer(connection) if selector == AZURE else _basic(connection)
    except SluiceError as error:
        return unreachable(error)
    try:
        return decide(run, Target(connection=connection, url=url, authorization=authorization))
    except VerificationError as error:
        return unreachable(error)


def problems(proposed: Proposed) -> tuple[str, ...]:
    """See `_invocation.problems`."""
    selector = _selector(proposed.settings)
    found = invocation_problems(proposed)
    return found if proposed.settings.get(selector) else (f"{selector} names no service connection", *found)


def _selector(settings: Mapping[str, str | Secret]) -> str:
    chosen = str(settings.get(SELECTOR, "")).strip().casefold()
    return AZURE if chosen == AZURE.casefold() else GENERIC


def _basic(connection: Connection) -> Secret | None:
    username, password = connection.text("username"), connection.secret("password")
    return basic(username, password) if username or password else None


def bearer(connection: Connection) -> Secret:
    """The header of a request to Azure's management API; raises `SluiceError` when the identity gets no token."""
    return Secret(f"Bearer {connection.access_token().reveal()}")


def address(connection: Connection, suffix: str) -> str:
    """The address: the suffix follows the connection's URL as it is, and may not make another host of it."""
    url = connection.url + suffix
    try:
        same = urlsplit(url)[:2] == urlsplit(connection.url)[:2]
    except ValueError:
        same = False
    if not same or any(ord(one) < 32 for one in suffix):
        raise SluiceError(
            "the URL suffix leads to another place than the connection's URL",
            where=connection.name,
            do="begin it with / or ?",
        )
    return url
