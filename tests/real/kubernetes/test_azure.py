"""AKS: what Azure (a double) answers opens a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.doubles.azure import Azure, cloud
from tests.doubles.azure_clusters import USER, Clusters
from tests.doubles.azure_management import Management
from tests.doubles.entra import Application
from tests.real.kubernetes.conftest import Namespace

from sluice.plugin import Connection, Secret, VerificationError
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_kubernetes import verify

pytestmark = pytest.mark.real

TENANT = "11111111-2222-3333-4444-555555555555"
SUBSCRIPTION = "22222222-3333-4444-5555-666666666666"
KEY = "client-secret-0123456789"


@dataclass
class Aks:
    azure: Azure
    clusters: Clusters
    application: Application
    place: Namespace


@pytest.fixture
def aks(shop: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aks]:
    with cloud(tmp_path, tenant=TENANT, subscription=SUBSCRIPTION) as found:
        for name, value in (found.environment | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).items():
            monkeypatch.setenv(name, value)
        clusters = Clusters(Management(found.azure), "shop", "main")
        application = found.azure.entra.register(Application(keys={KEY}))
        found.azure.readers.add(application.id)
        clusters.kubeconfigs[USER] = shop.server.kubeconfig({"token": shop.token()})
        yield Aks(found.azure, clusters, application, shop)


def by_subscription(aks: Aks) -> Connection:
    return Connection(
        id="1",
        name="aks",
        type="kubernetes",
        scheme="Kubernetes",
        parameters={"azureTenantId": TENANT, "spnId": aks.application.id, "spnKey": Secret(KEY)},
        data={"authorizationType": "AzureSubscription", "clusterId": aks.clusters.path, "namespace": aks.place.name},
    )


def test_an_azure_subscription_is_verified(aks: Aks) -> None:
    said = verify(by_subscription(aks))
    assert "knows the credentials as system:serviceaccount:shop:deployer; they may change deployments" in said


def test_an_azure_subscription_without_a_role_is_told(aks: Aks) -> None:
    aks.azure.readers.clear()
    with pytest.raises(VerificationError, match="Cluster User Role") as refusal:
        verify(by_subscription(aks))
    assert KEY not in f"{refusal.value} {refusal.value.why} {refusal.value.do}"


def run(aks: Aks, task: str, folder: Path, **inputs: str) -> TaskOutcome:
    parameters: dict[str, str | Secret] = {
        "tenantid": TENANT,
        "serviceprincipalid": aks.application.id,
        "serviceprincipalkey": Secret(KEY),
    }
    azure = Connection(
        id="2",
        name="azure",
        type="azurerm",
        url="https://management.azure.com/",
        scheme="ServicePrincipal",
        parameters=parameters,
        data={"subscriptionId": SUBSCRIPTION, "environment": "AzureCloud"},
    )
    return run_task(
        task,
        inputs={"azureResourceGroup": "shop", "kubernetesCluster": "main", "namespace": aks.place.name, **inputs},
        connections={"azureSubscriptionEndpoint": azure},
        sources=folder,
        environment={"PATH": f"{aks.place.server.programs}:/usr/bin:/bin", "HOME": str(folder)},
    )


def test_tasks_open_a_cluster_with_a_resource_manager_connection(aks: Aks, tmp_path: Path) -> None:
    described = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-azure"}, "data": {"a": "b"}}
    (tmp_path / "m.yml").write_text(yaml.safe_dump(described))
    chosen = {"connectionType": "azureResourceManager", "action": "deploy", "manifests": "m.yml"}
    outcome = run(aks, "KubernetesManifest@1", tmp_path, **chosen)
    assert outcome.result is Result.SUCCEEDED, outcome.log
    asked = {"command": "get", "arguments": "configmap by-azure -o name", "outputFormat": "none", "cwd": str(tmp_path)}
    outcome = run(aks, "Kubernetes@1", tmp_path, connectionType="Azure Resource Manager", **asked)
    assert outcome.outputs["KubectlOutput"] == "configmap/by-azure"
    outcome = run(aks, "HelmDeploy@1", tmp_path, command="ls")
    assert outcome.result is Result.SUCCEEDED, outcome.log


def test_a_group_or_a_cluster_that_is_not_there_is_told(aks: Aks, tmp_path: Path) -> None:
    outcome = run(aks, "HelmDeploy@1", tmp_path, command="ls", kubernetesCluster="other")
    assert outcome.result is Result.FAILED
    assert "there is no such AKS cluster" in outcome.message
