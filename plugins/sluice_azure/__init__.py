"""Azure: connections to Azure Resource Manager, Azure Classic and Azure Service Bus, and the tasks that use them."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Task, TaskRun, hookimpl
from sluice_azure._types import CLASSIC, RESOURCE_MANAGER, SERVICE_BUS

_BUS = "Sends a message to Azure Service Bus using a service connection (no agent is required)"


def verify_resource_manager(connection: Connection) -> str:
    """Get a token and look at what the connection is for."""
    from sluice_azure._verification import verify_resource_manager

    return verify_resource_manager(connection)


def verify_classic(connection: Connection) -> str:
    """Ask the service-management API for the subscription's regions."""
    from sluice_azure._classic import verify

    return verify(connection)


def verify_service_bus(connection: Connection) -> str:
    """Look at the queue."""
    from sluice_azure._verification import verify_service_bus

    return verify_service_bus(connection)


def prepare_resource_manager(connection: Connection) -> Connection:
    """Add the addresses of its cloud, which tasks read, and what answers tokens for what Sluice itself asks."""
    from sluice_azure._preparation import prepare

    return prepare(connection)


def run_cli(run: TaskRun) -> None:
    """`AzureCLI@2`: a script with `az` logged in."""
    from sluice_azure._cli_task import run_cli

    run_cli(run)


def run_vault(run: TaskRun) -> None:
    """`AzureKeyVault@2`: secrets of a key vault become secret variables."""
    from sluice_azure._vault_task import run_vault

    run_vault(run)


def run_deployment(run: TaskRun) -> None:
    """`AzureResourceManagerTemplateDeployment@3`: deploy a template."""
    from sluice_azure._deployment_task import run_deployment

    run_deployment(run)


def run_web_app(run: TaskRun) -> None:
    """`AzureWebApp@1`: deploy a package to an app."""
    from sluice_azure._app_tasks import run_web_app

    run_web_app(run)


def run_function_app(run: TaskRun) -> None:
    """`AzureFunctionApp@2`: deploy a package to a function app."""
    from sluice_azure._app_tasks import run_function_app

    run_function_app(run)


def run_file_copy(run: TaskRun) -> None:
    """`AzureFileCopy@6`: files into blobs."""
    from sluice_azure._file_copy_task import run_file_copy

    run_file_copy(run)


def run_publish_to_connection(run: TaskRun) -> None:
    """`PublishToAzureServiceBus@1`: a message into the queue of a connection."""
    from sluice_azure._service_bus_task import run_publish_to_connection

    run_publish_to_connection(run)


def run_publish(run: TaskRun) -> None:
    """`PublishToAzureServiceBus@2`: a message into a queue."""
    from sluice_azure._service_bus_task import run_publish

    run_publish(run)


def run_powershell(run: TaskRun) -> None:
    """`AzurePowerShell@5`: a script with the Az module connected."""
    from sluice_azure._powershell_task import run_powershell

    run_powershell(run)


def run_container_apps(run: TaskRun) -> None:
    """`AzureContainerApps@1`: make a container app, or change its image."""
    from sluice_azure._container_apps_task import run_container_apps

    run_container_apps(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(RESOURCE_MANAGER, CLASSIC, SERVICE_BUS),
        verify={
            RESOURCE_MANAGER.name: verify_resource_manager,
            CLASSIC.name: verify_classic,
            SERVICE_BUS.name: verify_service_bus,
        },
        prepare={RESOURCE_MANAGER.name: prepare_resource_manager},
        tasks=(
            Task(
                "AzureResourceManagerTemplateDeployment@3",
                run_deployment,
                label="ARM template deployment",
                summary="Deploy an Azure Resource Manager (ARM) template to all the deployment scopes",
            ),
            Task(
                "AzureWebApp@1",
                run_web_app,
                label="Azure Web App",
                summary="Deploy an Azure Web App for Linux or Windows",
            ),
            Task(
                "AzureFunctionApp@2",
                run_function_app,
                label="Azure Functions Deploy",
                summary="Update a function app with .NET, Python, JavaScript, PowerShell or Java based web applications",
            ),
            *(
                Task(reference, run_file_copy, label="Azure file copy", summary="Copy files to Azure Blob Storage")
                for reference in ("AzureFileCopy@4", "AzureFileCopy@5", "AzureFileCopy@6")
            ),
            Task(
                "PublishToAzureServiceBus@1",
                run_publish_to_connection,
                label="Publish To Azure Service Bus",
                summary=_BUS,
            ),
            Task("PublishToAzureServiceBus@2", run_publish, label="Publish To Azure Service Bus", summary=_BUS),
            Task(
                "AzurePowerShell@5",
                run_powershell,
                label="Azure PowerShell",
                summary="Run a PowerShell script within an Azure environment",
            ),
            Task(
                "AzureContainerApps@1",
                run_container_apps,
                label="Azure Container Apps Deploy",
                summary="Deploy an image to Azure Container Apps",
            ),
            Task("AzureKeyVault@2", run_vault, label="Azure Key Vault", summary="Download Azure Key Vault secrets"),
            Task(
                "AzureCLI@2", run_cli, label="Azure CLI", summary="Run Azure CLI commands against an Azure subscription"
            ),
        ),
    )
