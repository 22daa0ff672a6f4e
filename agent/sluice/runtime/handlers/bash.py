"""`CmdLine@2` and `Bash@3`, as the tasks do it on Linux and macOS."""

from __future__ import annotations

from sluice.errors import TaskFailedError
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.script import BANNER, find_program, run_script, say_generated, script_file
from sluice.runtime.step_scope import StepScope

_INSTALL = "install it, such as with 'apt-get install bash' or 'apk add bash'"

COMMAND_LINE_DEFAULT = "echo Write your commands here\n\necho Hello world\n"
BASH_DEFAULT = "# Write your commands here\n\necho 'Hello world'\n"


def run_command_line(scope: StepScope, inputs: StepInputs) -> None:
    """`CmdLine@2`: a script in bash, without start-up files."""
    script = _required_script(inputs, COMMAND_LINE_DEFAULT)
    folder = inputs.folder("workingDirectory")
    say_generated(scope, script, BANNER)
    bash = find_program("bash", inputs, _INSTALL)
    with script_file(scope, script, ".sh") as path:
        run_script(
            scope,
            inputs,
            (bash, "--noprofile", "--norc", str(path)),
            cwd=folder,
            program="Bash",
            fail_on_stderr=inputs.flag("failOnStderr"),
        )


def run_bash(scope: StepScope, inputs: StepInputs) -> None:
    """`Bash@3`: a script in place, or a file with arguments."""
    folder = inputs.folder("workingDirectory")
    if start_up := inputs.text("bashEnvValue"):
        if known := inputs.environment.get("BASH_ENV"):
            scope.say(f"The BASH_ENV environment variable already has a value: '{known}'. It is now '{start_up}'.")
        inputs.environment["BASH_ENV"] = start_up
    if inputs.text("targetType", "filePath").casefold() == "filepath":
        script = _call(inputs)
        scope.say("Generating script.")
        scope.say(f"Formatted command: {script}")
    else:
        script = _required_script(inputs, BASH_DEFAULT)
        say_generated(scope, script)
    bash = find_program("bash", inputs, _INSTALL)
    scope.say(BANNER)
    with script_file(scope, script, ".sh") as path:
        strict = inputs.flag("failOnStderr")
        run_script(scope, inputs, (bash, str(path)), cwd=folder, program="Bash", fail_on_stderr=strict)


def _required_script(inputs: StepInputs, default: str) -> str:
    """The script; one that is not written at all is the task's default, as in the catalogue."""
    script = inputs.values.get("script", default)
    if not script.strip():
        raise TaskFailedError("Input required: script", do="write the commands to run")
    return script


def _call(inputs: StepInputs) -> str:
    if not inputs.text("filePath").strip():
        raise TaskFailedError("Input required: filePath")
    path = inputs.path("filePath")
    if not inputs.is_file(path):
        raise TaskFailedError(f"Invalid file path '{path}'.")
    quoted = str(path).replace("'", "'\\''")
    return f"exec bash '{quoted}' {inputs.text('arguments')}".strip()
