"""Service Fabric: deploy applications to a cluster, run PowerShell against it."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Task, TaskRun, hookimpl
from sluice_service_fabric._types import SERVICE_FABRIC


def verify(connection: Connection) -> str:
    """Ask the cluster for its version."""
    from sluice_service_fabric._cluster import verify

    return verify(connection)


def deploy(run: TaskRun) -> None:
    """`ServiceFabricDeploy@1`: copy and register an application package, create or upgrade its application."""
    from sluice_service_fabric._deploy_task import deploy

    deploy(run)


def run_powershell(run: TaskRun) -> None:
    """`ServiceFabricPowerShell@1`: run a script in a PowerShell that is connected to the cluster."""
    from sluice_service_fabric._powershell_task import run_script

    run_script(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(SERVICE_FABRIC,),
        verify={SERVICE_FABRIC.name: verify},
        tasks=(
            Task(
                "ServiceFabricDeploy@1",
                deploy,
                id="c6650aa0-185b-11e6-a47d-df93e7a34c64",
                label="Service Fabric application deployment",
                summary="Deploy an Azure Service Fabric application to a cluster.",
            ),
            Task(
                "ServiceFabricPowerShell@1",
                run_powershell,
                id="816979f7-c273-4347-9a55-845b721d82cb",
                label="Service Fabric PowerShell",
                summary="Run a PowerShell script in the context of an Azure Service Fabric cluster connection.",
            ),
        ),
    )
