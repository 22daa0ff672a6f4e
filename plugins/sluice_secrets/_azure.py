"""Azure Key Vault: secrets by vault and name, read with the identity of an `azurerm` connection or of the machine."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sluice.plugin import Connection, Probe, Reading, Secret, SluiceError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

API_VERSION = "7.4"
ADDRESS_VARIABLE = "SLUICE_AZUREKEYVAULT_ADDRESS"
"""Where vaults answer instead of at their own names: a private endpoint with a name of its own, say."""

_SECONDS = 20.0
_BODY = 1 << 20
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_VAULT = re.compile(r"[A-Za-z][0-9A-Za-z-]{1,22}[0-9A-Za-z]")
_PATIENCE: dict[str, Any] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 10}

for _library in ("azure", "msal"):  # what fails is told by our errors; without a handler they write to standard error
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Cloud:
    """An environment of Azure: who issues tokens there, and what the names of its vaults end with."""

    authority: str
    suffix: str

    @property
    def scope(self) -> str:
        """What a token for its vaults is for."""
        return f"https://{self.suffix}/.default"


CLOUDS = {
    "azurecloud": Cloud("login.microsoftonline.com", "vault.azure.net"),
    "azurechinacloud": Cloud("login.chinacloudapi.cn", "vault.azure.cn"),
    "azureusgovernment": Cloud("login.microsoftonline.us", "vault.usgovcloudapi.net"),
    "azuregermancloud": Cloud("login.microsoftonline.de", "vault.microsoftazure.de"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A secret of a vault; `host` is '' where the reference has the vault's name alone, `version` for the newest one."""

    vault: str
    name: str
    version: str = ""
    host: str = ""


def parse(reference: str) -> Wanted:
    """Read `VAULT/NAME`, `VAULT/NAME/VERSION`, or a secret identifier `https://VAULT.../secrets/NAME[/VERSION]`."""
    host, path = "", reference.strip().strip("/")
    if "://" in path:
        parts = urlsplit(path)
        host = parts.hostname or ""
        path = f"{host.partition('.')[0]}/{parts.path.strip('/').removeprefix('secrets/')}"
        if parts.scheme != "https" or not parts.path.startswith("/secrets/") or parts.port or parts.username:
            raise _no_reference()
    vault, _, rest = path.partition("/")
    name, _, version = rest.partition("/")
    if not _VAULT.fullmatch(vault) or not _NAME.fullmatch(name) or (version and not _NAME.fullmatch(version)):
        raise _no_reference()
    return Wanted(vault, name, version, host)


def read(references: Sequence[str], connection: Connection | None) -> Reading:
    """The secrets behind references."""
    wanted = {reference: parse(reference) for reference in references}
    cloud = _cloud(connection)
    for one in wanted.values():
        if one.host and one.host.casefold() != f"{one.vault}.{cloud.suffix}".casefold():
            raise SluiceError(
                f"'{one.host}' is no key vault of this Azure environment",
                why="the token opens every vault that the identity may read, so it is sent to no other place",
                do=f"vaults are at NAME.{cloud.suffix}",
            )
    token = _entra_token(connection, cloud)
    return Reading(secrets={reference: _read(one, cloud, token) for reference, one in wanted.items()})


def _read(wanted: Wanted, cloud: Cloud, token: Secret) -> Secret:
    address = os.environ.get(ADDRESS_VARIABLE, "").rstrip("/") or f"https://{wanted.vault}.{cloud.suffix}"
    path = f"secrets/{wanted.name}" + (f"/{wanted.version}" if wanted.version else "")
    asked = Connection(id="", name=f"key vault {wanted.vault}", type="azurekeyvault", url=address)
    probe = Probe(connection=asked, authorization=Secret(f"Bearer {token.reveal()}"), seconds=_SECONDS)
    answer = probe.ask(f"{address}/{path}?api-version={API_VERSION}", limit=_BODY)
    if not answer.ok:
        texts = {
            401: "it does not accept the identity",
            403: "the identity may not get secrets of it, the secret is disabled, or a firewall keeps others out",
            404: "it has no such secret",
        }
        why = texts.get(answer.status, answer.shown)
        raise SluiceError(f"the secret '{wanted.name}' cannot be had", where=asked.name, why=why)
    found = answer.json()
    value = found.get("value") if isinstance(found, dict) else None
    if not isinstance(value, str) or not value:
        raise SluiceError(f"the secret '{wanted.name}' holds nothing", where=asked.name)
    return Secret(value)


def _entra_token(connection: Connection | None, cloud: Cloud) -> Secret:
    from azure.core.exceptions import AzureError

    try:
        return Secret(_credential(connection, cloud).get_token(cloud.scope).token)
    except (AzureError, ValueError) as error:
        # Entra's text names the application and the reason, never the secret; its first line is enough
        why = str(error).partition("\n")[0][:300]
        raise SluiceError("there is no token for Azure Key Vault", where=_name(connection), why=why) from None


def _credential(connection: Connection | None, cloud: Cloud) -> TokenCredential:
    scheme = connection.scheme.casefold() if connection else "managedserviceidentity"
    if connection is None or scheme == "managedserviceidentity":
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(**_PATIENCE)
    if connection.type.casefold() != "azurerm":
        raise SluiceError(
            f"'{connection.name}' is of the type '{connection.type}'", do="read it through an azurerm connection"
        )
    tenant, application = connection.text("tenantid"), connection.text("serviceprincipalid")
    given = {**_PATIENCE, **_authority(cloud)}
    if scheme == "workloadidentityfederation":
        from azure.identity import ClientAssertionCredential

        return ClientAssertionCredential(tenant, application, lambda: connection.federated_token().reveal(), **given)
    if connection.text("authenticationType", "spnKey") == "spnCertificate":
        from azure.identity import CertificateCredential

        pem = connection.secret("servicePrincipalCertificate") or Secret("")
        return CertificateCredential(tenant, application, certificate_data=pem.reveal().encode(), **given)
    from azure.identity import ClientSecretCredential

    key = connection.secret("serviceprincipalkey") or Secret("")
    return ClientSecretCredential(tenant, application, key.reveal(), **given)


def _authority(cloud: Cloud) -> dict[str, Any]:
    if os.environ.get("AZURE_AUTHORITY_HOST"):
        return {"disable_instance_discovery": True}  # an authority of one's own is not asked of Microsoft's
    return {"authority": cloud.authority}


def _cloud(connection: Connection | None) -> Cloud:
    name = connection.text("environment", "AzureCloud") if connection else "AzureCloud"
    if cloud := CLOUDS.get(name.casefold()):
        return cloud
    raise SluiceError(f"where key vaults of '{name}' are is not known", where=_name(connection))


def _name(connection: Connection | None) -> str:
    return connection.name if connection else "the identity of this machine"


def _no_reference() -> SluiceError:
    return SluiceError(
        "a key vault reference is azurekeyvault:VAULT/NAME[/VERSION][?connection=AZURE]",
        do="such as azurekeyvault:depot-vault/deploy-token?connection=azure",
    )
