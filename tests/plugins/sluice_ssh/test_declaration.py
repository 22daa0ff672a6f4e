from __future__ import annotations

import subprocess
import sys

from sluice.hooks.manager import installed
from sluice_ssh import SSH


def test_the_type_has_the_keys_of_azure_pipelines_and_additions_that_say_so() -> None:
    assert (SSH.name, SSH.url.template, SSH.url.entered) == ("ssh", "ssh://{Host}:{Port}", False)
    scheme = SSH.scheme("usernamepassword")
    assert scheme is not None
    assert [(one.key, one.secret, one.required) for one in scheme.parameters] == [
        ("username", False, True),
        ("password", True, False),
    ]
    original = [(one.key, one.secret, one.required) for one in SSH.data[:3]]
    assert original == [("Host", False, True), ("Port", False, False), ("PrivateKey", True, False)]
    additions = {one.key: one for one in SSH.data[3:]}
    assert set(additions) == {"HostKey", "JumpHost", "KeyboardInteractivePrompts", "RemoteShell"}
    assert all("addition of Sluice" in one.help for one in additions.values())
    assert (additions["JumpHost"].kind, additions["JumpHost"].connection_type) == ("connection", "ssh")
    assert {one.key for one in SSH.data if one.address} == {"Host", "Port", "JumpHost"}


def test_the_installed_plugin_offers_type_verification_and_tasks() -> None:
    host = installed()
    assert host.types["ssh"] is SSH
    assert "ssh" in host.verifiers
    assert host.tasks["ssh@0"].id == "91443475-df55-4874-944b-39253b558790"
    assert host.tasks["copyfilesoverssh@0"].id == "67cec91b-0351-4c2f-8465-d74b3d2a2d96"


def test_listing_what_it_offers_imports_no_library() -> None:
    code = (
        "import sys, sluice_ssh, sluice_generic; sluice_ssh.sluice_family(); sluice_generic.sluice_family();"
        "print([name for name in ('paramiko', 'cryptography', 'requests') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
