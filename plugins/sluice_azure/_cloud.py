"""Where the cloud of a connection has its services: from the table, or as an Azure Stack says it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sluice.plugin import Connection, Probe, TaskFailedError, check_host
from sluice_azure._environments import DEFAULT, STACK, environment_of

METADATA = "metadata/endpoints?api-version=2015-01-01"
_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The addresses that Sluice itself uses. `authority` is a host, with a port where there is one.

    `audience` is what a token for the management API is asked for, `vaults` and `storage` the ends of host names.
    """

    management: str
    authority: str
    audience: str
    vault_audience: str
    vaults: str
    storage: str
    graph: str = ""
    adfs: bool = False

    @property
    def scope(self) -> str:
        """What a token for the management API is asked for, as Entra wants it."""
        return f"{self.audience.rstrip('/')}/.default"


def cloud_of(connection: Connection) -> Cloud:
    """The cloud of a connection; an Azure Stack is asked. Raises `SluiceError` when it cannot be known."""
    name = connection.text("environment", DEFAULT)
    if name.casefold() == STACK.casefold():
        return _stack(connection)
    known = environment_of(name)
    if not known:
        raise TaskFailedError(f"nothing is known of the cloud '{name}'", where=connection.name)
    return Cloud(
        management=known["resourceManagerUrl"],
        authority=urlsplit(known["activeDirectoryAuthority"]).netloc,
        audience=known["resourceManagerUrl"],
        vault_audience=known["AzureKeyVaultServiceEndpointResourceId"],
        vaults=known["AzureKeyVaultDnsSuffix"],
        storage=known["StorageEndpointSuffix"],
        graph=known["microsoftGraphUrl"],
    )


def _stack(connection: Connection) -> Cloud:
    url = connection.url.rstrip("/") + "/"
    answer = Probe(connection=connection).ask(url + METADATA, limit=_LIMIT)
    body = answer.json() if answer.ok else None
    authentication = body.get("authentication") if isinstance(body, dict) else None
    login = authentication.get("loginEndpoint") if isinstance(authentication, dict) else None
    audiences = authentication.get("audiences") if isinstance(authentication, dict) else None
    audience = audiences[0] if isinstance(audiences, list) and audiences else None
    if not isinstance(login, str) or not isinstance(audience, str):
        raise TaskFailedError(
            f"there is no Azure Stack at {url}",
            where=connection.name,
            why=f"GET {METADATA.partition('?')[0]}: {answer.shown}",
            do="the url is that of its management service, such as https://management.local.azurestack.external/",
        )
    parts = urlsplit(login)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise TaskFailedError(
            f"the Azure Stack at {url} names '{login}' for its logins, which is no https address", where=connection.name
        )
    check_host(parts.hostname, parts.port or 443, name=connection.name, shown=parts.netloc)
    suffix = urlsplit(url).netloc.partition(".")[2]
    return Cloud(
        management=url,
        authority=parts.netloc,
        audience=audience,
        vault_audience=f"https://vault.{suffix}",
        vaults=f"vault.{suffix}",
        storage=suffix,
        adfs=parts.path.strip("/").casefold() == "adfs",
    )
