"""`DownloadSecureFile@1`: a secure file as a file of the job, which is removed when the job ends."""

from __future__ import annotations

import os

from sluice.errors import TaskFailedError
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope

OUTPUT = "secureFilePath"


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Write it to `Agent.TempDirectory`, where only this account may read it, and say where it is."""
    file = inputs.files.get("secureFile")
    if file is None:
        raise TaskFailedError("Input required: secureFile")
    path = scope.job.workspace.temp / file.name
    try:
        # never through a link, nor into a file that somebody else has open
        if path.is_symlink() or path.is_file():
            path.unlink()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(file.content)
    except OSError as error:
        raise TaskFailedError(
            "The secure file cannot be written", where=os.fspath(path), why=error.strerror or ""
        ) from error
    scope.say(f"Secure file '{file.name}' ({len(file.content)} bytes) is at {path} until the job ends.")
    scope.set_output(OUTPUT, os.fspath(path))
