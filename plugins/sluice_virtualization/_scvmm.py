"""System Center Virtual Machine Manager: scripts that run on its server, connected to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import Connection, VerificationError
from sluice_virtualization._types import VMM_PORT
from sluice_virtualization._winrm import Shell
from sluice_virtualization._words import printable

_CONNECT = """\
$given = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{given}')) | ConvertFrom-Json
if (-not (Get-Module -ListAvailable -Name virtualmachinemanager)) {{ throw 'sluice: no console' }}
Import-Module virtualmachinemanager | Out-Null
$vmm = Get-SCVMMServer -ComputerName $given.server -TCPPort $given.port
"""


def script(connection: Connection, body: str, given: Mapping[str, Any]) -> str:
    """A script that is connected to the VMM server (`$vmm`); `$given` holds values, which are never code."""
    parts = urlsplit(f"//{connection.url}")
    values = {"server": parts.hostname, "port": parts.port or VMM_PORT, **given}
    encoded = base64.b64encode(json.dumps(values).encode()).decode("ascii")
    return _CONNECT.format(given=encoded) + body


def host_of(connection: Connection) -> str:
    """The host of the VMM server, where the scripts run."""
    host = urlsplit(f"//{connection.url}").hostname
    if not host:
        raise VerificationError("the connection names no SCVMM server", where=connection.name)
    return host


def run(
    connection: Connection,
    body: str,
    given: Mapping[str, Any],
    take: Callable[[bytes], None],
    *,
    canceled: Callable[[], bool] = lambda: False,
) -> tuple[int, str]:
    """Run a script there: its exit status, and what it wrote as errors."""
    return Shell(connection, host_of(connection)).run(script(connection, body, given), take, canceled=canceled)


def verify(connection: Connection) -> str:
    """Ask the VMM server for its version; tells the reasons apart."""
    pieces: list[bytes] = []
    status, errors = run(connection, "$vmm.ProductVersion\n", {}, pieces.append)
    if status:
        raise refusal(connection, errors)
    version = b"".join(pieces).decode("utf-8", "replace").strip()
    return f"VMM {printable(version, most=50)} at {connection.url} knows the account"


def refusal(connection: Connection, errors: str) -> VerificationError:
    """Why VMM refused, by what PowerShell wrote."""
    known = errors.casefold()
    if "sluice: no console" in known:
        what = f"{host_of(connection)} has no VMM console"
        do = "install the console of Virtual Machine Manager there, or name the server that has it"
        return VerificationError(what, where=connection.name, do=do)
    if ("access" in known and "denied" in known) or "permission" in known:
        what = "VMM knows the account, but it has no user role there that allows this"
        return VerificationError(what, where=connection.name, why=printable(errors))
    if "unable to connect" in known or "cannot connect" in known:
        what = f"there is no VMM server at {connection.url}"
        return VerificationError(what, where=connection.name, why=printable(errors))
    return VerificationError("VMM answered with an error", where=connection.name, why=printable(errors))
