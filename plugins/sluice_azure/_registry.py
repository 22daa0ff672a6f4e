"""Azure Container Registry: the identity of a connection logs in with a token of Entra, exchanged for the registry's own."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from sluice.plugin import Connection, Probe, Secret, TaskFailedError
from sluice_azure._environments import DEFAULT
from sluice_azure._identity import kept_identity

SCOPE = "https://containerregistry.azure.net/.default"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a registry's refresh token."""

_SUFFIXES = {
    "azurecloud": "azurecr.io",
    "azurechinacloud": "azurecr.cn",
    "azureusgovernment": "azurecr.us",
    "azuregermancloud": "azurecr.de",
}
_NAME = re.compile(r"[a-z0-9]{5,50}")
_LIMIT = 64 * 1024


def log_in(connection: Connection, host: str) -> tuple[str, Secret]:
    """The user name and the password for a registry of the connection's cloud; raises `SluiceError`.

    Another host is refused: the token would be shown to whoever is there.
    """
    suffix = _SUFFIXES.get(connection.text("environment", DEFAULT).casefold(), "")
    name = host.lower().removesuffix(f".{suffix}")
    if not suffix or host.lower() != f"{name}.{suffix}" or not _NAME.fullmatch(name):
        raise TaskFailedError(
            f"'{host[:80]}' is no Azure container registry in the connection's cloud",
            where=connection.name,
            do=f"such as NAME.{suffix or 'azurecr.io'}; other registries take a Docker Registry connection",
        )
    token = kept_identity(connection).token(connection, SCOPE)
    server = f"{name}.{suffix}"
    form = {
        "grant_type": "access_token",
        "service": server,
        "tenant": connection.text("tenantid"),
        "access_token": token.reveal(),
    }
    probe = Probe(connection=connection, headers={"Content-Type": "application/x-www-form-urlencoded"})
    answer = probe.ask(f"https://{server}/oauth2/exchange", method="POST", body=urlencode(form).encode(), limit=_LIMIT)
    body = answer.json() if answer.ok else None
    refresh = body.get("refresh_token") if isinstance(body, dict) else None
    if not isinstance(refresh, str) or not refresh:
        raise TaskFailedError(
            f"{server} gives no token for this identity",
            where=connection.name,
            why=answer.shown,
            do="give its principal the role AcrPull of the registry",
        )
    return NOBODY, Secret(refresh)
