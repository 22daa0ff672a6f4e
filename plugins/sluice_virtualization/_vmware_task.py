"""`VMWareTask@1`: machines of a vCenter are made, started, stopped, deleted; snapshots of them taken and put back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun
from sluice_virtualization import _vcenter
from sluice_virtualization._patience import Patience

SECONDS = 1200
"""So long machines may take where the step says nothing else."""
COMPUTE = {"ESXi Host": "hostname", "Cluster": "clustername", "Resource Pool": "resourcepoolname"}


def run_action(run: TaskRun) -> None:
    """Carry out the `action` on each machine of `vmList`."""
    action = run.required("action").strip()
    carry_out = ACTIONS.get(action.casefold())
    if carry_out is None:
        known = ", ".join(f"'{one}'" for one in NAMES)
        raise TaskFailedError(f"Invalid action name : {action}", where=run.task, do=f"it is one of {known}")
    names = _names(run)
    with _vcenter.session(run.connection("vCenterConnection"), any_certificate=run.flag("skipca")) as content:
        place = _vcenter.datacenter(content, run.required("targetdc").strip())
        for name in names:
            carry_out(_Machine(run, content, place, name))


@dataclass(frozen=True, slots=True)
class _Machine:
    """One machine by its name, in a datacenter."""

    run: TaskRun
    content: Any
    datacenter: Any
    name: str

    def find(self) -> Any:
        return _vcenter.one_of(self.content, self.datacenter, "VirtualMachine", self.name)

    def say(self, text: str) -> None:
        self.run.say(f"{self.name}: {text}")

    def patience(self) -> Patience:
        return Patience(self.run, self.run.number("timeout", minimum=1) if self.run.input("timeout") else SECONDS)

    def finish(self, task: Any) -> Any:
        return _vcenter.finish(task, self.patience(), lambda percent: self.run.progress(percent, self.name))


def _deploy(machine: _Machine) -> None:
    """Make it of a template, and start it."""
    from pyVmomi import vim

    run = machine.run
    template = _vcenter.one_of(machine.content, machine.datacenter, "VirtualMachine", run.required("template").strip())
    place = vim.vm.RelocateSpec(
        pool=_pool(machine),
        datastore=_vcenter.one_of(machine.content, machine.datacenter, "Datastore", run.required("datastore").strip()),
    )
    if run.input("computeType") == "ESXi Host":
        place.host = _vcenter.one_of(
            machine.content, machine.datacenter, "HostSystem", run.required("hostname").strip()
        )
    spec = vim.vm.CloneSpec(location=place, powerOn=False, template=False)
    if description := run.input("description").strip():
        spec.config = vim.vm.ConfigSpec(annotation=description)
    if customization := run.input("customizationspec").strip():
        spec.customization = machine.content.customizationSpecManager.GetCustomizationSpec(name=customization).spec
    machine.say(f"deploying it from the template '{run.input('template').strip()}'")
    machine.finish(template.CloneVM_Task(folder=machine.datacenter.vmFolder, name=machine.name, spec=spec))
    machine.say("deployed")
    _power_on(machine)


def _pool(machine: _Machine) -> Any:
    run = machine.run
    kind = run.required("computeType").strip()
    if kind not in COMPUTE:
        known = ", ".join(COMPUTE)
        raise TaskFailedError(f"Invalid compute type : {kind}", where=run.task, do=f"it is one of: {known}")
    name = run.required(COMPUTE[kind]).strip()
    if kind == "Resource Pool":
        return _vcenter.one_of(machine.content, machine.datacenter, "ResourcePool", name)
    if kind == "Cluster":
        return _vcenter.one_of(machine.content, machine.datacenter, "ClusterComputeResource", name).resourcePool
    return _vcenter.one_of(machine.content, machine.datacenter, "HostSystem", name).parent.resourcePool


def _take_snapshot(machine: _Machine) -> None:
    run = machine.run
    name = run.required("snapshotName").strip()
    found = machine.find()
    machine.finish(
        found.CreateSnapshot_Task(
            name=name, description=run.input("description"), memory=run.flag("snapshotMemory"), quiesce=False
        )
    )
    machine.say(f"snapshot '{name}' taken")


def _revert_snapshot(machine: _Machine) -> None:
    snapshot = _snapshot(machine)
    machine.finish(snapshot.RevertToSnapshot_Task())
    machine.say("reverted to the snapshot")


def _delete_snapshot(machine: _Machine) -> None:
    machine.finish(_snapshot(machine).RemoveSnapshot_Task(removeChildren=False))
    machine.say("snapshot deleted")


def _snapshot(machine: _Machine) -> Any:
    name = machine.run.required("snapshotName").strip()
    tree = getattr(machine.find(), "snapshot", None)  # a machine without any may not have the property
    waiting, found = list(tree.rootSnapshotList) if tree is not None else [], []
    while waiting:
        one = waiting.pop()
        waiting.extend(one.childSnapshotList)
        if one.name == name:
            found.append(one.snapshot)
    if len(found) != 1:
        what = f"{len(found)} snapshots" if found else "no snapshot"
        raise TaskFailedError(f"'{machine.name}' has {what} called '{name}'", where=machine.run.task)
    return found[0]


def _power_on(machine: _Machine) -> None:
    found = machine.find()
    if found.runtime.powerState == "poweredOn":
        machine.say("it is powered on already")
        return
    machine.finish(found.PowerOnVM_Task())
    machine.say("powered on")


def _power_off(machine: _Machine) -> None:
    found = machine.find()
    if found.runtime.powerState == "poweredOff":
        machine.say("it is powered off already")
        return
    machine.finish(found.PowerOffVM_Task())
    machine.say("powered off")


def _shut_down(machine: _Machine) -> None:
    """Ask the system in it to shut down, and wait until it has."""
    found = machine.find()
    if found.runtime.powerState == "poweredOff":
        machine.say("it is powered off already")
        return
    found.ShutdownGuest()
    patience = machine.patience()
    while found.runtime.powerState != "poweredOff":
        if not patience.wait():
            raise TaskFailedError(f"'{machine.name}' did not shut down in time", where=machine.run.task)
    machine.say("shut down")


def _delete(machine: _Machine) -> None:
    found = machine.find()
    if found.runtime.powerState != "poweredOff":
        machine.finish(found.PowerOffVM_Task())
    machine.finish(found.Destroy_Task())
    machine.say("deleted")


NAMES: Mapping[str, Callable[[_Machine], None]] = {
    "Deploy Virtual Machines using Template": _deploy,
    "Take Snapshot of Virtual Machines": _take_snapshot,
    "Revert Snapshot of Virtual Machines": _revert_snapshot,
    "Delete Snapshot of Virtual Machines": _delete_snapshot,
    "Power On Virtual Machines": _power_on,
    "Power off Virtual Machines": _power_off,
    "Shutdown Virtual Machines": _shut_down,
    "Delete Virtual Machines": _delete,
}
ACTIONS = {name.casefold(): action for name, action in NAMES.items()}


def _names(run: TaskRun) -> list[str]:
    names = [one.strip() for one in re.split(r"[,\n]", run.required("vmList").strip())]
    if not all(names):
        raise TaskFailedError("Invalid input for vmList: vmName cannot be empty string.", where=run.task)
    return list(dict.fromkeys(names))
