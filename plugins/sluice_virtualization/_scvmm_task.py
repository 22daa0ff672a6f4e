"""`SCVMM@1`: checkpoints, start, stop and deletion of machines, and scripts, on the VMM server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun
from sluice_virtualization import _scvmm

_MACHINES = """\
$machines = foreach ($name in $given.names) {
    $found = @(Get-SCVirtualMachine -VMMServer $vmm -Name $name | Where-Object {
        (-not $given.cloud -or $_.Cloud.Name -eq $given.cloud) -and (-not $given.host -or $_.VMHost.Name -eq $given.host)
    })
    if ($found.Count -ne 1) { throw "$($found.Count) virtual machines are called '$name' there" }
    $found[0]
}
function Find-Checkpoint($machine) {
    $found = @(Get-SCVMCheckpoint -VMMServer $vmm -VM $machine | Where-Object { $_.Name -eq $given.checkpoint })
    if ($found.Count -ne 1) { throw "'$($machine.Name)' has $($found.Count) checkpoints called '$($given.checkpoint)'" }
    $found[0]
}
function Wait-Status($machine, $status) {
    $ends = (Get-Date).AddSeconds($given.seconds)
    while ((Get-SCVirtualMachine -VMMServer $vmm -ID $machine.ID).Status -ne $status) {
        if ((Get-Date) -gt $ends) { throw "'$($machine.Name)' is not $status after $($given.seconds) seconds" }
        Start-Sleep -Seconds 2
    }
}
foreach ($machine in $machines) {
"""
_END = """
    "$($machine.Name): $($given.action) succeeded"
}
"""
ACTIONS: Mapping[str, str] = {
    "Create Checkpoint": (
        "New-SCVMCheckpoint -VM $machine -Name $given.checkpoint -Description $given.description | Out-Null"
    ),
    "Restore Checkpoint": "Restore-SCVMCheckpoint -VMCheckpoint (Find-Checkpoint $machine) | Out-Null",
    "Delete Checkpoint": "Remove-SCVMCheckpoint -VMCheckpoint (Find-Checkpoint $machine) -Confirm:$false | Out-Null",
    "Start Virtual Machine": "Start-SCVirtualMachine -VM $machine | Out-Null\n    Wait-Status $machine 'Running'",
    "Stop Virtual Machine": "Stop-SCVirtualMachine -VM $machine | Out-Null\n    Wait-Status $machine 'PowerOff'",
    "Delete Virtual Machine": "Remove-SCVirtualMachine -VM $machine -Force -Confirm:$false | Out-Null",
}
SCRIPT = "Run PowerShell Script for SCVMM"
SECONDS = 1200
MAX_SCRIPT = 1 << 20
_CALL = '$block = [scriptblock]::Create($given.script)\nInvoke-Expression "& `$block $($given.arguments)"\n'


def run_action(run: TaskRun) -> None:
    """Carry out the `action`; raises `TaskFailedError` when it fails."""
    action = run.required("action").strip()
    by_name = {name.casefold(): name for name in (*ACTIONS, SCRIPT)}
    chosen = by_name.get(action.casefold())
    if chosen is None:
        known = ", ".join(f"'{one}'" for one in by_name.values())
        raise TaskFailedError(f"'{action}' is no action of this task", where=run.task, do=f"it is one of {known}")
    connection = run.connection("connectedServiceName")
    body = _CALL if chosen == SCRIPT else f"{_MACHINES}    {ACTIONS[chosen]}{_END}"
    given = _script(run) if chosen == SCRIPT else _machines(run, chosen)
    write = run.stream()
    try:
        status, errors = _scvmm.run(connection, body, given, write, canceled=lambda: run.canceled)
    finally:
        write(b"")
    if not status:
        return
    if chosen == SCRIPT:
        raise TaskFailedError(f"the script failed with exit code {status}", where=run.task)
    refusal = _scvmm.refusal(connection, errors)
    raise TaskFailedError(refusal.what, where=run.task, why=refusal.why, do=refusal.do)


def _machines(run: TaskRun, action: str) -> dict[str, object]:
    names = [one.strip() for one in re.split(r"[,\n]", run.required("vmNames")) if one.strip()]
    source = run.input("selectVMsFrom").strip().casefold()
    given: dict[str, object] = {
        "action": action,
        "names": list(dict.fromkeys(names)),
        "seconds": run.number("waitTime", minimum=1) if run.input("waitTime").strip() else SECONDS,
    }
    if source in {"cloud", "host"}:
        given[source] = run.required("cloudName" if source == "cloud" else "hostName").strip()
    if action.endswith("Checkpoint"):
        given["checkpoint"] = run.required("checkpointName").strip()
        given["description"] = run.input("description")
    return given


def _script(run: TaskRun) -> dict[str, object]:
    if run.input("scriptType").strip() == "Inline Script":
        text = run.required("inlineScript")
    else:
        run.required("scriptPath")
        text = _read(run, run.path("scriptPath"))
    return {"script": text, "arguments": run.input("scriptArguments")}


def _read(run: TaskRun, path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskFailedError(f"Not found scriptPath: {path}", where=run.task) from error
    if len(content) > MAX_SCRIPT:
        raise TaskFailedError(f"the script is larger than {MAX_SCRIPT} bytes", where=str(path))
    return content.decode("utf-8-sig", "replace")
