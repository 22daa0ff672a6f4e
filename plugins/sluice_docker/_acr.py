"""Azure Container Registry: turns what a connection has into what `docker login` takes.

A service principal with a key logs in with just that. Everybody else shows an Entra token to the registry, which
answers a refresh token of its own: that is the password then, of a user whose name is all zeros.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sluice.plugin import Connection, Secret, TaskFailedError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a refresh token."""

SCOPE = "https://containerregistry.azure.net/.default"
"""What the Entra token is for."""

TRIES = 5
"""How often a registry is asked that answers 429, as the agent does."""

_SECONDS = 30.0
_LONGEST_WAIT = 10.0

for _library in ("azure", "msal"):  # what fails is told by our errors; without a handler they write to standard error
    logging.getLogger(_library).addHandler(logging.NullHandler())


def prepare(connection: Connection) -> Connection:
    """The connection with `registry`, `username` and `password`; one that is not of ACR stays as it is.

    Raises `TaskFailedError` when Entra or the registry refuses, or a field is missing.
    """
    scheme = connection.scheme.casefold()
    if scheme == "usernamepassword" or not scheme:
        return connection
    server = connection.text("loginServer").lower()
    if not server:
        raise _failure(connection, "the connection has no login server")
    if scheme == "serviceprincipal" and connection.text("authenticationType", "spnKey") != "spnCertificate":
        key = connection.secret("serviceprincipalkey")
        if not key:
            raise _failure(connection, "the connection has no service principal key")
        username, password = connection.text("serviceprincipalid"), key
    else:
        token = _entra_token(connection, scheme)
        username, password = NOBODY, exchange(connection, server, token)
    logged_in: dict[str, str | Secret] = {"registry": server, "username": username, "password": password}
    kept = {name: value for name, value in connection.parameters.items() if name.casefold() not in logged_in}
    return replace(connection, parameters={**kept, **logged_in})


def exchange(connection: Connection, server: str, token: Secret) -> Secret:
    """The registry's refresh token for an Entra token."""
    import requests

    # a dictionary as data is a form: the token is in the body, not in the address
    form = {
        "grant_type": "access_token",
        "service": server,
        "tenant": connection.text("tenantid"),
        "access_token": token.reveal(),
    }
    try:
        for attempt in range(TRIES):
            answer = requests.post(
                f"https://{server}/oauth2/exchange", data=form, timeout=_SECONDS, allow_redirects=False
            )
            if answer.status_code != 429 or attempt == TRIES - 1:
                break
            _pause(answer.headers.get("Retry-After", ""))
    except requests.RequestException as error:
        why = "its certificate is not trusted" if isinstance(error, requests.exceptions.SSLError) else ""
        raise _failure(connection, f"{server} cannot be asked for a token", why or type(error).__name__) from None
    body: Any = None
    if answer.status_code == 200:
        try:
            body = answer.json()
        except ValueError:
            body = None
    refresh = body.get("refresh_token") if isinstance(body, dict) else None
    if not isinstance(refresh, str) or not refresh:
        raise _failure(connection, f"{server} gives no token for this identity", f"it answered {answer.status_code}")
    return Secret(refresh)


def _entra_token(connection: Connection, scheme: str) -> Secret:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

    credential = _credential(connection, scheme)
    try:
        return Secret(credential.get_token(SCOPE).token)
    except (ClientAuthenticationError, ServiceRequestError, ValueError) as error:
        # Entra's text names the application and the reason, never the secret; its first line is enough
        why = str(error).partition("\n")[0][:300]
        raise _failure(connection, "Entra gives no token for this identity", why) from None


def _credential(connection: Connection, scheme: str) -> TokenCredential:
    if scheme == "managedserviceidentity":
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential()
    if scheme == "serviceprincipal":
        from azure.identity import CertificateCredential

        certificate = connection.secret("servicePrincipalCertificate")
        if not certificate:
            raise _failure(connection, "the connection has no service principal certificate")
        return CertificateCredential(
            connection.text("tenantid"),
            connection.text("serviceprincipalid"),
            certificate_data=certificate.reveal().encode(),
            disable_instance_discovery=_has_own_authority(),
        )
    if scheme == "workloadidentityfederation":
        from azure.identity import ClientAssertionCredential

        # signed before the library asks for it: what forbids that is told as it is
        assertion = connection.federated_token()
        tenant, application = connection.text("tenantid"), connection.text("serviceprincipalid")
        own = _has_own_authority()
        return ClientAssertionCredential(tenant, application, assertion.reveal, disable_instance_discovery=own)
    raise _failure(connection, f"a Docker Registry connection cannot log in with the scheme '{connection.scheme}'")


def _has_own_authority() -> bool:
    """Whether tokens come from an authority of one's own, of which Microsoft's is not asked."""
    return bool(os.environ.get("AZURE_AUTHORITY_HOST"))


def _pause(seconds: str) -> None:
    import time

    time.sleep(min(float(seconds), _LONGEST_WAIT) if seconds.isdecimal() else 1.0)


def _failure(connection: Connection, what: str, why: str = "") -> TaskFailedError:
    return TaskFailedError(what, where=connection.name, why=why)
