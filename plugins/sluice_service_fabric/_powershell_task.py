"""`ServiceFabricPowerShell@1`: a script in a PowerShell that is connected to the cluster."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_service_fabric._certificates import pfx, tls_of
from sluice_service_fabric._cluster import gateway

INSTALL = (
    "install PowerShell (https://aka.ms/install-powershell) with the module Microsoft.ServiceFabric.Powershell.Http, or "
    "on Windows the SDK of Service Fabric"
)
_CONNECT = """\
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$given = [Console]::In.ReadToEnd() | ConvertFrom-Json
$known = @{}
if ($given.thumbprints) { $known.ServerCertThumbprint = [string[]]$given.thumbprints }
if ($given.names) { $known.ServerCommonName = [string[]]$given.names }
$store = $null
$client = $null
if ($given.pfx) {
    $flags = [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags]::DefaultKeySet
    $client = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new($given.pfx, $given.password, $flags)
}
try {
    if (Get-Command -Name Connect-ServiceFabricCluster -ErrorAction SilentlyContinue) {
        $how = @{ ConnectionEndpoint = $given.endpoint }
        if ($client) {
            $store = [System.Security.Cryptography.X509Certificates.X509Store]::new('My', 'CurrentUser')
            $store.Open('ReadWrite')
            $store.Add($client)
            $how += @{ X509Credential = $true; FindType = 'FindByThumbprint'; FindValue = $client.Thumbprint }
            $how += @{ StoreLocation = 'CurrentUser'; StoreName = 'My' }
        } elseif ($given.spn) {
            $how += @{ WindowsCredential = $true; ClusterSpn = $given.spn }
        }
        [void](Connect-ServiceFabricCluster @how @known)
    } elseif (Get-Command -Name Connect-SFCluster -ErrorAction SilentlyContinue) {
        $how = @{ ConnectionEndpoint = $given.gateway }
        if ($client) { $how += @{ X509Credential = $true; ClientCertificate = $client } }
        elseif ($given.spn) { $how += @{ WindowsCredential = $true } }
        [void](Connect-SFCluster @how @known)
    } else {
        throw 'no cmdlets of Service Fabric: Install-Module Microsoft.ServiceFabric.Powershell.Http'
    }
    $global:LASTEXITCODE = 0
    Invoke-Expression ". '$($given.script.Replace("'", "''"))' $($given.arguments)"
} finally {
    if ($store) { $store.Remove($client); $store.Close() }
}
exit $LASTEXITCODE
"""


def run_script(run: TaskRun) -> None:
    """Run the script; raises `TaskFailedError` when it fails, or when there is no PowerShell."""
    connection = run.connection("serviceConnectionName")
    if connection.scheme.casefold() == "usernamepassword":
        raise TaskFailedError(
            "this task does not log in with an Entra credential",
            where=connection.name,
            why="the cmdlets take no user name and password without asking at a browser",
            do="use a connection with a certificate",
        )
    shell = _shell(run)
    with tempfile.TemporaryDirectory(prefix="service-fabric-", dir=run.temp) as name:
        folder = Path(name)
        start = folder / "start.ps1"
        _write(start, _CONNECT.encode())
        given = json.dumps({"script": str(_script(run, folder)), **_settings(run, connection, folder)}).encode()
        command = (shell, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(start))
        status = run.execute(command, folder=run.sources, given=given)
    if status:
        raise TaskFailedError(f"the script failed with exit code {status}", where=run.task)


def _settings(run: TaskRun, connection: Connection, folder: Path) -> Mapping[str, Any]:
    """What the start needs; it goes over standard input, for arguments and environments are read by others."""
    given: dict[str, Any] = {
        "endpoint": connection.url.removeprefix("tcp://"),
        "gateway": gateway(connection),
        "arguments": run.input("ScriptArguments"),
    }
    if connection.scheme.casefold() == "certificate":
        tls_of(connection)  # which tells what is wrong with the certificates before a shell does
        password = connection.secret("certificatepassword")
        _write(folder / "client.pfx", pfx(connection))
        given |= {"pfx": str(folder / "client.pfx"), "password": password.reveal() if password else ""}
        by_name = connection.text("certLookup", "Thumbprint").casefold() == "commonname"
        key = "servercertcommonname" if by_name else "servercertthumbprint"
        given["names" if by_name else "thumbprints"] = [one.strip() for one in connection.text(key).split(",")]
    elif connection.text("Unsecured") != "true":
        given["spn"] = connection.text("ClusterSpn")
    return given


def _script(run: TaskRun, folder: Path) -> Path:
    if run.input("ScriptType") == "InlineScript":
        script = folder / "inline.ps1"
        _write(script, b"\xef\xbb\xbf" + run.required("Inline").encode())  # Windows PowerShell knows UTF-8 by the mark
        return script
    run.required("ScriptPath")
    script = run.path("ScriptPath")
    if not script.is_file():
        raise TaskFailedError(f"Not found ScriptPath: {script}", where=run.task)
    return script


def _shell(run: TaskRun) -> str:
    """Windows PowerShell where there is one: the SDK's cmdlets live there."""
    found = shutil.which("powershell", path=run.environment.get("PATH", os.defpath))
    return found or run.program("pwsh", install=INSTALL)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
