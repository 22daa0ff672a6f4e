"""The types are those of Azure Pipelines: keys, labels, what is secret and what is required."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.connections.connection import Key
from sluice.connections.validation import Entered, fit
from sluice.errors import ConnectionInvalidError
from sluice.hooks.manager import installed
from sluice.plugin import ConnectionType
from sluice.secret import Secret
from sluice_virtualization._types import SCVMM, VMWARE


@pytest.mark.parametrize("kind", [SCVMM, VMWARE], ids=lambda kind: kind.name)
def test_both_log_in_with_a_user_name_and_a_password(kind: ConnectionType) -> None:
    (scheme,) = kind.schemes
    assert scheme.name == "UsernamePassword"
    assert [(one.key, one.label, one.secret, one.required) for one in scheme.parameters] == [
        ("username", "Username", False, True),
        ("password", "Password", True, True),
    ]
    assert all("addition of Sluice" in one.help for one in kind.data)
    assert kind.url.required


def entered(username: str = "CORP\\deployer") -> Entered:
    secrets: dict[Key, Secret] = {("parameters", "password"): Secret("pass-word-0001")}
    return Entered(values={("parameters", "username"): username}, secrets=secrets)


def test_the_addresses_are_of_the_documented_forms() -> None:
    assert fit(SCVMM, "", "machine.domain.com:8100", entered()).url == "machine.domain.com:8100"
    with pytest.raises(ConnectionInvalidError, match="SCVMM Server Name is a host with its port"):
        fit(SCVMM, "", "https://machine.domain.com", entered())
    assert fit(VMWARE, "", "https://machine.domain.com/", entered()).url == "https://machine.domain.com/"
    with pytest.raises(ConnectionInvalidError, match="https://"):
        fit(VMWARE, "", "http://machine.domain.com/", entered())


def test_names_of_the_form_user_at_domain_are_refused() -> None:
    with pytest.raises(ConnectionInvalidError, match="are not supported"):
        fit(VMWARE, "", "https://machine.domain.com/", entered("deployer@corp.example.com"))


def test_they_are_installed_with_their_verifications_and_tasks() -> None:
    host = installed()
    for kind in (SCVMM, VMWARE):
        assert host.types[kind.name] is kind
        assert kind.name in host.verifiers
    for name in ("VMWareTask@1", "SCVMM@1"):
        assert host.tasks[name.casefold()].reference == name


def test_listing_what_it_offers_imports_no_library() -> None:
    code = (
        "import sys, sluice_virtualization as one; one.sluice_family();"
        "print([name for name in ('pyVmomi', 'winrm', 'requests', 'ssl') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
