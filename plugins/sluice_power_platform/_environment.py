"""An environment: its address, and who it takes somebody for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError
from sluice_power_platform import _entra
from sluice_power_platform._words import printable

WHO = "/api/data/v9.2/WhoAmI"
HEADERS = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
BODY = 1 << 20
_USER = "make it an application user of the environment, with a security role (Power Platform admin center)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an environment answers to 'who am I'."""

    user: str
    organization: str
    business_unit: str


def verify(connection: Connection) -> str:
    """Get a token and ask the environment who it is of; tells the reasons apart."""
    environment = address(connection, connection.url)
    known = who_am_i(connection, environment)
    return f"{environment} knows the application as user {known.user} of organization {known.organization}"


def address(connection: Connection, url: str) -> str:
    """The URL of an environment without a path; raises `VerificationError` when it is none."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme != "https":
        what = f"'{printable(url)}' is no address of an environment"
        raise VerificationError(what, where=connection.name, do="it is such as https://contoso.crm4.dynamics.com")
    return f"https://{host}:{port}" if port else f"https://{host}"


def who_am_i(connection: Connection, environment: str) -> Known:
    """Ask the environment who the connection's token is of."""
    token = _entra.token(connection, environment)
    probe = Probe(connection=connection, authorization=Secret(f"Bearer {token.reveal()}"), headers=HEADERS)
    answer = probe.ask(f"{environment}{WHO}", limit=BODY, follow=False)
    body = answer.json()
    if not answer.ok:
        raise _refusal(connection, environment, answer, body)
    if not isinstance(body, dict) or not isinstance(body.get("UserId"), str):
        raise _stranger(connection, environment, answer)
    return Known(
        user=printable(body["UserId"], most=100),
        organization=printable(body.get("OrganizationId"), most=100),
        business_unit=printable(body.get("BusinessUnitId"), most=100),
    )


def _refusal(connection: Connection, environment: str, answer: Answer, body: Any) -> VerificationError:
    error = body.get("error") if isinstance(body, dict) else None
    told = printable(error.get("message")) if isinstance(error, dict) else ""
    why = f"{answer.shown}{f' ({told})' if told else ''}"
    if answer.status == 401:
        what = f"{environment} does not accept the token"
        return VerificationError(what, where=connection.name, why=why, do="check that the tenant is the environment's")
    if answer.status == 403:
        what = f"{environment} does not know the identity, or it has no role there"
        return VerificationError(what, where=connection.name, why=why, do=_USER)
    if answer.status == 404 or 300 <= answer.status < 400:
        return _stranger(connection, environment, answer)
    return VerificationError(f"{environment} answered with an error", where=connection.name, why=why)


def _stranger(connection: Connection, environment: str, answer: Answer) -> VerificationError:
    what = f"there is no environment with Dataverse at {environment}"
    return VerificationError(what, where=connection.name, why=answer.shown)
