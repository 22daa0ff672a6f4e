"""Kubernetes: connections to clusters, and the tasks that deploy to them."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Task, TaskRun, hookimpl
from sluice_kubernetes._types import KUBERNETES


def verify(connection: Connection) -> str:
    """Ask the cluster whom it takes the credentials for."""
    from sluice_kubernetes._verification import verify

    return verify(connection)


def prepare(connection: Connection) -> Connection:
    """Give a use of the connection what it needs and no more: fresh tokens, a kubeconfig that runs nothing."""
    from sluice_kubernetes._connection import prepare

    return prepare(connection)


def run_kubectl(run: TaskRun) -> None:
    """`Kubernetes@1`: kubectl commands, secrets and config maps, log in and out."""
    from sluice_kubernetes._kubectl_task import run_kubectl_task

    run_kubectl_task(run)


def run_manifest(run: TaskRun) -> None:
    """`KubernetesManifest@1`: deploy manifests and wait for them; promote, reject, scale, patch, delete, bake."""
    from sluice_kubernetes._manifest_task import run_manifest

    run_manifest(run)


def run_helm(run: TaskRun) -> None:
    """`HelmDeploy@1`: Helm commands against a cluster."""
    from sluice_kubernetes._helm_task import run_helm

    run_helm(run)


def install_kubectl(run: TaskRun) -> None:
    """`KubectlInstaller@0`: the wanted kubectl of those that are on the machine."""
    from sluice_kubernetes._installers import install_kubectl

    install_kubectl(run)


def install_helm(run: TaskRun) -> None:
    """`HelmInstaller@1`: the wanted Helm of those that are on the machine."""
    from sluice_kubernetes._installers import install_helm

    install_helm(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(KUBERNETES,),
        verify={KUBERNETES.name: verify},
        prepare={KUBERNETES.name: prepare},
        tasks=(
            Task(
                "Kubernetes@1",
                run_kubectl,
                label="Kubectl",
                summary="Deploy, configure, update a Kubernetes cluster by running kubectl commands",
            ),
            Task(
                "KubernetesManifest@1",
                run_manifest,
                label="Deploy to Kubernetes",
                summary="Use Kubernetes manifest files to deploy to clusters or even bake the manifest files to be used "
                "for deployments using Helm charts",
            ),
            Task(
                "HelmDeploy@1",
                run_helm,
                label="Package and deploy Helm charts",
                summary="Deploy, configure, update a Kubernetes cluster by running helm commands",
            ),
            Task(
                "KubectlInstaller@0",
                install_kubectl,
                label="Kubectl tool installer",
                summary="Offers the wanted version of kubectl to the steps that follow, of those on the machine",
            ),
            Task(
                "HelmInstaller@1",
                install_helm,
                label="Helm tool installer",
                summary="Offers the wanted version of Helm to the steps that follow, of those on the machine",
            ),
        ),
    )
