"""Tokens of Entra for the identity of a connection, by azure-identity.

What Sluice itself asks Azure with is kept for each connection until it expires or the connection changes, so that Entra
is not asked too often. What a script is given never comes from there: it is always a fresh one.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sluice.plugin import Connection, Secret, SluiceError, TaskFailedError
from sluice_azure._cloud import Cloud, cloud_of
from sluice_azure._refusals import entra_refusal

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PATIENCE: dict[str, Any] = {"retry_total": 4, "retry_connect": 1, "connection_timeout": 10, "read_timeout": 20}
"""azure-identity waits as long as Entra says (`Retry-After`) when it is asked too often."""

_REASONS = (
    "certificate verify failed",
    "Failed to resolve",
    "Connection refused",
    "timed out",
    "Unable to connect to proxy",
    "Network is unreachable",
)
"""What of a library's long text says why nobody answered."""

MOST_KEPT = 256
"""Identities that tokens are kept of."""


@dataclass
class Identity:
    """A connection's identity; tokens that it has been given are kept in it (by azure-identity, in memory)."""

    cloud: Cloud
    credential: TokenCredential
    lock: threading.Lock = field(default_factory=threading.Lock)
    asking: Connection | None = None
    failed: SluiceError | None = None

    def token(self, connection: Connection, scope: str) -> Secret:
        """A token for a scope; raises `SluiceError` that says what to do."""
        from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
        from azure.identity import CredentialUnavailableError

        with self.lock:
            self.asking, self.failed = connection, None
            try:
                return Secret(self.credential.get_token(scope).token)
            except CredentialUnavailableError as error:
                raise self._unavailable(connection, error) from None
            except (ServiceRequestError, ServiceResponseError) as error:
                raise self._unreachable(connection, error) from None
            except (AzureError, ValueError) as error:
                if self.failed is not None:
                    raise self.failed from None
                if "AADSTS" not in str(error) and _reason(error):
                    raise self._unreachable(connection, error) from None
                raise entra_refusal(connection, str(error)) from None
            finally:
                self.asking = None

    @staticmethod
    def _unavailable(connection: Connection, error: Exception) -> TaskFailedError:
        return TaskFailedError(
            "this machine has no managed identity that answers",
            where=connection.name,
            why=str(error).partition("\n")[0][:200],
            do="run the job on a machine of Azure that has one, or choose another authentication scheme",
        )

    def _unreachable(self, connection: Connection, error: Exception) -> TaskFailedError:
        return TaskFailedError(
            f"{self.cloud.authority} cannot be asked for a token",
            where=connection.name,
            why=_reason(error) or type(error).__name__,
            do="check the network; behind a proxy set HTTPS_PROXY, and REQUESTS_CA_BUNDLE where that has a certificate of its own",
        )

    def assertion(self) -> str:
        """What Sluice signs for the use of the connection that is under way: whether it is permitted is asked again."""
        if self.asking is None:
            raise RuntimeError("an assertion is made for a use of a connection alone")
        try:
            return self.asking.federated_token().reveal()
        except SluiceError as error:
            self.failed = error
            raise ValueError("no assertion") from error


for _name in ("azure", "msal"):  # what fails is told by our errors; without a handler they write to standard error
    logging.getLogger(_name).addHandler(logging.NullHandler())

_kept: OrderedDict[str, tuple[bytes, Identity]] = OrderedDict()
_lock = threading.Lock()


def kept_identity(connection: Connection) -> Identity:
    """The identity for what Sluice itself asks: the same as long as the connection stays as it is."""
    mark = _fingerprint(connection)
    with _lock:
        known = _kept.get(connection.id)
        if known is not None and known[0] == mark:
            _kept.move_to_end(connection.id)
            return known[1]
    made = fresh_identity(connection)
    with _lock:
        _kept[connection.id] = mark, made
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return made


def fresh_identity(connection: Connection) -> Identity:
    """An identity that has been given no token yet; raises `SluiceError` when the connection lacks something."""
    scheme = connection.scheme.casefold() or "serviceprincipal"
    if scheme == "publishprofile":
        raise TaskFailedError(
            "a publish profile is no identity in Azure",
            where=connection.name,
            why="it deploys to its one app, and opens nothing else",
            do="use a connection with a service principal, workload identity federation or a managed identity",
        )
    cloud = cloud_of(connection)
    made = Identity(cloud, _Nothing())
    made.credential = _credential(connection, scheme, made)
    return made


def _reason(error: Exception) -> str:
    text = str(error).casefold()
    return next((one for one in _REASONS if one.casefold() in text), "")


class _Nothing:
    """In place of a credential until there is one."""

    def get_token(self, *scopes: str, **options: Any) -> Any:
        raise ValueError("there is no credential")


def _credential(connection: Connection, scheme: str, identity: Identity) -> TokenCredential:
    if scheme == "managedserviceidentity":
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=connection.text("msiclientId") or None, **PATIENCE)
    cloud = identity.cloud
    tenant = "adfs" if cloud.adfs else connection.text("tenantid")
    application = connection.text("serviceprincipalid")
    # the authority comes from our own table, or from an Azure Stack: Microsoft's is not asked whether it is known
    given: dict[str, Any] = {**PATIENCE, "authority": cloud.authority, "disable_instance_discovery": True}
    try:
        if scheme == "workloadidentityfederation":
            from azure.identity import ClientAssertionCredential

            return ClientAssertionCredential(tenant, application, identity.assertion, **given)
        if scheme != "serviceprincipal":
            raise TaskFailedError(f"the scheme '{connection.scheme}' is no identity in Azure", where=connection.name)
        if connection.text("authenticationType", "spnKey") == "spnCertificate":
            from azure.identity import CertificateCredential

            pem = _needed(connection, "servicePrincipalCertificate", "certificate")
            return CertificateCredential(tenant, application, certificate_data=pem.reveal().encode(), **given)
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(
            tenant, application, _needed(connection, "serviceprincipalkey", "key").reveal(), **given
        )
    except ValueError as error:
        # of a certificate the library says what it does not like, and not what is in it
        raise TaskFailedError("the credentials cannot be used", where=connection.name, why=str(error)[:200]) from None


def _needed(connection: Connection, key: str, what: str) -> Secret:
    found = connection.secret(key)
    if not found:
        raise TaskFailedError(
            f"the connection has no service principal {what}",
            where=connection.name,
            do=f"store it: sluice connection update {connection.name} --secret {key}=-",
        )
    return found


def _fingerprint(connection: Connection) -> bytes:
    """What a connection is, secrets included: another one of the same id is another identity."""
    mark = hashlib.sha256()
    for text in (connection.scheme, connection.url):
        _add(mark, text)
    for values in (connection.parameters, connection.data):
        for key, value in sorted(values.items()):
            _add(mark, key)
            _add(mark, value.reveal() if isinstance(value, Secret) else value)
    return mark.digest()


def _add(mark: Any, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    mark.update(len(raw).to_bytes(8, "big") + raw)
