"""`AzurePowerShell@5`: a PowerShell script with the Az module connected as the identity of a connection.

What connects is a generated script. A secret is neither in it nor among the arguments of a process: it is read from the
standard input.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import Connection, Secret, TaskFailedError, TaskRun
from sluice_azure._cli_task import federation_environment, quoted, written
from sluice_azure._environments import DEFAULT, STACK

PWSH = (
    "install PowerShell (https://learn.microsoft.com/powershell/scripting/install/installing-powershell) and the module Az: "
    "pwsh -Command 'Install-Module Az'"
)
_PREFERENCES = ("stop", "continue", "silentlycontinue")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """How PowerShell connects: the lines of a script, and what that reads from its standard input."""

    lines: tuple[str, ...]
    given: Secret


def run_powershell(run: TaskRun) -> None:
    """Connect, run the script, and forget the connection; the step fails with the script's exit status."""
    connection = run.connection("ConnectedServiceNameARM")
    pwsh = run.program("pwsh", install=PWSH)
    script = _script(run)
    with contextlib.ExitStack() as stack:
        more: dict[str, str] = {}
        if connection.scheme.casefold() == "workloadidentityfederation":
            more = stack.enter_context(federation_environment(run, connection))
        connecting = stack.enter_context(connecting_of(run, connection))
        text = "\n".join([*_modules(run), *connecting.lines, f"$ErrorActionPreference = '{_preference(run)}'", script])
        path = stack.enter_context(written(run, f"\ufeff{text}\n", ".ps1"))
        told: list[bytes] = []
        status = run.execute(
            (pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", f". {quoted(path)}"),
            folder=_folder(run),
            environment={**run.environment, **more, "AZUREPS_HOST_ENVIRONMENT": "Sluice/AzurePowerShell@5"},
            given=connecting.given.reveal().encode(),
            errors=told.append,
            script=True,
        )
    if status:
        raise TaskFailedError(f"PowerShell exited with code '{status}'.", where=run.task)
    if told and run.flag("FailOnStandardError"):
        raise TaskFailedError("PowerShell wrote one or more lines to the standard error stream.", where=run.task)


@contextlib.contextmanager
def connecting_of(run: TaskRun, connection: Connection) -> Iterator[Connecting]:
    """How the connection's identity connects; a certificate is a private file meanwhile."""
    scheme = connection.scheme.casefold() or "serviceprincipal"
    begin = ("$sluiceGiven = [Console]::In.ReadToEnd().Trim()",)
    end = ("Remove-Variable sluiceGiven", *_context(connection))
    principal = "Connect-AzAccount -ServicePrincipal"
    tenant = f"-Tenant {_text(connection, 'tenantid')} -Environment {_environment(connection)} -Scope Process"
    application = _text(connection, "serviceprincipalid")
    if scheme == "managedserviceidentity":
        account = f" -AccountId {_text(connection, 'msiclientId')}" if connection.text("msiclientId") else ""
        line = f"$null = Connect-AzAccount -Identity{account} -Environment {_environment(connection)} -Scope Process"
        yield Connecting(lines=(*begin, line, *end), given=Secret(""))
    elif scheme == "workloadidentityfederation":
        token = connection.federated_token()
        run.mask(token)
        line = f"$null = {principal} {tenant} -ApplicationId {application} -FederatedToken $sluiceGiven"
        yield Connecting(lines=(*begin, line, *end), given=token)
    elif scheme != "serviceprincipal":
        raise TaskFailedError(f"PowerShell cannot connect with the scheme '{connection.scheme}'", where=connection.name)
    elif connection.text("authenticationType", "spnKey") != "spnCertificate":
        line = (
            f"$null = {principal} {tenant} -Credential ([pscredential]::new({application}, "
            "(ConvertTo-SecureString $sluiceGiven -AsPlainText -Force)))"
        )
        yield Connecting(lines=(*begin, line, *end), given=_needed(connection, "serviceprincipalkey"))
    else:
        password = Secret(secrets.token_urlsafe(24))
        run.mask(password)
        with _packed(run, _needed(connection, "servicePrincipalCertificate"), password) as path:
            line = (
                f"$null = {principal} {tenant} -ApplicationId {application} -CertificatePath {quoted(path)} "
                "-CertificatePassword (ConvertTo-SecureString $sluiceGiven -AsPlainText -Force)"
            )
            yield Connecting(lines=(*begin, line, *end), given=password)


def _context(connection: Connection) -> tuple[str, ...]:
    if connection.text("scopeLevel", "Subscription").casefold() == "managementgroup":
        return ()
    subscription, tenant = _text(connection, "subscriptionId"), _text(connection, "tenantid")
    return (f"$null = Set-AzContext -SubscriptionId {subscription} -TenantId {tenant}",)


def _environment(connection: Connection) -> str:
    name = connection.text("environment", DEFAULT)
    if name.casefold() == STACK.casefold():
        return f"(Add-AzEnvironment -Name {STACK} -ARMEndpoint {quoted(connection.url)}).Name"
    return quoted(name)


def _modules(run: TaskRun) -> list[str]:
    """The module, in the version that the inputs name; contexts of the user are left alone."""
    version = run.input("CustomTargetAzurePs").strip()
    named = (run.input("TargetAzurePs").strip() or "OtherVersion").casefold() == "otherversion" and bool(version)
    if named and not _VERSION.fullmatch(version):
        raise TaskFailedError(
            f"'{version[:40]}' is no version of Azure PowerShell", where=run.task, do="such as 12.1.0"
        )
    loaded = f"Import-Module Az -RequiredVersion {version} -Global" if named else "Import-Module Az.Accounts -Global"
    return ["$ErrorActionPreference = 'Stop'", loaded, "$null = Disable-AzContextAutosave -Scope Process"]


def _preference(run: TaskRun) -> str:
    chosen = run.input("errorActionPreference").strip() or "stop"
    if chosen.casefold() not in _PREFERENCES:
        raise TaskFailedError(
            f"Invalid ErrorActionPreference '{chosen}'. The value must be one of: stop, continue, silentlyContinue",
            where=run.task,
        )
    return chosen


def _script(run: TaskRun) -> str:
    kind = run.input("ScriptType").strip() or "FilePath"
    if kind.casefold() == "inlinescript":
        return run.input("Inline")
    if kind.casefold() != "filepath":
        raise TaskFailedError(f"Invalid script type '{kind}'. The value must be one of: FilePath, InlineScript")
    path = run.path("ScriptPath")
    if not run.input("ScriptPath").strip() or not path.is_file() or path.suffix.casefold() != ".ps1":
        raise TaskFailedError(f"Invalid file path '{path}'. A path to a .ps1 file is required.", where=run.task)
    return f". {quoted(path)} {run.input('ScriptArguments').strip()}".strip()


def _folder(run: TaskRun) -> Path:
    folder = run.path("workingDirectory")
    if not folder.is_dir():
        raise TaskFailedError(f"Not found workingDirectory: {folder}", where=run.task)
    return folder


def _text(connection: Connection, key: str) -> str:
    return quoted(connection.text(key))


def _needed(connection: Connection, key: str) -> Secret:
    found = connection.secret(key)
    if not found:
        do = f"store it: sluice connection update {connection.name} --secret {key}=-"
        raise TaskFailedError(f"the connection has no '{key}'", where=connection.name, do=do)
    return found


@contextlib.contextmanager
def _packed(run: TaskRun, pem: Secret, password: Secret) -> Iterator[Path]:
    """The certificate and its key as PowerShell takes them (PKCS#12), sealed with a password of this step alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    text = pem.reveal().encode()
    try:
        certificate, key = x509.load_pem_x509_certificate(text), serialization.load_pem_private_key(text, None)
        encryption = serialization.BestAvailableEncryption(password.reveal().encode())
        content = pkcs12.serialize_key_and_certificates(None, key, certificate, None, encryption)  # type: ignore[arg-type]  # a key of another kind is a ValueError
    except (ValueError, TypeError):
        raise TaskFailedError("the certificate of the connection cannot be used", where=run.task) from None
    path = run.temp / f"azure-{secrets.token_hex(8)}.pfx"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield path
    finally:
        path.unlink(missing_ok=True)
