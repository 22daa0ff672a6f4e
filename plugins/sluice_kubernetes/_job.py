"""What the tasks of this family share: the cluster that a step means, and a kubeconfig that lasts as long as it is needed."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import Secret, TaskFailedError, TaskRun
from sluice_kubernetes._access import Access
from sluice_kubernetes._cluster import Cluster, open_cluster
from sluice_kubernetes._connection import access_of
from sluice_kubernetes._kubeconfig import read_kubeconfig

VARIABLE = "KUBECONFIG"
FLEETS = "microsoft.containerservice/fleets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cluster of a step; `access` is None where the step leaves it to an earlier log-in."""

    where: str
    access: Access | None
    namespace: str = ""

    def needed(self, run: TaskRun) -> Access:
        """The access; where a log-in has left it, as its kubeconfig says."""
        return self.access or logged_in(run)


def target_of(run: TaskRun) -> Target:
    """The cluster that `connectionType` and the inputs after it name; its secrets are masked from now on."""
    kind = "".join(run.input("connectionType").split()).casefold()
    if kind == "none":
        return Target(where=run.task, access=None, namespace=run.input("namespace").strip())
    if kind == "azureresourcemanager":
        connection = run.connection("azureSubscriptionEndpoint")
        access = _aks(run)
    elif kind in {"kubernetesserviceconnection", ""}:
        connection = run.connection("kubernetesServiceEndpoint")
        access = access_of(connection)
    else:
        raise TaskFailedError(f"connectionType '{run.input('connectionType')}' is not known", where=run.task)
    for secret in access.secrets():
        run.mask(secret)
    return Target(where=connection.name, access=access, namespace=run.input("namespace").strip() or access.namespace)


def _aks(run: TaskRun) -> Access:
    from sluice_kubernetes._azure import AksCluster, access_by_resource_manager

    connection = run.connection("azureSubscriptionEndpoint")
    group, name = run.required("azureResourceGroup").strip(), run.required("kubernetesCluster").strip()
    if run.input("resourceType").strip().casefold() == FLEETS:
        raise TaskFailedError("fleets of AKS are not supported, only clusters", where=run.task)
    cluster = AksCluster(
        id=f"resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}",
        is_admin=run.flag("useClusterAdmin"),
    )
    return access_by_resource_manager(connection, cluster)


def job_kubeconfig(run: TaskRun) -> Path:
    """Where a log-in of the job is kept: below its private folder, and never in the home of whoever runs Sluice."""
    known = run.environment.get(VARIABLE, "")
    if known and run.temp in Path(known).parents:
        return Path(known)
    return run.temp / ".tools" / "kube" / "config"


def logged_in(run: TaskRun) -> Access:
    """The cluster that an earlier step has logged in to."""
    path = Path(run.environment.get(VARIABLE, "") or job_kubeconfig(run))
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise TaskFailedError(
            "no step of this job has logged in to a cluster",
            where=run.task,
            do="name a service connection, or run Kubernetes@1 with 'command: login' before",
        ) from None
    return read_kubeconfig(Secret(text), accept_untrusted=True, where=run.task).access


@contextlib.contextmanager
def tool_environment(run: TaskRun, access: Access | None) -> Iterator[Mapping[str, str]]:
    """The environment of one command, with a kubeconfig of its own where the step names a cluster."""
    if access is None:
        yield {VARIABLE: str(job_kubeconfig(run)), **run.environment}
        return
    with tempfile.TemporaryDirectory(prefix="kubernetes-", dir=run.temp) as name:
        path = Path(name) / "config"
        access.write(path)
        yield {**run.environment, VARIABLE: str(path)}


@contextlib.contextmanager
def opened_cluster(run: TaskRun, target: Target) -> Iterator[Cluster]:
    """The step's cluster; a cancellation ends what is waited for."""
    with open_cluster(target.needed(run), where=target.where, temp=run.temp) as cluster:
        run.on_cancel(cluster.hang_up)
        yield cluster
