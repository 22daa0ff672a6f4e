"""`CopyFilesOverSSH@0`: copy files to a folder of a remote host."""

from __future__ import annotations

import contextlib
import posixpath
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import paramiko

from sluice.plugin import CanceledError, TaskFailedError, TaskRun
from sluice_ssh._host import Host
from sluice_ssh._remote_files import (
    Failures,
    TransferError,
    attributes,
    clean_folder,
    forget,
    is_closed,
    is_folder,
    make_folders,
    temporary_beside,
    upload,
)
from sluice_ssh._ssh_task import connected, open_sftp

DEFAULT_UPLOADS = 10
MAX_UPLOADS = 64
DEFAULT_DELAY = 50
EVERYTHING = ("**",)
SHOWN_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Copy:
    """One file to bring to a place on the host."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The inputs of the task that are about the host."""

    target: str
    clean: bool
    clean_hidden: bool
    overwrite: bool
    uploads: int
    delay_seconds: float


def copy_files(run: TaskRun) -> None:
    """Copy what the inputs choose; raises `TaskFailedError` that says how many files failed, after trying all."""
    patterns = run.lines("contents")
    source = run.path("sourceFolder")
    options = _options(run, patterns)
    if not source.is_dir():
        raise TaskFailedError(f"Source folder has to be a valid folder path: {source}", where=run.task)
    copies = _copies(run, source, patterns, options.target, flatten=run.flag("flattenFolders"))
    if not copies and run.flag("failOnEmptySource"):
        raise TaskFailedError(_NOTHING, where=run.task)
    with connected(run) as host, contextlib.closing(open_sftp(host)) as sftp:
        try:
            _prepare(run, sftp, copies, options)
        except TransferError as error:
            raise TaskFailedError(str(error), where=host.connection.name) from None
        except Failures as error:
            raise TaskFailedError("the line to the host broke", where=host.connection.name, why=str(error)) from error
        if run.canceled:
            raise CanceledError("the copy was canceled", where=host.connection.name)
        if not copies:
            run.warn(_NOTHING)
            return
        run.say(f"Found {len(copies)} files to copy to the remote machine.")
        _Transfer(run, host, copies, options).work(sftp)


_NOTHING = "No files were found matching the patterns specified to copy to the remote machine."


def _options(run: TaskRun, patterns: Sequence[str]) -> Options:
    target = run.input("targetFolder").strip()
    if run.flag("isWindowsOnTarget"):
        target = _windows_path(target)
    if target == "~" or target.startswith("~/"):
        target = f".{target[1:]}"
    target = posixpath.normpath(target) if target else "."
    clean = run.flag("cleanTargetFolder")
    if clean and (target in {"/", "//"} or (run.flag("isWindowsOnTarget") and target.endswith(":"))):
        raise TaskFailedError("cleanTargetFolder is refused for the root of the remote machine", where=run.task)
    uploads = run.number("concurrentUploads", minimum=1) if run.input("concurrentUploads").strip() else DEFAULT_UPLOADS
    delay = run.number("delayBetweenUploads") if run.input("delayBetweenUploads").strip() else DEFAULT_DELAY
    # As the original: a whole folder goes without the queue that the delay belongs to.
    whole = tuple(patterns) == EVERYTHING and not run.flag("flattenFolders")
    return Options(
        target=target,
        clean=clean,
        clean_hidden=run.flag("cleanHiddenFilesInTarget"),
        overwrite=run.flag("overwrite"),
        uploads=min(uploads, MAX_UPLOADS),
        delay_seconds=0 if whole else delay / 1000,
    )


def _windows_path(path: str) -> str:
    r"""`C:\sites\app` as its SFTP server spells it: `/C:/sites/app`."""
    path = path.replace("\\", "/")
    return f"/{path}" if path[1:2] == ":" else path


def _copies(run: TaskRun, source: Path, patterns: Sequence[str], target: str, *, flatten: bool) -> list[Copy]:
    root = source.resolve()
    copies: dict[str, Copy] = {}
    for path in run.files(source, patterns):
        real = path.resolve()
        if real != root and root not in real.parents:
            raise TaskFailedError(
                f"{path} is a link that leads out of the source folder", where=run.task, why=f"it leads to {real}"
            )
        name = path.name if flatten else PurePosixPath(path.relative_to(source)).as_posix()
        place = posixpath.join(target, name) if target != "." else name
        if place in copies:
            raise TaskFailedError(
                f"two files would be copied to {place}: {copies[place].source} and {path}",
                where=run.task,
                do="choose one by contents, or set flattenFolders: false",
            )
        copies[place] = Copy(path, place)
    return list(copies.values())


def _prepare(run: TaskRun, sftp: paramiko.SFTPClient, copies: Sequence[Copy], options: Options) -> None:
    """Clean the target folder and make the folders that are needed."""
    found = attributes(sftp, options.target)
    if found is not None and not is_folder(found):
        raise TransferError(f"the target folder {options.target} is a file on the remote machine")
    if found is not None and options.clean:
        run.say(f"Cleaning target folder {options.target} on the remote machine")
        clean_folder(sftp, options.target, hidden=options.clean_hidden, canceled=lambda: run.canceled)
    if copies and not run.canceled:
        made = make_folders(sftp, {posixpath.dirname(copy.target) for copy in copies})
        for folder in made:
            run.say(f"Created folder {folder} on the remote machine.")


class _Transfer:
    """Copies files over several sessions of one connection at a time."""

    def __init__(self, run: TaskRun, host: Host, copies: Sequence[Copy], options: Options) -> None:
        self._run = run
        self._host = host
        self._options = options
        self._total = len(copies)
        self._lock = threading.Lock()
        self._waiting = iter(copies)
        self._next_start = time.monotonic()
        self._done = 0
        self._percent = -1
        self._errors: list[str] = []
        self._broken = False
        self._wake = threading.Event()

    def work(self, first: paramiko.SFTPClient) -> None:
        """Copy all; raises when some failed, or when the work was canceled."""
        self._run.on_cancel(self._wake.set)
        with contextlib.ExitStack() as sessions, ThreadPoolExecutor(min(self._options.uploads, self._total)) as pool:
            futures = [pool.submit(self._take, first)]
            futures += [pool.submit(self._take, sftp) for sftp in self._more_sessions(sessions)]
            for future in futures:
                future.result()
        if self._run.canceled:
            raise CanceledError(
                f"the copy was canceled after {self._done} of {self._total} files", where=self._host.connection.name
            )
        if self._errors:
            for error in self._errors[:SHOWN_ERRORS]:
                self._run.error(error)
            raise TaskFailedError(f"Failed to copy {len(self._errors)} files", where=self._host.connection.name)
        if self._broken or self._done < self._total:
            raise TaskFailedError(
                f"the line to the host broke after {self._done} of {self._total} files",
                where=self._host.connection.name,
            )
        self._run.say(f"Completed copying {self._done} files to the remote machine.")

    def _more_sessions(self, sessions: contextlib.ExitStack) -> Iterator[paramiko.SFTPClient]:
        """Sessions beside the first; a host that grants fewer gets fewer uploads at a time."""
        for _ in range(min(self._options.uploads, self._total) - 1):
            try:
                yield sessions.enter_context(contextlib.closing(open_sftp(self._host)))
            except TaskFailedError:
                return

    def _take(self, sftp: paramiko.SFTPClient) -> None:
        """Copy one file after the other until none is left, or the host grants no session any more."""
        with contextlib.ExitStack() as sessions:
            while (copy := self._next()) is not None:
                temporary = temporary_beside(copy.target)
                if self._copy(sftp, copy, temporary) or not is_closed(sftp):
                    continue
                try:
                    sftp = sessions.enter_context(contextlib.closing(open_sftp(self._host)))
                except TaskFailedError:
                    return
                forget(sftp, temporary)

    def _copy(self, sftp: paramiko.SFTPClient, copy: Copy, temporary: str) -> bool:
        """Copy one file; false when that failed."""
        self._run.say(f"Copying file {copy.source} to {copy.target} on remote machine.")
        try:
            size = upload(
                sftp,
                copy.source,
                copy.target,
                temporary=temporary,
                overwrite=self._options.overwrite,
                canceled=lambda: self._run.canceled,
            )
        except (TransferError, *Failures) as error:
            self._note_error(copy, error)
            return False
        if size is not None:
            self._note_done()
        return True

    def _next(self) -> Copy | None:
        with self._lock:
            if self._run.canceled or self._broken:
                return None
            copy = next(self._waiting, None)
            start = max(self._next_start, time.monotonic())
            self._next_start = start + self._options.delay_seconds
        if copy is None or self._wake.wait(max(0.0, start - time.monotonic())):
            return None
        return copy

    def _note_error(self, copy: Copy, error: Exception) -> None:
        with self._lock:
            self._errors.append(f"Failed to copy {copy.source}. {str(error) or type(error).__name__}")
            self._broken = self._broken or not self._host.transport.is_active()

    def _note_done(self) -> None:
        with self._lock:
            self._done += 1
            percent = self._done * 100 // self._total
            if percent == self._percent:
                return
            self._percent = percent
            self._run.progress(percent, f"copied {self._done} of {self._total} files")
