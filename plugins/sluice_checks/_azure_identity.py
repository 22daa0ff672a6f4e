"""Tokens of Entra for Azure's management API, with the identity of an Azure Resource Manager connection."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sluice.plugin import Connection, Secret, VerificationError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

AUTHORITIES = {
    "azurecloud": "login.microsoftonline.com",
    "azurechinacloud": "login.chinacloudapi.cn",
    "azureusgovernment": "login.microsoftonline.us",
    "azuregermancloud": "login.microsoftonline.de",
}
_PATIENCE: dict[str, Any] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 10}


def management_token(connection: Connection) -> Secret:
    """A token for the API that the connection's URL names; raises `VerificationError` when Entra gives none."""
    from azure.core.exceptions import AzureError

    scope = f"{connection.url.rstrip('/')}/.default"
    try:
        return Secret(_credential(connection).get_token(scope).token)
    except (AzureError, ValueError) as error:
        # Entra's text names the application and the reason, never the secret; its first line is enough
        why = str(error).partition("\n")[0][:300]
        raise _failure(connection, "Entra gives no token for this identity", why) from None


def _credential(connection: Connection) -> TokenCredential:
    scheme = connection.scheme.casefold()
    if scheme == "managedserviceidentity":
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(**_PATIENCE)
    if scheme not in {"serviceprincipal", ""}:
        raise _failure(connection, f"checks cannot use the scheme '{connection.scheme}' yet")
    tenant, application = connection.text("tenantid"), connection.text("serviceprincipalid")
    given = {**_PATIENCE, **_authority(connection)}
    if connection.text("authenticationType", "spnKey") == "spnCertificate":
        from azure.identity import CertificateCredential

        pem = connection.secret("servicePrincipalCertificate")
        if not pem:
            raise _failure(connection, "the connection has no service principal certificate")
        return CertificateCredential(tenant, application, certificate_data=pem.reveal().encode(), **given)
    from azure.identity import ClientSecretCredential

    key = connection.secret("serviceprincipalkey")
    if not key:
        raise _failure(connection, "the connection has no service principal key")
    return ClientSecretCredential(tenant, application, key.reveal(), **given)


def _authority(connection: Connection) -> dict[str, Any]:
    if os.environ.get("AZURE_AUTHORITY_HOST"):
        return {"disable_instance_discovery": True}  # an authority of one's own is not asked of Microsoft's
    environment = connection.text("environment", "AzureCloud")
    authority = AUTHORITIES.get(environment.casefold())
    if authority is None:
        raise _failure(connection, f"who issues tokens for '{environment}' is not known", "set AZURE_AUTHORITY_HOST")
    return {"authority": authority}


def _failure(connection: Connection, what: str, why: str = "") -> VerificationError:
    return VerificationError(what, where=connection.name, why=why)
