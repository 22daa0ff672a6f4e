"""`sluice connection verify`: trying a far side, and vouching for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

    from sluice.testing.ssh_host import SshHost

PLUGIN = """
from sluice.plugin import ConnectionType, Family, Field, Scheme, TrustNeededError, Url, VerificationError, hookimpl
import os

DEPOT = ConnectionType("depot", "Depot", url=Url(required=False),
    schemes=(Scheme("Token", "Token", (Field("apitoken", "API token", secret=True, required=True),)),),
    data=(Field("Host", "Host", address=True), Field("Pin", "Pin", generated=True),
          Field("Via", "Via", kind="connection", connection_type="depot")))

def verify(connection):
    shown = os.environ["DEPOT_KEY_" + connection.text("Host")]
    if not connection.text("Pin"):
        raise TrustNeededError("the depot " + connection.text("Host") + " is not known yet", field="Pin",
                               value=shown, fingerprint="print-of-" + shown, do="compare")
    if connection.text("Pin") != shown:
        raise VerificationError("the depot shows another key")
    assert connection.secret("apitoken")
    return "logged in"

@hookimpl
def sluice_family():
    return Family(types=(DEPOT,), verify={"depot": verify})
"""


@pytest.fixture
def depots(sluice: Sluice, tmp_path: Path) -> None:
    """Two depots, of which one is reached through the other."""
    site = tmp_path / "site"
    info = site / "depot_plugin-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: depot-plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[sluice]\ndepot = depot_plugin\n")
    (site / "depot_plugin.py").write_text(PLUGIN)
    sluice.real = True  # plugins are found once in a process
    sluice.environment |= {"PYTHONPATH": str(site), "DEPOT_KEY_far": "key-far", "DEPOT_KEY_near": "key-near"}
    for name, more in (("near", ()), ("far", ("--set", "Via=near"))):
        fields = ("--type", "depot", "--set", f"Host={name}", *more, "--secret", "apitoken=-")
        sluice("connection", "create", name, *fields, "--allow-all-pipelines", given="token-1234")


def pin_of(sluice: Sluice, name: str) -> str:
    return str(sluice.json("connection", "show", name)["data"].get("Pin", ""))


def test_without_a_terminal_an_unknown_far_side_is_refused(sluice: Sluice, depots: None) -> None:
    error = sluice("connection", "verify", "near", status=1)
    assert "not known yet" in error
    assert "to pin it: sluice connection verify near --trust print-of-key-near" in error
    assert pin_of(sluice, "near") == ""


def test_the_right_fingerprint_pins_and_keeps_secrets_and_permits(sluice: Sluice, depots: None) -> None:
    before = sluice.json("connection", "show", "near")
    assert "near: logged in" in sluice("connection", "verify", "near", "--trust", "print-of-key-near")
    after = sluice.json("connection", "show", "near")
    assert pin_of(sluice, "near") == "key-near"
    for key in ("id", "secrets", "pipelines"):
        assert after[key] == before[key]
    assert sluice.json("connection", "verify", "near")["verified"] is True
    assert [use["result"] for use in sluice.json("connection", "history", "near")] == [
        "Succeeded",
        "Succeeded",
        "Failed",
    ]


def test_another_fingerprint_pins_nothing(sluice: Sluice, depots: None) -> None:
    error = sluice("connection", "verify", "near", "--trust", "print-of-key-nea", status=1)
    assert "not the fingerprint that you gave" in error
    assert pin_of(sluice, "near") == ""


def test_a_far_side_that_changed_is_refused_whatever_is_trusted(sluice: Sluice, depots: None) -> None:
    sluice("connection", "verify", "near", "--trust", "print-of-key-near")
    sluice.environment["DEPOT_KEY_near"] = "key-evil"
    assert "another key" in sluice("connection", "verify", "near", "--trust", "print-of-key-evil", status=1)
    assert pin_of(sluice, "near") == "key-near"


def test_a_key_is_pinned_where_it_was_shown_and_nowhere_else(sluice: Sluice, depots: None) -> None:
    sluice("connection", "verify", "far", "--trust", "print-of-key-near", status=1)
    assert (pin_of(sluice, "near"), pin_of(sluice, "far")) == ("key-near", "")
    sluice("connection", "verify", "far", "--trust", "print-of-key-far")
    assert (pin_of(sluice, "near"), pin_of(sluice, "far")) == ("key-near", "key-far")


def test_moving_the_connection_forgets_the_pin(sluice: Sluice, depots: None) -> None:
    sluice("connection", "verify", "near", "--trust", "print-of-key-near")
    sluice("connection", "update", "near", "--set", "Host=far", "--secret", "apitoken=-", given="token-1234")
    assert pin_of(sluice, "near") == ""


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_a_person_is_asked(sluice: Sluice, depots: None) -> None:
    status, shown = sluice.on_a_terminal(["connection", "verify", "near"], [("[y/N]", "n\n")])
    assert status == 1
    assert "print-of-key-near" in shown
    assert pin_of(sluice, "near") == ""
    status, shown = sluice.on_a_terminal(["connection", "verify", "near"], [("[y/N]", "y\n")])
    assert status == 0, shown
    assert pin_of(sluice, "near") == "key-near"
    assert "token-1234" not in sluice.printed


def test_an_ssh_host_behind_a_jump_host_is_verified_step_by_step(
    sluice: Sluice, sluice_ssh_hosts: Callable[..., SshHost]
) -> None:
    secret = "hunter2-very-secret-0815"
    jump, web = sluice_ssh_hosts(password=secret, forwarding=True), sluice_ssh_hosts(password=secret)
    for name, host, more in (("jump", jump, ()), ("web", web, ("--set", "JumpHost=jump"))):
        fields = ("--set", "Host=127.0.0.1", "--set", f"Port={host.port}", "--set", f"username={host.user}", *more)
        sluice("connection", "create", name, "--type", "ssh", *fields, "--secret", "password=-", given=secret)
    assert jump.fingerprint in sluice("connection", "verify", "web", status=1)
    assert web.fingerprint in sluice("connection", "verify", "web", "--trust", jump.fingerprint, status=1)
    verified = sluice("connection", "verify", "web", "--trust", web.fingerprint)
    assert [line.partition(":")[0] for line in verified.splitlines()] == ["jump", "web"]
    assert sluice.json("connection", "show", "web")["data"]["HostKey"] == web.host_key
    assert sluice.json("connection", "show", "jump")["data"]["HostKey"] == jump.host_key
    assert secret not in sluice.printed


def test_the_pinned_key_goes_when_the_host_changes_and_stays_otherwise(sluice: Sluice) -> None:
    sluice("connection", "create", "box", "--type", "ssh", "--set", "Host=a.example", "--set", "username=u")
    sluice("connection", "update", "box", "--set", "HostKey=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==")
    sluice("connection", "update", "box", "--set", "username=v")
    assert "HostKey" in sluice.json("connection", "show", "box")["data"]
    sluice("connection", "update", "box", "--set", "Host=b.example")
    assert "HostKey" not in sluice.json("connection", "show", "box")["data"]
