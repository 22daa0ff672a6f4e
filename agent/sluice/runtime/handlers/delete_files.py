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
    if inputs.flag("BuildCleanup") and any(name.rpartition("/")[2].casefold() == "000admin" for name in names):
        scope.issue("warning", f"Skipping delete for symbol store file share: {folder}")
        return
    below = [one for pattern in patterns if (one := _below(folder, pattern))]
    chosen = choose(names, folder, below, dot=inputs.flag("RemoveDotFiles"), from_all=False)
    if any(_joined(folder, pattern) == (0, str(folder)) for pattern in patterns):
        chosen, names = ["", *chosen], ["", *names]
    if any(_excludes(pattern) for pattern in patterns):
        chosen = _without_kept(chosen, names)
    failed = False
    for name in sorted(chosen, key=len, reverse=True):
        if scope.stop.canceled:
            raise CanceledError("deleting was canceled")
        failed |= not _remove(scope, folder / name)
    if inputs.flag("RemoveSourceFolder") and not failed and folder.is_dir() and not any(folder.iterdir()):
        failed = not _remove(scope, folder)
    if failed:
        raise TaskFailedError("Couldn't delete one or more files")


def _joined(folder: Path, pattern: str) -> tuple[int, str]:
    """How many `!` a pattern begins with, and the rest joined to the folder: as the task does it, also when absolute."""
    body = pattern.lstrip("!")
    path = os.path.normpath(f"{folder}/{body}")
    return len(pattern) - len(body), f"{path}/" if body.endswith("/") else path


def _below(folder: Path, pattern: str) -> str:
    """The pattern for names below the folder; empty for one that none of them matches."""
    marks, path = _joined(folder, pattern)
    if path.endswith("/") or not path.startswith(f"{folder}/"):
        return ""
    return f"{'!' * marks}./{path[len(str(folder)) + 1 :]}"


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
