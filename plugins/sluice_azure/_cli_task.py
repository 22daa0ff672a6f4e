"""`AzureCLI@2`: a script with `az` logged in as the identity of an Azure Resource Manager connection."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sluice.plugin import Connection, TaskFailedError, TaskRun, TokenEndpoint
from sluice_azure._az import Az, kept_active, opened

PWSH = "install PowerShell: https://learn.microsoft.com/powershell/scripting/install/installing-powershell"
_PREFERENCES = ("stop", "continue", "silentlycontinue")
_EXIT_CODE = (
    "if (!(Test-Path -LiteralPath variable:\\LASTEXITCODE)) {",
    "    Write-Host '##vso[task.debug]$LASTEXITCODE is not set.'",
    "} else {",
    "    Write-Host ('##vso[task.debug]$LASTEXITCODE: {0}' -f $LASTEXITCODE)",
    "    exit $LASTEXITCODE",
    "}",
)
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_MOST_ERRORS = 10
_LONGEST = 1000


def run_cli(run: TaskRun) -> None:
    """Log in, run the script, log out; the step fails with the script's exit status."""
    connection = run.connection("connectedServiceNameARM")
    federated = connection.scheme.casefold() == "workloadidentityfederation"
    keep_active = run.flag("keepAzSessionActive")
    if keep_active and not federated:
        raise TaskFailedError(
            f"keepAzSessionActive goes with workload identity federation alone, not with '{connection.scheme}'",
            where=run.task,
        )
    with contextlib.ExitStack() as stack:
        arguments = stack.enter_context(script_of(run))
        more = stack.enter_context(federation_environment(run, connection)) if federated else {}
        own = not run.flag("useGlobalConfig")
        az = stack.enter_context(opened(run, own=own, visible=run.flag("visibleAzLogin"), more=more))
        az.log_in(connection)
        if keep_active:
            stack.enter_context(kept_active(az, connection))
        _run_script(az, arguments, connection)


@contextlib.contextmanager
def federation_environment(run: TaskRun, connection: Connection) -> Iterator[dict[str, str]]:
    """What a script finds the identity by, to ask for tokens itself, as azure-identity's `AzurePipelinesCredential` does.

    Where there is a server, that answers; otherwise this step does, for as long as it runs.
    """
    found = {
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection.id,
        "AZURESUBSCRIPTION_CLIENT_ID": connection.text("serviceprincipalid"),
        "AZURESUBSCRIPTION_TENANT_ID": connection.text("tenantid"),
    }
    if run.environment.get("SYSTEM_OIDCREQUESTURI"):
        yield found
        return
    with TokenEndpoint([connection], path=_job_path(run)) as endpoint:
        run.mask(endpoint.key)
        found["SYSTEM_OIDCREQUESTURI"] = endpoint.url
        found["SYSTEM_ACCESSTOKEN"] = endpoint.key.reveal()
        yield found


def _job_path(run: TaskRun) -> str:
    hub, plan, job = (run.variable(name) for name in ("System.HostType", "System.PlanId", "System.JobId"))
    return f"{run.variable('System.TeamProjectId')}/_apis/distributedtask/hubs/{hub}/plans/{plan}/jobs/{job}"


def _run_script(az: Az, arguments: tuple[str, ...], connection: Connection) -> None:
    run = az.run
    environment = {**az.environment, **_identity(run, connection)}
    errors = _Errors() if run.flag("failOnStandardError") else None
    status = run.execute(
        arguments, folder=_folder(run), environment=environment, errors=errors.take if errors else None, script=True
    )
    if errors is not None and errors.pieces:
        raise TaskFailedError("Script has output to stderr. Failing as failOnStdErr is set to true.", why=errors.text())
    if status:
        raise TaskFailedError(f"Script failed with exit code: {status}", where=run.task)


def _identity(run: TaskRun, connection: Connection) -> dict[str, str]:
    """With addSpnToEnvironment the script finds the identity's secret, or a fresh identity token, in its environment."""
    scheme = connection.scheme.casefold() or "serviceprincipal"
    if not run.flag("addSpnToEnvironment") or scheme not in {"serviceprincipal", "workloadidentityfederation"}:
        return {}
    found = {"servicePrincipalId": connection.text("serviceprincipalid"), "tenantId": connection.text("tenantid")}
    if scheme == "serviceprincipal":
        key = connection.secret("serviceprincipalkey")
        return {**found, "servicePrincipalKey": key.reveal() if key else ""}
    token = connection.federated_token()
    run.mask(token)
    return {**found, "idToken": token.reveal()}


def _folder(run: TaskRun) -> Path:
    """Where the script works: as given, beside the script, or in the sources."""
    if run.input("cwd").strip():
        folder = run.path("cwd")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return run.path("scriptPath").parent if _is_file(run) else run.sources


def _is_file(run: TaskRun) -> bool:
    location = run.input("scriptLocation").strip() or "scriptPath"
    if location.casefold() not in {"scriptpath", "inlinescript"}:
        raise TaskFailedError(
            f"Invalid script location '{location}'. The value must be one of: inlineScript, scriptPath", where=run.task
        )
    return location.casefold() == "scriptpath"


@contextlib.contextmanager
def script_of(run: TaskRun) -> Iterator[tuple[str, ...]]:
    """The command line that runs the script; one that is written in place is a private file while it runs."""
    kind = run.required("scriptType").casefold()
    if kind not in {"bash", "pscore"}:
        what = f"scriptType '{run.input('scriptType')}' runs on Windows alone" if kind in {"ps", "batch"} else ""
        raise TaskFailedError(
            what
            or f"Invalid script type '{run.input('scriptType')}'. The value must be one of: bash, pscore, ps, batch",
            where=run.task,
            do="use bash, or pscore" if what else "",
        )
    suffix = ".sh" if kind == "bash" else ".ps1"
    more = run.input("scriptArguments").strip()
    file = _file(run, suffix) if _is_file(run) else None
    if kind == "bash":
        shell = run.program("bash", install="install bash")
        with (
            written(run, run.required("inlineScript"), suffix) if file is None else contextlib.nullcontext(file) as path
        ):
            yield shell, str(path), *shlex.split(more)
        return
    shell = run.program("pwsh", install=PWSH)
    text = _powershell(run, run.required("inlineScript") if file is None else f". {quoted(file)} {more}".strip())
    with written(run, f"\ufeff{text}", suffix) as path:
        yield shell, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", f". {quoted(path)}"


def _powershell(run: TaskRun, script: str) -> str:
    chosen = run.input("powerShellErrorActionPreference").strip() or "stop"
    if chosen.casefold() not in _PREFERENCES:
        raise TaskFailedError(
            f"Invalid ErrorActionPreference '{chosen}'. The value must be one of: stop, continue, silentlyContinue",
            where=run.task,
        )
    lines = [f"$ErrorActionPreference = '{chosen}'", "$ErrorView = 'NormalView'", script]
    return "\n".join([*lines, *(() if run.flag("powerShellIgnoreLASTEXITCODE") else _EXIT_CODE)])


def _file(run: TaskRun, suffix: str) -> Path:
    path = run.path("scriptPath") if run.required("scriptPath") else run.sources
    if not path.is_file() or path.suffix.casefold() != suffix:
        raise TaskFailedError(f"Invalid script path '{path}'. A path to a {suffix} file is required.", where=run.task)
    return path


def quoted(text: object) -> str:
    """A text as a literal of PowerShell, which takes typographic quotes for plain ones."""
    return "'" + _QUOTES.sub(r"\g<0>\g<0>", str(text)) + "'"


@contextlib.contextmanager
def written(run: TaskRun, text: str, suffix: str) -> Iterator[Path]:
    """A script in a file that only we may read, for as long as it runs."""
    # it may hold secrets in the place of macros, which are no business of the steps that follow
    descriptor, name = tempfile.mkstemp(prefix="azureclitaskscript", suffix=suffix, dir=run.temp)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


class _Errors:
    """The first pieces of what a script writes to its standard error stream."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def take(self, piece: bytes) -> None:
        if len(self.pieces) < _MOST_ERRORS:
            self.pieces.append(piece[:_LONGEST])

    def text(self) -> str:
        """As one line."""
        return " ".join(b"".join(self.pieces).decode("utf-8", "replace").split())[:_LONGEST]
