"""`DeleteFiles@1`: what patterns choose below a folder, files and folders."""

from __future__ import annotations

import os
from pathlib import Path

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.globbing import choose
from sluice.runtime.handlers.copy_files import remove
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope
from sluice.runtime.tree import walk


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Delete; a folder goes with all that is in it, but not one that holds something which a pattern keeps."""
    folder = inputs.path("SourceFolder")
    patterns = [line.strip() for line in inputs.text("Contents").splitlines() if line.strip()]
    if not patterns:
        raise TaskFailedError("Input required: Contents")
    if not folder.is_dir():
        scope.say(f"There is nothing to delete: {folder} is not there.")
        return
    try:
        names = sorted(item.name for item in walk(folder))
    except OSError as error:
        raise TaskFailedError(
            "The folder cannot be read", where=str(error.filename or folder), why=error.strerror or ""
        ) from error
    chosen = choose(names, folder, patterns, dot=inputs.flag("RemoveDotFiles"))
    if any(_excludes(pattern) for pattern in patterns):
        chosen = _without_kept(chosen, names)
    failed = False
    for name in sorted(chosen, key=len, reverse=True):
        if scope.stop.canceled:
            raise CanceledError("deleting was canceled")
        failed |= not _remove(scope, folder / name)
    if inputs.flag("RemoveSourceFolder") and not failed and not any(folder.iterdir()):
        failed = not _remove(scope, folder)
    if failed:
        raise TaskFailedError("Couldn't delete one or more files")


def _excludes(pattern: str) -> bool:
    return (len(pattern) - len(pattern.lstrip("!"))) % 2 == 1


def _without_kept(chosen: list[str], names: list[str]) -> list[str]:
    """Without the folders around what stays."""
    kept = set(names) - set(chosen)
    around = {os.path.dirname(name) for name in kept}  # noqa: PTH120  # of names, not of paths
    while parents := {os.path.dirname(name) for name in around if name} - around:  # noqa: PTH120  # as above
        around |= parents
    return [name for name in chosen if name not in around]


def _remove(scope: StepScope, path: Path) -> bool:
    try:
        remove(path)
    except OSError as error:
        scope.issue("error", f"{error.strerror}: {error.filename or path}")
        return False
    return True
