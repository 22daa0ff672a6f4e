from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.doubles.azure import Azure, cloud
from tests.doubles.azure_clusters import ADMIN, SERVER_APPLICATION, USER, Clusters
from tests.doubles.azure_management import Management
from tests.doubles.entra import Application
from tests.plugins.sluice_kubernetes.conftest import TOKEN, kubeconfig

from sluice.plugin import Connection, Secret, SluiceError, TaskFailedError
from sluice_kubernetes._azure import AksCluster, access_by_resource_manager
from sluice_kubernetes._connection import access_of, prepare

TENANT = "11111111-2222-3333-4444-555555555555"
SUBSCRIPTION = "22222222-3333-4444-5555-666666666666"
KEY = "client-secret-0123456789"
ENTRA_USER = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", "--environment", "AzurePublicCloud", "--server-id", SERVER_APPLICATION],
    }
}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    with cloud(tmp_path, tenant=TENANT, subscription=SUBSCRIPTION) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found.azure


@pytest.fixture
def clusters(azure: Azure) -> Clusters:
    return Clusters(Management(azure), "shop", "main")


@pytest.fixture
def application(azure: Azure) -> Application:
    found = azure.entra.register(Application(keys={KEY}))
    azure.readers |= {found.id, azure.entra.machine.id}
    return found


def connection(clusters: Clusters, application: Application, key: str = KEY, **changes: str) -> Connection:
    given = {"authorizationType": "AzureSubscription", "clusterId": clusters.path, **changes}
    parameters: dict[str, str | Secret] = {
        "azureTenantId": TENANT,
        "spnId": application.id,
        "spnKey": Secret(key),
        "azureEnvironment": "AzureCloud",
    }
    return Connection(id="1", name="aks", type="kubernetes", scheme="Kubernetes", parameters=parameters, data=given)


def test_the_credentials_of_a_user_are_asked_for(clusters: Clusters, application: Application) -> None:
    clusters.kubeconfigs[USER] = kubeconfig()
    access = access_of(connection(clusters, application))
    assert access.token == Secret(TOKEN)
    assert access.server == "https://cluster.example.org:6443"


def test_the_credentials_of_an_administrator_are_asked_for_by_the_flag_alone(
    clusters: Clusters, application: Application
) -> None:
    clusters.kubeconfigs[ADMIN] = kubeconfig({"token": "of-the-administrator"})
    assert access_of(connection(clusters, application, clusterAdmin="true")).token == Secret("of-the-administrator")
    with pytest.raises(TaskFailedError, match="does not give the identity credentials") as refusal:
        access_of(connection(clusters, application))
    assert "Azure Kubernetes Service Cluster User Role" in refusal.value.do


def test_a_cluster_with_entra_log_ins_gets_a_token_and_runs_no_program(
    clusters: Clusters, application: Application
) -> None:
    clusters.kubeconfigs[USER] = kubeconfig(ENTRA_USER)
    token = access_of(connection(clusters, application)).token
    assert token is not None
    claims = jwt.decode(token.reveal(), options={"verify_signature": False})
    assert (claims["aud"], claims["appid"]) == (SERVER_APPLICATION, application.id)


def test_another_program_in_an_answer_is_refused(clusters: Clusters, application: Application) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/touch", "args": ["/tmp/x"]}
    clusters.kubeconfigs[USER] = kubeconfig({"exec": plugin})
    with pytest.raises(TaskFailedError, match="names a program that is not known"):
        access_of(connection(clusters, application))


def test_tasks_receive_a_kubeconfig_without_the_service_principal(clusters: Clusters, application: Application) -> None:
    clusters.kubeconfigs[USER] = kubeconfig()
    prepared = prepare(connection(clusters, application))
    assert prepared.secret("spnKey") is None
    assert prepared.text("authorizationType") == "Kubeconfig"
    assert Secret(TOKEN) in set(prepared.secrets())
    assert access_of(prepared).token == Secret(TOKEN)


def test_a_wrong_key_is_told_and_not_shown(clusters: Clusters, application: Application) -> None:
    with pytest.raises(TaskFailedError, match="Entra gives no token for this identity") as refusal:
        access_of(connection(clusters, application, key="wrong-key-4711"))
    assert "AADSTS" in refusal.value.why
    assert "wrong-key-4711" not in f"{refusal.value} {refusal.value.why}"


def test_an_identity_without_a_role_is_told(clusters: Clusters, application: Application) -> None:
    clusters.azure.readers.clear()
    with pytest.raises(TaskFailedError, match=r"does not give the identity credentials.*403 AuthorizationFailed"):
        access_of(connection(clusters, application))


def test_a_cluster_that_is_not_there_is_told(clusters: Clusters, application: Application) -> None:
    with pytest.raises(TaskFailedError, match="there is no such AKS cluster"):
        access_of(connection(clusters, application, clusterId=clusters.path.replace("main", "other")))


def resource_manager(scheme: str, **parameters: str | Secret) -> Connection:
    return Connection(
        id="2",
        name="azure",
        type="azurerm",
        url="https://management.azure.com/",
        scheme=scheme,
        parameters={"tenantid": TENANT, **parameters},
        data={"subscriptionId": SUBSCRIPTION, "environment": "AzureCloud"},
    )


CLUSTER = AksCluster(id="resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/main")


def test_a_resource_manager_connection_opens_a_cluster(clusters: Clusters, application: Application) -> None:
    clusters.kubeconfigs[USER] = kubeconfig()
    given = resource_manager("ServicePrincipal", serviceprincipalid=application.id, serviceprincipalkey=Secret(KEY))
    assert access_by_resource_manager(given, CLUSTER).token == Secret(TOKEN)


def test_a_managed_identity_opens_a_cluster(
    clusters: Clusters, application: Application, azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "https://management.azure.com/identity")
    monkeypatch.setenv("IDENTITY_HEADER", azure.entra.header)
    clusters.kubeconfigs[USER] = kubeconfig()
    assert access_by_resource_manager(resource_manager("ManagedServiceIdentity"), CLUSTER).token == Secret(TOKEN)


@pytest.mark.parametrize("scheme", ["ServicePrincipal", "PublishProfile"])
def test_a_connection_without_credentials_is_told(azure: Azure, scheme: str) -> None:
    with pytest.raises(TaskFailedError, match="no credentials for a cluster"):
        access_by_resource_manager(resource_manager(scheme), CLUSTER)


def test_an_unknown_cloud_is_told(azure: Azure) -> None:
    given: dict[str, Any] = {"subscriptionId": SUBSCRIPTION, "environment": "Elsewhere"}
    connection = Connection(id="2", name="azure", type="azurerm", scheme="ServicePrincipal", data=given)
    with pytest.raises(SluiceError, match="'Elsewhere' is none of the Azure clouds"):
        access_by_resource_manager(connection, CLUSTER)


def test_the_library_for_entra_writes_nothing_of_its_own_to_standard_error() -> None:
    code = "import logging, sluice_kubernetes._azure; logging.getLogger('azure.identity').warning('unasked')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
