"""Tokens for an Entra account, for clusters that know their clients by those."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import Connection, Probe, Secret, VerificationError
from sluice_service_fabric._words import printable

AUTHORITIES = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "login.windows.net",
    }
)
"""Who may be told the password: a cluster says where its clients log in, and may say anything."""

BODY = 1 << 20
_WRONG = ("AADSTS50126", "AADSTS50034", "AADSTS50055", "AADSTS50056", "AADSTS50057", "AADSTS50053")
_FACTOR = ("AADSTS50076", "AADSTS50079", "AADSTS50158", "AADSTS53003")


def token(connection: Connection, metadata: Mapping[str, Any]) -> Secret:
    """A token for the cluster that `metadata` (of `GetAadMetadata`) describes, of the connection's account."""
    password = connection.secret("password")
    if not password:
        raise VerificationError("the connection has no password", where=connection.name)
    form = {
        "grant_type": "password",
        "client_id": _word(metadata, "client"),
        "scope": f"{_word(metadata, 'cluster')}/.default",
        "username": connection.text("username"),
        "password": password.reveal(),
    }
    probe = Probe(connection=connection, headers={"Content-Type": "application/x-www-form-urlencoded"})
    answer = probe.ask(_token_url(connection, metadata), method="POST", body=urlencode(form).encode(), limit=BODY)
    body = answer.json()
    issued = body.get("access_token") if answer.ok and isinstance(body, dict) else None
    if isinstance(issued, str) and issued:
        return Secret(issued)
    raise _refusal(connection, answer.shown, body)


def _token_url(connection: Connection, metadata: Mapping[str, Any]) -> str:
    """The token endpoint of the tenant; raises when the cluster sends its clients to somebody else."""
    login = _word(metadata, "login").rstrip("/")
    parts = urlsplit(login)
    own = os.environ.get("AZURE_AUTHORITY_HOST", "").rstrip("/")  # as the Azure libraries have it
    official = parts.scheme == "https" and parts.netloc.casefold() in AUTHORITIES
    if not official and (not own or login.casefold() not in {own.casefold(), f"https://{own}".casefold()}):
        raise VerificationError(
            f"the cluster wants the password to be given to {printable(login)}",
            where=connection.name,
            why="that is no login of Microsoft Entra",
            do="if it is right, start Sluice with AZURE_AUTHORITY_HOST set to that address",
        )
    return f"{login}/{quote(_word(metadata, 'tenant'), safe='')}/oauth2/v2.0/token"


def _word(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _refusal(connection: Connection, shown: str, body: object) -> VerificationError:
    told = str(body.get("error_description") or body.get("error") or "") if isinstance(body, dict) else ""
    why = printable(told.partition("\n")[0]) or shown
    if told.startswith(_FACTOR):
        what = "the account needs a second factor, which nobody can give here"
    elif told.startswith(_WRONG):
        what = "Entra does not accept the user name and password"
    else:
        what = "Entra gives no token for the cluster"
    return VerificationError(what, where=connection.name, why=why)
