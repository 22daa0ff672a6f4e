"""VMware connections and VMWareTask@1 against the simulator of vCenter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.conftest import Giver
from tests.doubles.vcenter import PASSWORD, VCenter

from sluice.plugin import Connection, VerificationError
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_virtualization import verify_vmware
from sluice_virtualization._vcenter import session

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(400),  # the first of them builds the simulator
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),  # see `leftovers`
]
MACHINE = "DC0_H0_VM0"


@pytest.fixture
def trusted(vcenter: VCenter, monkeypatch: pytest.MonkeyPatch) -> VCenter:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(vcenter.authority))
    return vcenter


def act(
    vcenter: VCenter, action: str, inputs: Mapping[str, str] | None = None, connection: Connection | None = None
) -> TaskOutcome:
    given = {"action": action, "vmList": MACHINE, "targetdc": "DC0", **(inputs or {})}
    return run_task("VMWareTask@1", inputs=given, connections={"vCenterConnection": connection or vcenter.connection()})


def state(vcenter: VCenter, name: str = MACHINE) -> str:
    with session(vcenter.connection()) as content:
        machine = content.searchIndex.FindByInventoryPath(f"DC0/vm/{name}")
        return str(machine.runtime.powerState) if machine is not None else "none"


def snapshots(vcenter: VCenter) -> list[str]:
    with session(vcenter.connection()) as content:
        tree = getattr(content.searchIndex.FindByInventoryPath(f"DC0/vm/{MACHINE}"), "snapshot", None)
        return [one.name for one in tree.rootSnapshotList] if tree is not None else []


def test_the_right_account_is_told_with_what_it_sees(trusted: VCenter, evidence: Giver) -> None:
    told = verify_vmware(trusted.connection())
    assert told.startswith("VMware vCenter Server")
    assert told.endswith(f"at {trusted.url}/ knows the account, which sees 1 datacenters")
    evidence("vmware", "UsernamePassword", "verified right", "govmomi vcsim")


def test_a_wrong_password_is_told_and_not_shown(trusted: VCenter, evidence: Giver) -> None:
    with pytest.raises(VerificationError, match="vCenter does not accept the user name and password") as raised:
        verify_vmware(trusted.connection(password="wrong-secret-0666"))
    assert "wrong-secret-0666" not in str(raised.value)
    evidence("vmware", "UsernamePassword", "verified wrong", "govmomi vcsim")


def test_a_certificate_that_nobody_vouches_for_is_told(vcenter: VCenter) -> None:
    with pytest.raises(VerificationError, match=r"the certificate of https://127.0.0.1:\d+/ is not trusted") as raised:
        verify_vmware(vcenter.connection())
    assert "skipca" in raised.value.do
    skipping = act(vcenter, "Power off Virtual Machines", {"skipca": "true"})
    assert skipping.result == Result.SUCCEEDED, skipping.log
    assert "is not trusted" in act(vcenter, "Power off Virtual Machines").message


def test_another_address_and_nobody_there_are_told(trusted: VCenter) -> None:
    with pytest.raises(VerificationError, match="there is no vCenter Server at"):
        verify_vmware(trusted.connection(url=f"{trusted.url}/elsewhere/"))
    with pytest.raises(VerificationError, match="refused the connection"):
        verify_vmware(trusted.connection(url="https://127.0.0.1:9/"))


def test_machines_are_switched_off_and_on(trusted: VCenter) -> None:
    assert state(trusted) == "poweredOn"
    done = act(trusted, "Power off Virtual Machines")
    assert done.result == Result.SUCCEEDED, done.log
    assert state(trusted) == "poweredOff"
    assert f"{MACHINE}: it is powered off already" in act(trusted, "Power off Virtual Machines").lines
    assert act(trusted, "Power On Virtual Machines").result == Result.SUCCEEDED
    assert state(trusted) == "poweredOn"
    assert PASSWORD not in done.log


def test_a_machine_is_shut_down_and_waited_for(trusted: VCenter) -> None:
    assert f"{MACHINE}: shut down" in act(trusted, "Shutdown Virtual Machines").lines
    assert state(trusted) == "poweredOff"


def test_snapshots_are_taken_put_back_and_deleted(trusted: VCenter, evidence: Giver) -> None:
    named = {"snapshotName": "before", "snapshotMemory": "false", "description": "run 12"}
    taken = act(trusted, "Take Snapshot of Virtual Machines", named)
    assert taken.result == Result.SUCCEEDED, taken.log
    assert snapshots(trusted) == ["before"]
    assert act(trusted, "Revert Snapshot of Virtual Machines", {"snapshotName": "before"}).result == Result.SUCCEEDED
    missing = act(trusted, "Revert Snapshot of Virtual Machines", {"snapshotName": "after"})
    assert missing.result == Result.FAILED
    assert f"'{MACHINE}' has no snapshot called 'after'" in missing.message
    assert act(trusted, "Delete Snapshot of Virtual Machines", {"snapshotName": "before"}).result == Result.SUCCEEDED
    assert snapshots(trusted) == []
    evidence("vmware", "UsernamePassword", "used", "govmomi vcsim", task="VMWareTask@1")


def test_two_snapshots_of_a_name_are_not_guessed_between(trusted: VCenter) -> None:
    for _ in range(2):
        act(trusted, "Take Snapshot of Virtual Machines", {"snapshotName": "twice"})
    refused = act(trusted, "Delete Snapshot of Virtual Machines", {"snapshotName": "twice"})
    assert "has 2 snapshots called 'twice'" in refused.message


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("ESXi Host", "hostname", "DC0_H0"),
        ("Cluster", "clustername", "DC0_C0"),
    ],
)
def test_machines_are_made_of_a_template_and_deleted(trusted: VCenter, kind: str, name: str, value: str) -> None:
    inputs = {
        "vmList": "Web1, Web2",
        "template": MACHINE,
        "computeType": kind,
        name: value,
        "datastore": "LocalDS_0",
        "description": "made by a run",
    }
    done = act(trusted, "Deploy Virtual Machines using Template", inputs)
    assert done.result == Result.SUCCEEDED, done.log
    assert [state(trusted, one) for one in ("Web1", "Web2")] == ["poweredOn", "poweredOn"]
    assert act(trusted, "delete virtual machines", {"vmList": "Web1,Web2"}).result == Result.SUCCEEDED
    assert state(trusted, "Web1") == "none"


@pytest.mark.parametrize(
    ("action", "inputs", "told"),
    [
        ("Explode", {}, "Invalid action name : Explode"),
        ("Power On Virtual Machines", {"targetdc": "DC9"}, "there is no datacenter 'DC9'"),
        ("Power On Virtual Machines", {"vmList": "nobody"}, "of the kind VirtualMachine none is called 'nobody'"),
        ("Power On Virtual Machines", {"vmList": "a,,b"}, "Invalid input for vmList: vmName cannot be empty string."),
        (
            "Deploy Virtual Machines using Template",
            {"vmList": "x", "template": MACHINE, "datastore": "LocalDS_0", "hostname": "nowhere"},
            "of the kind HostSystem none is called 'nowhere'",
        ),
    ],
)
def test_what_is_not_there_is_told(trusted: VCenter, action: str, inputs: dict[str, str], told: str) -> None:
    outcome = act(trusted, action, inputs)
    assert outcome.result == Result.FAILED
    assert told in outcome.message


def test_what_a_machine_cannot_do_now_is_told_in_the_words_of_vcenter(trusted: VCenter) -> None:
    taken = {"vmList": "Web1", "template": MACHINE, "datastore": "LocalDS_0", "hostname": "DC0_H0"}
    assert act(trusted, "Deploy Virtual Machines using Template", taken).result == Result.SUCCEEDED
    again = act(trusted, "Deploy Virtual Machines using Template", taken)
    assert again.result == Result.FAILED
    assert "vCenter could not do it" in again.message
