"""The folders of a job: its workspace, its private temporary folder, and what older jobs left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from sluice.errors import SluiceError
from sluice.runtime.originals import put_back
from sluice.runtime.orphans import kill_orphans, lookup_id
from sluice.runtime.predefined import TOOL_SETTINGS
from sluice.runtime.request import JobRequest
from sluice.values import dataclass

SUSPENDED = "suspended"
SUSPENDED_DAYS = 30
"""So long the private folder of a suspended job is kept."""

_LOCK_SECONDS = 2.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class WorkspaceError(SluiceError):
    """The folders of a job cannot be made."""

    reference = "workspace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where a job works. `temp` and what is below belongs to this job alone (0700) and goes with it."""

    work: Path
    root: Path
    temp: Path

    @property
    def sources(self) -> Path:
        """`Build.SourcesDirectory`."""
        return self.root / "s"

    def variables(self) -> Mapping[str, str]:
        """The predefined variables that name these folders."""
        work, root, temp = os.fspath(self.work), os.fspath(self.root), os.fspath(self.temp)
        artifacts, sources = f"{root}/a", f"{root}/s"
        return {
            "Agent.WorkFolder": work,
            "Agent.RootDirectory": work,
            "System.WorkFolder": work,
            "Agent.HomeDirectory": os.path.dirname(work),  # noqa: PTH120  # texts throughout: this is on every start
            "Agent.TempDirectory": temp,
            "Agent.ToolsDirectory": f"{work}/_tool",
            "Agent.BuildDirectory": root,
            "Pipeline.Workspace": root,
            "Build.ArtifactStagingDirectory": artifacts,
            "Build.StagingDirectory": artifacts,
            "System.ArtifactsDirectory": artifacts,
            "Build.BinariesDirectory": f"{root}/b",
            "Common.TestResultsDirectory": f"{root}/TestResults",
            "Build.SourcesDirectory": sources,
            "Build.Repository.LocalPath": sources,
            "System.DefaultWorkingDirectory": sources,
        }

    def tool_settings(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Where tools keep log-ins: in the private folder, unless the host's own environment says where."""
        return {name: f"{self.temp}/.tools/{path}" for name, path in TOOL_SETTINGS.items() if name not in environ}


@contextlib.contextmanager
def open_workspace(request: JobRequest) -> Iterator[tuple[Workspace, Lease]]:
    """The folders of a job, made and cleaned as it asks. Left: the private folder goes, unless the lease keeps it.

    Raises `WorkspaceError` when the disk does not let us.
    """
    workspace = Workspace(
        work=request.work,
        root=request.workspace,
        temp=request.work / "_temp" / _UNSAFE.sub("_", f"{request.run_id}-{request.id}-{request.attempt}"),
    )
    lease: Lease | None = None
    try:
        _make(request.work, request.work / "_temp", request.work / "_tool")
        sweep(request.work)
        lease = Lease.take(workspace.temp, lookup_id(request))
        _prepare(request, workspace)
    except OSError as error:
        if lease is not None:
            lease.give_back()
        raise WorkspaceError(
            "the job's folders cannot be made", where=str(error.filename or request.work), why=error.strerror or ""
        ) from error
    try:
        yield workspace, lease
    finally:
        lease.give_back()


class Lease:
    """Says, as long as this process lives, that a private folder is in use: a lock on the file beside it."""

    def __init__(self, folder: Path, lock: Path, fd: int) -> None:
        self._folder = folder
        self._lock = lock
        self._fd = fd
        self._keep = False

    @classmethod
    def take(cls, folder: Path, lookup: str) -> Lease:
        """Take the folder; raises `WorkspaceError` when a living process has it."""
        lock = folder.with_name(f"{folder.name}.lock")
        # Whoever sweeps holds a lock for a moment, to see whether it can be had.
        end = time.monotonic() + _LOCK_SECONDS
        for _ in range(100):
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            while not _lock(fd):
                if time.monotonic() > end:
                    os.close(fd)
                    raise WorkspaceError("the job is being run by another process", where=os.fspath(folder))
                time.sleep(0.005)
            # Somebody may have swept the file away between opening and locking.
            with contextlib.suppress(FileNotFoundError):
                if lock.stat().st_ino == os.fstat(fd).st_ino:
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, lookup.encode(), 0)
                    return cls(folder, lock, fd)
            os.close(fd)
        raise WorkspaceError("the job's private folder cannot be locked", where=os.fspath(folder))

    def keep(self) -> None:
        """The job is suspended: keep the folder for when it goes on."""
        self._keep = True

    def give_back(self) -> None:
        """End the lease; the folder goes with it unless it is kept."""
        if self._fd < 0:
            return
        if self._keep:
            os.pwrite(self._fd, SUSPENDED.encode().ljust(64), 0)
        else:
            put_back(self._folder)
            remove(self._folder)
            with contextlib.suppress(OSError):
                self._lock.unlink()
        os.close(self._fd)
        self._fd = -1


def sweep(work: Path) -> None:
    """Remove the private folders of jobs whose process is gone, end what those jobs left running, undo their changes."""
    with os.scandir(work / "_temp") as entries:
        paths = [entry.path for entry in entries]
    for lock in paths:
        if lock.endswith(".lock"):
            with contextlib.suppress(OSError):
                _sweep(Path(lock))
    for note in paths:
        if note.endswith(".containers"):
            with contextlib.suppress(OSError):
                _sweep_containers(Path(note))


def remove(folder: Path) -> None:
    """Remove a folder or file with all that it holds, as far as possible; links are not followed."""

    def make_writable(function: object, path: str, error: object) -> None:
        # A folder without write permission keeps what it holds.
        with contextlib.suppress(OSError):
            parent = os.path.dirname(path)  # noqa: PTH120
            os.chmod(parent, stat.S_IRWXU)  # noqa: PTH101
            if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
                os.chmod(path, stat.S_IRWXU)  # noqa: PTH101
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)  # noqa: PTH108
        del function, error

    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
    elif folder.exists():
        shutil.rmtree(folder, onerror=make_writable)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def empty(folder: Path) -> None:
    """Remove all that a folder holds, and see that it is there."""
    if folder.is_symlink() or not folder.is_dir():
        remove(folder)
        folder.mkdir(parents=True)
        return
    with os.scandir(folder) as entries:
        paths = [Path(entry.path) for entry in entries]
    for path in paths:
        remove(path)


def _prepare(request: JobRequest, workspace: Workspace) -> None:
    root = workspace.root
    if request.progress is None:
        if workspace.temp.exists():
            remove(workspace.temp)
        if os.path.lexists(root):
            _clean(root, request.workspace_clean.casefold())
    _make(root, *(root / name for name in ("s", "a", "b", "TestResults")))
    _make(workspace.temp, workspace.temp / ".tools", mode=0o700)
    for path in TOOL_SETTINGS.values():
        if "/" in path:
            _make((workspace.temp / ".tools" / path).parent, mode=0o700)


def _clean(root: Path, what: str) -> None:
    """What an earlier attempt of the job has left in its workspace goes as far as the job asks."""
    if what == "all":
        empty(root)
    for name, when in (("b", what == "outputs"), ("s", what == "resources"), ("a", True), ("TestResults", True)):
        if when and (root / name).exists():
            empty(root / name)


def _make(*folders: Path, mode: int = 0o777) -> None:
    for folder in folders:
        try:
            os.mkdir(folder, mode)  # noqa: PTH102  # a plain call: this is on the way of every job
        except FileExistsError:
            if not folder.is_dir():
                raise
        except FileNotFoundError:
            folder.mkdir(mode, parents=True)


def _sweep(lock: Path) -> None:
    fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not _lock(fd):
            return
        text = os.pread(fd, 200, 0).decode("ascii", "replace").strip()
        if text == SUSPENDED and time.time() - os.fstat(fd).st_mtime < SUSPENDED_DAYS * 86400:
            return
        if text.startswith("vsts_"):
            kill_orphans(text)
        put_back(lock.with_suffix(""))
        remove(lock.with_suffix(""))
        lock.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _sweep_containers(note: Path) -> None:
    """Containers of a job whose process is gone: it held a lock for as long as it lived."""
    from sluice.runtime.containers import leftovers

    lock = note.with_name(f"{note.name.removesuffix(leftovers.SUFFIX)}.lock")
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if not _lock(fd):
                return
        finally:
            os.close(fd)
    leftovers.remove(note)


def _lock(fd: int) -> bool:
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
