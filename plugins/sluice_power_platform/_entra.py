"""Tokens for an environment: of an application with a secret, a federated one, a host's identity, or an account."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import Connection, Probe, Secret, VerificationError
from sluice_power_platform._words import printable

BODY = 1 << 20
PUBLIC = "https://login.microsoftonline.com"
AUTHORITIES = {
    ".microsoftdynamics.us": "https://login.microsoftonline.us",
    ".appsplatform.us": "https://login.microsoftonline.us",
    ".dynamics.cn": "https://login.partner.microsoftonline.cn",
}
"""By the end of the environment's host: who its users log in with; everybody else with the public cloud."""

CLIENT = "51f81489-12ee-4a9e-aaae-a2591f45987d"
"""The application that Microsoft documents for people's log-ins to Dataverse."""

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_KNOWN: Mapping[str, tuple[str, str]] = {
    "AADSTS7000215": (
        "Entra does not accept the client secret",
        "store the secret's value, not its id: sluice connection update {name} --secret clientSecret=-",
    ),
    "AADSTS7000222": (
        "the client secret has expired",
        "make another one in Entra: sluice connection update {name} --secret clientSecret=-",
    ),
    "AADSTS700016": ("the tenant has no application with this id", "check the application id and the tenant id"),
    "AADSTS90002": ("there is no such tenant", "check the tenant id"),
    "AADSTS500011": ("the tenant does not know this environment", "check the server URL and the tenant id"),
    "AADSTS50126": ("Entra does not accept the user name and password", ""),
    "AADSTS50034": ("the account does not exist in the tenant", ""),
    "AADSTS50076": ("the account needs a second factor, which nobody can give here", "use an application"),
    "AADSTS50079": ("the account needs a second factor, which nobody can give here", "use an application"),
    "AADSTS70021": (
        "no federated credential of the application fits the token of this connection",
        "compare it with: sluice connection federation {name}",
    ),
}

for _library in ("azure", "msal"):  # what fails is told by our errors; without a handler they write to standard error
    logging.getLogger(_library).addHandler(logging.NullHandler())


def token(connection: Connection, environment: str) -> Secret:
    """A token for the environment at that URL; raises `VerificationError` that says why there is none."""
    scheme = connection.scheme.casefold()
    scope = f"{environment}/.default"
    if scheme == "managedserviceidentity":
        return _of_host(connection, scope)
    if scheme == "usernamepassword":  # a generic connection: a person's account
        form = {
            "grant_type": "password",
            "client_id": CLIENT,
            "username": connection.text("username"),
            "password": _needed(connection, "password"),
        }
        return _ask(connection, environment, "organizations", {**form, "scope": scope})
    form = {"grant_type": "client_credentials", "scope": scope}
    if scheme == "workloadidentityfederation":
        assertion = connection.federated_token().reveal()
        form |= {"client_assertion_type": ASSERTION, "client_assertion": assertion}
        form["client_id"] = connection.text("serviceprincipalid")
    else:
        form |= {"client_id": connection.text("applicationId"), "client_secret": _needed(connection, "clientSecret")}
    return _ask(connection, environment, connection.text("tenantId"), form)


def authority(environment: str) -> str:
    """Who gives tokens for an environment; `AZURE_AUTHORITY_HOST` names another one, as for the Azure libraries."""
    if own := os.environ.get("AZURE_AUTHORITY_HOST", "").rstrip("/"):
        return own if "://" in own else f"https://{own}"
    host = (urlsplit(environment).hostname or "").casefold()
    return next((place for end, place in AUTHORITIES.items() if host.endswith(end)), PUBLIC)


def _ask(connection: Connection, environment: str, tenant: str, form: Mapping[str, str]) -> Secret:
    url = f"{authority(environment)}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    probe = Probe(connection=connection, headers={"Content-Type": "application/x-www-form-urlencoded"})
    answer = probe.ask(url, method="POST", body=urlencode(form).encode(), limit=BODY, follow=False)
    body = answer.json()
    issued = body.get("access_token") if answer.ok and isinstance(body, dict) else None
    if isinstance(issued, str) and issued:
        return Secret(issued)
    told = str(body.get("error_description") or body.get("error") or "") if isinstance(body, dict) else ""
    raise _refusal(connection, printable(told.partition(" Trace ID:")[0].partition("\n")[0]) or answer.shown)


def _of_host(connection: Connection, scope: str) -> Secret:
    from azure.core.exceptions import AzureError
    from azure.identity import ManagedIdentityCredential

    try:
        return Secret(ManagedIdentityCredential().get_token(scope).token)
    except (AzureError, ValueError) as error:
        why = printable(str(error).partition("\n")[0])
        what = "this host has no managed identity that gets a token"
        raise VerificationError(what, where=connection.name, why=why) from None


def _needed(connection: Connection, key: str) -> str:
    found = connection.secret(key)
    if not found:
        what = f"the connection has no {key}"
        do = f"sluice connection update {connection.name} --secret {key}=-"
        raise VerificationError(what, where=connection.name, do=do)
    return found.reveal()


def _refusal(connection: Connection, told: str) -> VerificationError:
    for code, (what, do) in _KNOWN.items():
        if told.startswith((f"{code}:", f"{code}1:", f"{code}2:", f"{code}3:")):
            return VerificationError(what, where=connection.name, why=told, do=do.format(name=connection.name))
    return VerificationError("Entra gives no token for the environment", where=connection.name, why=told)
