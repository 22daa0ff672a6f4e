"""AKS: asks Azure Resource Manager for a cluster's kubeconfig, and Entra for the token that it wants in place of a program."""

from __future__ import annotations

import base64
import binascii
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sluice.plugin import Connection, Probe, Secret, SluiceError, TaskFailedError
from sluice_kubernetes._access import Access
from sluice_kubernetes._kubeconfig import ExecPlugin, Kubeconfig, KubeconfigError, read_kubeconfig

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

API_VERSION = "2024-05-01"
_MAX_ANSWER = 1 << 20

for _library in ("azure", "msal"):  # what fails is told by our errors; without a handler they write to standard error
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Where Azure Resource Manager and Entra of a cloud are."""

    manager: str
    authority: str


CLOUDS: Mapping[str, Cloud] = {
    "azurecloud": Cloud(manager="https://management.azure.com", authority="login.microsoftonline.com"),
    "azurechinacloud": Cloud(manager="https://management.chinacloudapi.cn", authority="login.chinacloudapi.cn"),
    "azureusgovernment": Cloud(manager="https://management.usgovcloudapi.net", authority="login.microsoftonline.us"),
    "azuregermancloud": Cloud(manager="https://management.microsoftazure.de", authority="login.microsoftonline.de"),
}


def access_by_subscription(connection: Connection) -> Access:
    """Access to the AKS cluster of a Kubernetes connection whose method is an Azure subscription."""
    cluster = connection.text("clusterId").strip("/")
    key = connection.secret("spnKey")
    application, tenant = connection.text("spnId"), connection.text("azureTenantId")
    if not cluster:
        raise TaskFailedError(
            "the connection names no AKS cluster",
            where=connection.name,
            do=f"sluice connection update '{connection.name}' --set clusterId=/subscriptions/ID/resourcegroups/GROUP/"
            "providers/Microsoft.ContainerService/managedClusters/NAME",
        )
    if not (key and application and tenant):
        raise TaskFailedError(
            "the connection has nothing to ask Azure with: neither a service principal nor a service-account token",
            where=connection.name,
            do=f"sluice connection update '{connection.name}' --set azureTenantId=TENANT --set spnId=APPLICATION "
            "--secret spnKey=-",
        )
    from azure.identity import ClientSecretCredential

    cloud = cloud_of(connection.text("azureEnvironment"), connection.name)
    credential = ClientSecretCredential(
        tenant, application, key.reveal(), authority=authority_of(cloud), disable_instance_discovery=True
    )
    asked = AksCluster(id=cluster, is_admin=connection.text("clusterAdmin").casefold() == "true")
    # the connection's own address becomes the cluster's once that is known: Azure is where its cloud is
    return aks_access(connection, credential, cloud.manager, asked)


def access_by_resource_manager(connection: Connection, cluster: AksCluster) -> Access:
    """Access to an AKS cluster with an Azure Resource Manager connection; `cluster` may leave out its subscription."""
    subscription = connection.text("subscriptionId")
    if not subscription:
        raise TaskFailedError("the Azure connection names no subscription", where=connection.name)
    cloud = cloud_of(connection.text("environment"), connection.name)
    named = replace(cluster, id=f"subscriptions/{subscription}/{cluster.id.strip('/')}")
    return aks_access(connection, _credential(connection, cloud), connection.url or cloud.manager, named)


@dataclass(frozen=True, slots=True, kw_only=True)
class AksCluster:
    """A cluster by its ARM id; `is_admin` asks for the credentials of its administrator."""

    id: str
    is_admin: bool = False


def aks_access(connection: Connection, credential: TokenCredential, manager: str, cluster: AksCluster) -> Access:
    """Access to an AKS cluster, by what ARM answers to `listClusterUserCredential` (or `...Admin...`)."""
    manager = manager.rstrip("/")
    text = _kubeconfig_of(connection, credential, manager, cluster)
    accept = connection.text("acceptUntrustedCerts") == "true"
    read = read_kubeconfig(text, accept_untrusted=accept, where=connection.name)
    if read.exec is not None:
        return _with_entra_token(connection, credential, read, read.exec)
    return read.access


def cloud_of(name: str, where: str) -> Cloud:
    """The cloud of that name; the public one when it is empty."""
    found = CLOUDS.get((name or "AzureCloud").casefold())
    if found is None:
        raise TaskFailedError(f"'{name}' is none of the Azure clouds that are known", where=where)
    return found


def authority_of(cloud: Cloud) -> str:
    """Where tokens come from: `AZURE_AUTHORITY_HOST`, as Azure's libraries know it, goes before the cloud's own.

    It comes from our own table: nobody has to be asked whether it is one of Microsoft's.
    """
    return os.environ.get("AZURE_AUTHORITY_HOST") or cloud.authority


def _credential(connection: Connection, cloud: Cloud) -> TokenCredential:
    """What Azure Resource Manager connections have for an identity."""
    scheme = connection.scheme.casefold()
    tenant, application = connection.text("tenantid"), connection.text("serviceprincipalid")
    options: dict[str, Any] = {"authority": authority_of(cloud), "disable_instance_discovery": True}
    key, certificate = connection.secret("serviceprincipalkey"), connection.secret("servicePrincipalCertificate")
    try:
        if scheme == "managedserviceidentity":
            from azure.identity import ManagedIdentityCredential

            client = connection.text("msiclientId")
            return ManagedIdentityCredential(client_id=client or None)
        if scheme == "workloadidentityfederation":
            from azure.identity import ClientAssertionCredential

            return ClientAssertionCredential(
                tenant, application, lambda: connection.federated_token().reveal(), **options
            )
        if certificate and connection.text("authenticationType") == "spnCertificate":
            from azure.identity import CertificateCredential

            return CertificateCredential(tenant, application, certificate_data=certificate.reveal().encode(), **options)
        if key:
            from azure.identity import ClientSecretCredential

            return ClientSecretCredential(tenant, application, key.reveal(), **options)
    except ValueError as error:
        # of a certificate the library says what it does not like, and not what is in it
        raise TaskFailedError("the credentials cannot be used", where=connection.name, why=str(error)[:200]) from None
    why = f"scheme '{connection.scheme}'"
    raise TaskFailedError("the Azure connection has no credentials for a cluster", where=connection.name, why=why)


def _kubeconfig_of(connection: Connection, credential: TokenCredential, manager: str, cluster: AksCluster) -> Secret:
    token = _token(connection, credential, f"{manager}/.default")
    which = "listClusterAdminCredential" if cluster.is_admin else "listClusterUserCredential"
    # asked for in this form, ARM names a program in place of the older 'auth-provider'
    query = f"api-version={API_VERSION}" + ("" if cluster.is_admin else "&format=exec")
    probe = Probe(connection=connection, authorization=Secret(f"Bearer {token.reveal()}"))
    answer = probe.ask(f"{manager}/{quote(cluster.id.strip('/'))}/{which}?{query}", method="POST", limit=_MAX_ANSWER)
    if not answer.ok:
        body = answer.json()
        error: Any = body.get("error") if isinstance(body, dict) else None
        code = str(error.get("code", "")) if isinstance(error, dict) else ""
        raise _refused(connection, cluster, answer.status, code[:80])
    body = answer.json()
    kubeconfigs = body.get("kubeconfigs") if isinstance(body, dict) else None
    first = kubeconfigs[0] if isinstance(kubeconfigs, list) and kubeconfigs else None
    try:
        return Secret(base64.b64decode(str(first["value"]), validate=True).decode())  # type: ignore[index]
    except (TypeError, KeyError, binascii.Error, UnicodeDecodeError):
        raise TaskFailedError("Azure Resource Manager answered no kubeconfig", where=connection.name) from None


def _refused(connection: Connection, cluster: AksCluster, status: int, code: str) -> SluiceError:
    why = f"{status} {code}".strip()
    if status == 404:
        return TaskFailedError("there is no such AKS cluster", where=connection.name, why=why)
    role = "Admin" if cluster.is_admin else "User"
    do = f"give it the role 'Azure Kubernetes Service Cluster {role} Role' on the cluster" if status == 403 else ""
    what = "Azure Resource Manager does not give the identity credentials of the AKS cluster"
    return TaskFailedError(what, where=connection.name, why=why, do=do)


def _with_entra_token(
    connection: Connection, credential: TokenCredential, read: Kubeconfig, plugin: ExecPlugin
) -> Access:
    """A cluster with Entra log-ins names a program (kubelogin) that would ask for a token: it is asked for here."""
    arguments = list(plugin.arguments)
    try:
        server = arguments[arguments.index("--server-id") + 1]
    except (ValueError, IndexError):
        raise KubeconfigError(
            "the cluster's kubeconfig names a program that is not known", where=connection.name, why=plugin.command[:80]
        ) from None
    return replace(read.access, token=_token(connection, credential, f"{server}/.default"))


def _token(connection: Connection, credential: TokenCredential, scope: str) -> Secret:
    from azure.core.exceptions import AzureError

    try:
        return Secret(credential.get_token(scope).token)
    except (AzureError, ValueError) as error:
        # Entra's text names the application and the reason, never the secret; its first line is enough
        why = str(error).partition("\n")[0][:300]
        raise TaskFailedError("Entra gives no token for this identity", where=connection.name, why=why) from None
