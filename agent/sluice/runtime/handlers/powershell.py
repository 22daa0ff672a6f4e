"""`PowerShell@2`, as the task does it on Linux and macOS: with `pwsh`."""

from __future__ import annotations

from sluice.errors import TaskFailedError
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.script import BANNER, find_program, run_script, script_file
from sluice.runtime.step_scope import StepScope

_INSTALL = "install PowerShell: https://learn.microsoft.com/powershell/scripting/install/installing-powershell"
DEFAULT = '# Write your PowerShell commands here.\n\nWrite-Host "Hello World"\n'
"""What an inline script is that is not written at all, as in the catalogue."""

_CHOICES = ("stop", "continue", "silentlycontinue")
_PREFERENCES = {
    "warningPreference": "WarningPreference",
    "informationPreference": "InformationPreference",
    "verbosePreference": "VerbosePreference",
    "debugPreference": "DebugPreference",
    "progressPreference": "ProgressPreference",
}
_EXIT_CODE = (
    "if (!(Test-Path -LiteralPath variable:\\LASTEXITCODE)) {",
    "    Write-Host '##vso[task.debug]$LASTEXITCODE is not set.'",
    "} else {",
    "    Write-Host ('##vso[task.debug]$LASTEXITCODE: {0}' -f $LASTEXITCODE)",
    "    exit $LASTEXITCODE",
    "}",
)


def run(scope: StepScope, inputs: StepInputs) -> None:
    """`PowerShell@2`: a script in place, or a `.ps1` file with arguments."""
    folder = inputs.folder("workingDirectory")
    lines = [*_preferences(inputs)]
    kind = inputs.text("targetType", "filePath").casefold()
    if kind == "filepath":
        lines.append(_call(inputs))
        scope.say("Generating script.")
        scope.say(f"Formatted command: {lines[-1]}")
    elif kind == "inline":
        scope.say("Generating script.")
        lines.append(inputs.values.get("script", DEFAULT))
    else:
        raise TaskFailedError(
            f"Invalid target type '{inputs.text('targetType')}'. The value must be one of: FilePath, Inline"
        )
    if not inputs.flag("ignoreLASTEXITCODE"):
        lines.extend(_EXIT_CODE)
    shell = find_program("pwsh", inputs, _INSTALL)
    scope.say(BANNER)
    with script_file(scope, "\ufeff" + "\n".join(lines), ".ps1") as path:
        quoted = inputs.place.inner(str(path)).replace("'", "''")
        run_script(
            scope,
            inputs,
            (shell, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", f". '{quoted}'"),
            cwd=folder,
            program="PowerShell",
            fail_on_stderr=inputs.flag("failOnStderr"),
        )


def _preferences(inputs: StepInputs) -> list[str]:
    chosen = inputs.text("errorActionPreference", "stop")
    if chosen.casefold() not in {*_CHOICES, "default"}:
        raise TaskFailedError(
            f"Invalid ErrorActionPreference '{chosen}'. The value must be one of: 'Stop', 'Continue', or 'SilentlyContinue'"
        )
    lines = [] if chosen.casefold() == "default" else [f"$ErrorActionPreference = '{chosen}'"]
    for name, variable in _PREFERENCES.items():
        value = inputs.text(name, "default").casefold()
        if value in _CHOICES:
            lines.append(f"${variable} = '{value}'")
    return lines


def _call(inputs: StepInputs) -> str:
    if not inputs.text("filePath").strip():
        raise TaskFailedError("Input required: filePath")
    path = inputs.path("filePath")
    if not inputs.is_file(path) or path.suffix.casefold() != ".ps1":
        raise TaskFailedError(f"Invalid file path '{path}'. A path to a .ps1 file is required.")
    quoted = str(path).replace("'", "''")
    return f". '{quoted}' {inputs.text('arguments')}".strip()
