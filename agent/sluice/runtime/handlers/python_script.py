"""`PythonScript@0`: a script in place, or a file with arguments."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.hooks.arguments import split_arguments
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.script import run_script, script_file
from sluice.runtime.step_scope import StepScope


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Run it with the interpreter that is named, else with the `python` of the PATH."""
    folder = inputs.folder("workingDirectory")
    with _script(scope, inputs) as path:
        run_script(
            scope,
            inputs,
            (_interpreter(scope, inputs), os.fspath(path), *split_arguments(inputs.text("arguments"))),
            cwd=folder,
            program="Python",
            fail_on_stderr=inputs.flag("failOnStderr"),
        )


@contextlib.contextmanager
def _script(scope: StepScope, inputs: StepInputs) -> Iterator[Path]:
    if inputs.text("scriptSource", "filePath").strip().casefold() != "filepath":
        if not inputs.text("script").strip():
            raise TaskFailedError("The `script` parameter is required")
        with script_file(scope, inputs.text("script"), ".py") as path:
            yield path
        return
    if not inputs.text("scriptPath").strip():
        raise TaskFailedError("The `scriptPath` parameter is required")
    path = inputs.path("scriptPath")
    if not inputs.is_file(path):
        raise TaskFailedError(f"The given path was not to a file: '{path}'.")
    yield path


def _interpreter(scope: StepScope, inputs: StepInputs) -> str:
    environment = inputs.environment
    if named := inputs.text("pythonInterpreter").strip():
        find = inputs.place.find
        found = find(named, environment) or find(os.fspath(inputs.root / named), environment)
        if found is None:
            raise TaskFailedError(f"Unable to locate executable file: '{named}'", where="pythonInterpreter")
        return found
    if found := inputs.place.find("python", environment):
        return found
    if found := inputs.place.find("python3", environment):
        scope.debug("there is no 'python' on the PATH: 'python3' runs it")
        return found
    raise TaskFailedError(
        "Unable to locate executable file: 'python'",
        why="neither it nor 'python3' is on the PATH",
        do="install Python, or name one with pythonInterpreter",
    )
