"""ServiceFabricPowerShell@1: what a PowerShell is started with. There is none here: a program in its place says that."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Giver
from tests.doubles.service_fabric import Cluster
from tests.doubles.service_fabric_site import PASSWORD, Site

from sluice.plugin import Connection
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

SHELL = """#!{python}
import json, os, pathlib, sys
given = json.loads(sys.stdin.read())
seen = dict(given=given, argv=sys.argv[1:], environment=dict(os.environ))
seen["start"] = pathlib.Path(sys.argv[-1]).read_text()
seen["script"] = pathlib.Path(given["script"]).read_text("utf-8-sig")
for name in ("pfx", "script"):
    if name in given:
        seen[f"mode of {{name}}"] = oct(os.stat(given[name]).st_mode & 0o777)
pathlib.Path({seen!r}).write_text(json.dumps(seen))
print("hello from", given["endpoint"])
sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "pwsh"
    program.write_text(SHELL.format(python=sys.executable, seen=os.fspath(tmp_path / "seen.json")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def run(site: Site, connection: Connection, shell: Path, environment: dict[str, str], **inputs: str) -> TaskOutcome:
    return run_task(
        "ServiceFabricPowerShell@1",
        inputs=inputs,
        connections={"serviceConnectionName": connection},
        sources=site.folder,
        environment={"PATH": os.fspath(shell), **environment},
    )


def seen(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((site.folder / "seen.json").read_text())
    return found


def test_a_script_gets_a_shell_that_is_connected(site: Site, shell: Path) -> None:
    cluster = Cluster()
    (site.folder / "check.ps1").write_text("Get-SFClusterHealth")
    outcome = run(
        site, site.connection(cluster, httpGatewayEndpoint="https://c:19080"), shell, {}, ScriptPath="check.ps1",
        ScriptArguments="-Deep -Name 'a b'",
    )  # fmt: skip
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert "hello from 127.0.0.1:19000" in outcome.lines
    known = seen(site)
    assert known["script"] == "Get-SFClusterHealth"
    given = known["given"]
    assert (given["gateway"], given["thumbprints"]) == ("https://c:19080", [site.thumbprint])
    assert given["arguments"] == "-Deep -Name 'a b'"
    assert given["password"] == PASSWORD
    assert known["mode of pfx"] == "0o600"
    assert not Path(given["pfx"]).exists()
    assert "Connect-ServiceFabricCluster" in known["start"]
    for told in (json.dumps(known["argv"]), json.dumps(known["environment"]), known["start"], outcome.log):
        assert PASSWORD not in told


def test_an_inline_script_fails_as_it_ends(site: Site, shell: Path) -> None:
    made = site.connection(Cluster(), httpGatewayEndpoint="https://c:19080")
    outcome = run(site, made, shell, {"STATUS": "3"}, ScriptType="InlineScript", Inline="exit 3 # ü")
    assert outcome.result == Result.FAILED
    assert "the script failed with exit code 3" in outcome.message
    known = seen(site)
    assert known["script"] == "exit 3 # ü"
    assert known["mode of script"] == "0o600"


def test_windows_security_is_told_to_the_shell(site: Site, shell: Path, evidence: Giver) -> None:
    made = site.connection(Cluster(), "None", ClusterSpn="HTTP/c", httpGatewayEndpoint="http://c:19080")
    assert run(site, made, shell, {}, ScriptType="InlineScript", Inline="1").result == Result.SUCCEEDED
    assert seen(site)["given"]["spn"] == "HTTP/c"
    assert "pfx" not in seen(site)["given"]
    evidence("servicefabric", "None", "used", "PowerShell (double)", task="ServiceFabricPowerShell@1")


def test_without_a_shell_it_is_told_what_to_install(site: Site) -> None:
    made = site.connection(Cluster(), httpGatewayEndpoint="https://c:19080")
    outcome = run(site, made, site.folder, {}, ScriptType="InlineScript", Inline="1")
    assert "Unable to locate executable file: 'pwsh'" in outcome.message
    assert "https://aka.ms/install-powershell" in outcome.message


def test_an_account_cannot_be_used_and_that_is_told(site: Site, shell: Path) -> None:
    made = site.connection(Cluster(), "UsernamePassword", username="a", password="secret-0001-0002",
                           httpGatewayEndpoint="https://c:19080")  # fmt: skip
    outcome = run(site, made, shell, {}, ScriptType="InlineScript", Inline="1")
    assert "does not log in with an Entra credential" in outcome.message
