"""Invoke REST API: a service behind a generic connection is asked."""

from __future__ import annotations

from urllib.parse import urlsplit

from sluice.plugin import CheckRun, Connection, Decision, Proposed, SluiceError, VerificationError, basic
from sluice_checks._invocation import Target, decide, unreachable, with_system_variables
from sluice_checks._invocation import problems as invocation_problems

GENERIC = "connectedServiceName"


def evaluate(run: CheckRun) -> Decision:
    """Ask the service; see `_invocation`."""
    run = with_system_variables(run)
    connection = run.connection(run.setting(GENERIC))
    username, password = connection.text("username"), connection.secret("password")
    target = Target(
        connection=connection,
        url=_url(connection, run.expand(run.setting("urlSuffix")).strip()),
        authorization=basic(username, password) if username or password else None,
    )
    try:
        return decide(run, target)
    except VerificationError as error:
        return unreachable(error)


def problems(proposed: Proposed) -> tuple[str, ...]:
    """See `_invocation.problems`."""
    selector = str(proposed.settings.get("connectedServiceNameSelector", GENERIC)).strip() or GENERIC
    found = invocation_problems(proposed)
    return found if proposed.settings.get(selector) else (f"{selector} names no service connection", *found)


def _url(connection: Connection, suffix: str) -> str:
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
