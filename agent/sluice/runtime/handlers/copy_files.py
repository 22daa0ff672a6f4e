"""`CopyFiles@2`: the files that patterns choose, from one folder to another."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.globbing import choose
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope
from sluice.runtime.tree import walk
from sluice.values import dataclass

T = TypeVar("T")


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Copy; what is there already stays unless `OverWrite` says otherwise."""
    source, target = inputs.folder("SourceFolder"), _target(inputs)
    patterns = inputs.text("Contents").splitlines()
    if not any(pattern.strip() for pattern in patterns):
        raise TaskFailedError("Input required: Contents")
    work = _Copy(scope, inputs, source, target)
    try:
        items = list(walk(source))
        names = sorted(item.name for item in items)
        chosen = choose(names, source, list(filter(_can_match, patterns)), braces=False, from_all=False)
        folders = {item.name for item in items if item.folder}
        files = [name for name in chosen if name not in folders]
        _all_there(source, files)
        scope.say(f"found {len(files)} files")
        if files:
            work.copy(files)
    except OSError as error:
        raise _failure(error, source) from error


def _can_match(pattern: str) -> bool:
    """Whether any name can match: the task takes `.` for the name of a folder, and a `/` at the end for one more."""
    parts = pattern.strip().split("/")
    return bool(parts[-1]) and "." not in [parts[0].lstrip("!").strip(), *parts[1:]]


def _all_there(source: Path, files: list[str]) -> None:
    """Nothing is copied, nor cleaned away, when one of the files is a link that leads nowhere."""
    for name in files:
        if not (source / name).exists():
            raise TaskFailedError(
                f'Entry "{source / name}" does not exist',
                why="it is a link that leads nowhere",
                do="leave it out with a pattern such as '!**/NAME'",
            )


def _target(inputs: StepInputs) -> Path:
    if not inputs.text("TargetFolder").strip():
        raise TaskFailedError("Input required: TargetFolder")
    return inputs.path("TargetFolder")


@dataclass(frozen=True, slots=True)
class _Copy:
    scope: StepScope
    inputs: StepInputs
    source: Path
    target: Path

    def copy(self, files: list[str]) -> None:
        inputs = self.inputs
        if inputs.flag("CleanTargetFolder"):
            self._clean()
        self._make(self.target)
        made = {self.target}
        for name in files:
            if self.scope.stop.canceled:
                raise CanceledError("copying was canceled")
            path = self.target / (name.rpartition("/")[2] if inputs.flag("flattenFolders") else name)
            if path.parent not in made:
                self._make(path.parent)
                made.add(path.parent)
            self._file(self.source / name, path)

    def _file(self, file: Path, target: Path) -> None:
        there = os.path.lexists(target)
        if there and target.is_dir():
            raise TaskFailedError(
                f"Unable to copy file {file} to {target}. The target path already exists as a directory."
            )
        if there and not self.inputs.flag("OverWrite"):
            self.scope.say(f"File {file} already exist at {target}")
            return
        self.scope.say(f"Copying {file} to {target}")
        self._retried(lambda: _put(file, target))
        if self.inputs.flag("preserveTimestamp") and not target.is_symlink():
            status = file.stat()
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _clean(self) -> None:
        target = self.target
        self.scope.say(f"Cleaning target folder: {target}")
        real, source = Path(os.path.realpath(target)), Path(os.path.realpath(self.source))
        if source == real or real in source.parents:
            raise TaskFailedError(
                f"The target folder is not cleaned: {target}",
                why=f"the files to copy lie in it ({self.source})",
                do="copy to a folder that does not hold SourceFolder",
            )
        if target.is_dir():
            for path in sorted(target.iterdir()):
                self._retried(lambda path=path: remove(path))  # type: ignore[misc]  # bound for this turn
        elif os.path.lexists(target):
            self._retried(lambda: remove(target))

    def _make(self, folder: Path) -> None:
        try:
            self._retried(lambda: folder.mkdir(parents=True, exist_ok=True))
        except OSError as error:
            if not self.inputs.flag("ignoreMakeDirErrors"):
                raise
            self.scope.say(
                f"Unable to create target folder ({folder}): {error.strerror}. "
                "Ignoring this as error since 'ignoreMakeDirErrors' is true."
            )

    def _retried(self, work: Callable[[], T]) -> T:
        """Do it as often as `retryCount` says, `delayBetweenRetries` milliseconds apart."""
        for _ in range(_number(self.inputs, "retryCount")):
            try:
                return work()
            except OSError as error:
                self.scope.say(f"{error.strerror}: {error.filename}. Trying again.")
                if self.scope.stop.wait(_number(self.inputs, "delayBetweenRetries") / 1000):
                    raise CanceledError("copying was canceled") from error
        return work()


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; what is gone already is no error."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _put(file: Path, target: Path) -> None:
    """A link to a file is copied as the link that it is."""
    if file.is_symlink():
        target.unlink(missing_ok=True)
        target.symlink_to(file.readlink())
        return
    if target.exists() and not os.access(target, os.W_OK):
        target.unlink()  # one that is read-only is replaced, as `cp -f` does it
    shutil.copyfile(file, target)
    shutil.copymode(file, target)


def _number(inputs: StepInputs, name: str) -> int:
    text = inputs.text(name).strip()
    return min(int(text), 86_400_000) if text.isdecimal() and text.isascii() else 0


def _failure(error: OSError, source: Path) -> TaskFailedError:
    return TaskFailedError(
        "The files cannot be copied", where=os.fspath(error.filename or source), why=error.strerror or str(error)
    )
