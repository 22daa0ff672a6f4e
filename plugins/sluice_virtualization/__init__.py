"""Virtualization: machines of System Center Virtual Machine Manager and of VMware vCenter Server."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Input, Task, TaskRun, hookimpl
from sluice_virtualization._types import SCVMM, VMWARE


def verify_scvmm(connection: Connection) -> str:
    """Ask the VMM server for its version, by a PowerShell there."""
    from sluice_virtualization._scvmm import verify

    return verify(connection)


def verify_vmware(connection: Connection) -> str:
    """Log in to vCenter and ask what it is."""
    from sluice_virtualization._vcenter import verify

    return verify(connection)


def run_vmware(run: TaskRun) -> None:
    """`VMWareTask@1`: act on machines of a vCenter."""
    from sluice_virtualization._vmware_task import run_action

    run_action(run)


def run_scvmm(run: TaskRun) -> None:
    """`SCVMM@1`: act on machines that VMM manages."""
    from sluice_virtualization._scvmm_task import run_action

    run_action(run)


_WITH_SNAPSHOT = (
    "action = Take Snapshot of Virtual Machines || action = Revert Snapshot of Virtual Machines || "
    "action = Delete Snapshot of Virtual Machines"
)
_DEPLOY = "action = Deploy Virtual Machines using Template"
_CHECKPOINT = "action = Create Checkpoint || action = Restore Checkpoint || action = Delete Checkpoint"
_SCRIPT = "action = Run PowerShell Script for SCVMM"

VMWARE_INPUTS = (
    Input("vCenterConnection", type="connectedService:vmware", label="VMware Service Connection", required=True),
    Input(
        "action",
        type="pickList",
        label="Action",
        required=True,
        default="Take Snapshot of Virtual Machines",
        options=(
            "Deploy Virtual Machines using Template",
            "Take Snapshot of Virtual Machines",
            "Revert Snapshot of Virtual Machines",
            "Delete Snapshot of Virtual Machines",
            "Power On Virtual Machines",
            "Power off Virtual Machines",
            "Shutdown Virtual Machines",
            "Delete Virtual Machines",
        ),
    ),
    Input("template", label="Template", required=True, visible=_DEPLOY),
    Input("vmList", label="Virtual Machine Names", required=True, help="Names between commas, such as VM1,VM2."),
    Input("targetdc", label="Datacenter", required=True),
    Input(
        "computeType",
        type="pickList",
        label="Compute Resource Type",
        default="ESXi Host",
        options=("ESXi Host", "Cluster", "Resource Pool"),
        visible=_DEPLOY,
    ),
    Input("hostname", label="Host Name", visible=_DEPLOY),
    Input("clustername", label="Cluster Name", visible=_DEPLOY),
    Input("resourcepoolname", label="Resource Pool Name", visible=_DEPLOY),
    Input("datastore", label="Datastore", required=True, visible=_DEPLOY),
    Input("customizationspec", label="Customization Specification", visible=_DEPLOY),
    Input("snapshotName", label="Snapshot Name", required=True, visible=_WITH_SNAPSHOT),
    Input(
        "snapshotMemory",
        type="boolean",
        label="Snapshot Memory",
        default="true",
        visible="action = Take Snapshot of Virtual Machines",
    ),
    Input("description", label="Description"),
    Input("skipca", type="boolean", label="Skip Certificate Authority Check", default="false"),
    Input("timeout", label="Timeout", default="1200", help="Seconds until machines are ready."),
)

SCVMM_INPUTS = (
    Input("connectedServiceName", type="connectedService:scvmm", label="SCVMM Service Connection", required=True),
    Input(
        "action",
        type="pickList",
        label="Action",
        required=True,
        options=(
            "Create Checkpoint",
            "Restore Checkpoint",
            "Delete Checkpoint",
            "Start Virtual Machine",
            "Stop Virtual Machine",
            "Delete Virtual Machine",
            "Run PowerShell Script for SCVMM",
        ),
    ),
    Input(
        "vmNames",
        type="multiLine",
        label="Virtual Machine Names",
        required=True,
        visible="action != Run PowerShell Script for SCVMM",
        help="Names between commas, such as FabrikamDevVM,FabrikamTestVM.",
    ),
    Input("checkpointName", label="Checkpoint Name", required=True, visible=_CHECKPOINT),
    Input("description", label="Description for Checkpoint", visible="action = Create Checkpoint"),
    Input("selectVMsFrom", type="pickList", label="Select VMs From", default="None", options=("None", "Cloud", "Host")),
    Input("cloudName", label="Cloud Name", required=True, visible="selectVMsFrom = Cloud"),
    Input("hostName", label="Host Name", required=True, visible="selectVMsFrom = Host"),
    Input("waitTime", label="Wait Time", default="1200", help="Seconds until a machine is in its new state."),
    Input(
        "scriptType",
        type="pickList",
        label="Script Type",
        default="Script File Path",
        options=("Script File Path", "Inline Script"),
        visible=_SCRIPT,
    ),
    Input("scriptPath", type="filePath", label="Script Path", visible=_SCRIPT),
    Input("inlineScript", type="multiLine", label="Inline Script", visible=_SCRIPT),
    Input("scriptArguments", label="Script Arguments", visible=_SCRIPT),
)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(SCVMM, VMWARE),
        verify={SCVMM.name: verify_scvmm, VMWARE.name: verify_vmware},
        tasks=(
            Task(
                "VMWareTask@1",
                run_vmware,
                label="VMware Resource Deployment",
                summary="Provision virtual machines of a VMware vCenter Server, and act on them.",
                inputs=VMWARE_INPUTS,
            ),
            Task(
                "SCVMM@1",
                run_scvmm,
                label="SCVMM",
                summary="Act on virtual machines that System Center Virtual Machine Manager manages.",
                inputs=SCVMM_INPUTS,
            ),
        ),
    )
