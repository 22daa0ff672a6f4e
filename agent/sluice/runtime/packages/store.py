"""The installed task packages: one folder a version, and a lock file that says what each has to consist of.

`<root>/<Name>_<id>/<version>/` holds a package as it was installed, `<root>/lock.json` what was installed from where
and its digest. A package whose files are not those that were installed is not used. The lock file carries a code that
only this installation can make: who can write the file and has no key swaps no package.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sluice.errors import ConflictError, NotFoundError, SluiceError, StorageError, UsageError
from sluice.runtime.packages import archive
from sluice.runtime.packages.choosing import PROCESS
from sluice.runtime.packages.digest import digest_of, glance
from sluice.runtime.packages.lock_file import LOCK, Installed, Vouching, read_lock, write_lock
from sluice.runtime.packages.manifest import FILE, TaskManifest, read_manifest

SETTLED_NS = 200_000_000
"""So long a file has to lie still: two changes within one tick of the file system's clock look like one."""


class TaskStore:
    """The packages below one folder. Reading needs no lock: the lock file is replaced as a whole.

    `vouching` vouches for the lock file; the key may be missing until something is installed.
    """

    def __init__(self, root: Path, vouching: Vouching) -> None:
        self._root = root
        self._vouching = vouching
        self._cached: tuple[tuple[int, int], tuple[Installed, ...]] = ((0, 0), ())
        self._seen: dict[str, tuple[str, str]] = {}
        """By folder: the digest that was found right, and the glance at its files then. Of this process alone."""

    @property
    def all(self) -> tuple[Installed, ...]:
        """Every version of every task, by name, newest first. Where nothing was installed this is one look at the disk."""
        try:
            status = (self._root / LOCK).stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StorageError(
                "the list of installed tasks cannot be read", where=str(self._root), why=error.strerror or ""
            ) from error
        now = (status.st_mtime_ns, status.st_ino)
        if self._cached[0] != now:
            entries = sorted(
                read_lock(self._root / LOCK, self._vouching),
                key=lambda one: (one.name.lower(), one.id, [-part for part in one.version]),
            )
            self._cached = (now, tuple(entries))
        return self._cached[1]

    def find(self, name: str, version: str = "") -> Installed | None:
        """The newest installed version that a reference means: `2`, `2.*`, `2.173.1`, or any ('').

        Raises `ConflictError` when the name belongs to several tasks; of these one that came from no extension wins.
        """
        wanted = name.strip().lower()
        found = [one for one in self.all if wanted in one.names and _fits(one.version, version)]
        if len({one.id for one in found}) > 1:
            own = [one for one in found if not one.extension]
            found = own if len({one.id for one in own}) == 1 else found
        if len({one.id for one in found}) > 1:
            names = ", ".join(sorted({f"{one.full_name} ({one.id})" for one in found}))
            raise ConflictError(
                f"The task name {name} is ambiguous. "
                f"Specify one of the following identifiers to resolve the ambiguity: {names}"
            )
        return max(found, key=lambda one: one.version, default=None)

    def get(self, name: str, version: str = "") -> Installed:
        """As `find`; raises `NotFoundError` when there is none."""
        if found := self.find(name, version):
            return found
        known = ", ".join(sorted({one.reference for one in self.all})) or "none"
        written = f"{name}@{version}" if version else name
        raise NotFoundError(f"the task '{written}' is not installed", do=f"installed: {known}")

    @staticmethod
    def means(entry: Installed, version: str) -> bool:
        """Whether a version as written (`2`, `2.173.1`, '') takes in that of an entry."""
        return _fits(entry.version, version)

    def open(self, entry: Installed) -> Path:
        """The folder of a package that is what was installed; raises `ConflictError` when it was changed.

        Every file is read once in each process, later only looked at: nothing on the disk says that one was read,
        since whoever can change a package could write that too.
        """
        folder = self._root / entry.folder
        try:
            now, newest = glance(folder)
            if self._seen.get(entry.folder) == (entry.digest, now):
                return folder
            digest = digest_of(folder)
        except OSError as error:
            raise self._changed(entry, "files are missing or cannot be read") from error
        if digest != entry.digest:
            raise self._changed(entry, f"its digest is {digest[:16]}..., {entry.digest[:16]}... was installed")
        if time.time_ns() - newest > SETTLED_NS:
            self._seen[entry.folder] = (entry.digest, now)
        return folder

    def manifest(self, entry: Installed) -> TaskManifest:
        """The manifest of an unchanged package."""
        return read_manifest(self.open(entry))

    def install(
        self,
        fill: Callable[[Path], None],
        *,
        source: str,
        extension: str = "",
        contribution: str = "",
        preferred: bool | None = None,
    ) -> tuple[Installed, bool]:
        """Install what `fill` puts into a new folder. Answers it, and whether it is new.

        `preferred` None leaves it as it was.

        Raises `ConflictError` when this version is there already with other content, or was changed since.
        """
        with self._changing() as entries, self._scratch(source) as scratch:
            fill(scratch)
            manifest = read_manifest(scratch)
            _check_targets(scratch, manifest)
            new = Installed(
                name=manifest.name,
                id=manifest.id,
                version=manifest.version,
                digest=digest_of(scratch),
                source=source,
                extension=extension,
                contribution=contribution,
                preferred=bool(preferred),
            )
            old = next((one for one in entries if (one.id, one.version) == (new.id, new.version)), None)
            if old is not None and old.digest != new.digest:
                raise ConflictError(
                    f"{old.reference} {old.version_text} is installed with other content",
                    why="one version of a task never changes",
                    do=f"sluice task remove {old.name}@{old.version_text}, then install it again",
                )
            if old is None:
                _check_owner(new, entries)
                _check_name(new, entries)
                self._place(scratch, new)
            else:  # it stays whose it is
                self.open(old)
                new = replace(old, preferred=old.preferred if preferred is None else preferred)
            entries[:] = [one for one in entries if one is not old] + [new]
        return new, old is None

    def remove(self, chosen: Callable[[Installed], bool]) -> tuple[Installed, ...]:
        """Remove the versions that `chosen` names; answers them."""
        with self._changing() as entries:
            gone = tuple(one for one in entries if chosen(one))
            entries[:] = [one for one in entries if one not in gone]
        for one in gone:
            folder = self._root / one.folder
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_name(f"{one.version_text}.seen").unlink(missing_ok=True)  # of an older Sluice
            with contextlib.suppress(OSError):
                folder.parent.rmdir()
        return gone

    def prefer(self, entry: Installed, *, preferred: bool) -> Installed:
        """Record whether it runs instead of what Sluice or a plugin has."""
        new = replace(entry, preferred=preferred)
        with self._changing() as entries:
            entries[:] = [new if (one.id, one.version) == (entry.id, entry.version) else one for one in entries]
        return new

    def _place(self, scratch: Path, new: Installed) -> None:
        folder = self._root / new.folder
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        if folder.exists():  # left by an installation that did not come to its end
            shutil.rmtree(folder)
        scratch.rename(folder)

    @contextlib.contextmanager
    def _scratch(self, source: str) -> Iterator[Path]:
        """A folder to fill. What is wrong in it is told as a place in its source: nobody finds the folder later."""
        with tempfile.TemporaryDirectory(prefix=".new-", dir=self._root, ignore_cleanup_errors=True) as folder:
            scratch = Path(folder) / "package"
            try:
                yield scratch
            except SluiceError as error:
                if error.where is not None:
                    error.where = str(error.where).replace(str(scratch), source)
                raise

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Installed]]:
        """The entries, to be changed in place by one process at a time, and stored at the end."""
        import fcntl

        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._root / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                entries = list(read_lock(self._root / LOCK, self._vouching)) if (self._root / LOCK).exists() else []
                yield entries
                write_lock(self._root / LOCK, entries, self._vouching)
        except OSError as error:
            raise StorageError(
                "the installed tasks cannot be changed",
                where=str(error.filename or self._root),
                why=error.strerror or str(error),
            ) from error

    def _changed(self, entry: Installed, why: str) -> ConflictError:
        return ConflictError(
            f"the installed package of {entry.name}@{entry.version_text} was changed since it was installed",
            where=str(self._root / entry.folder),
            why=why,
            do=f"look at what changed it, then: sluice task remove {entry.name}@{entry.version_text}, "
            "and install it again",
        )


def fill_from(path: Path, limits: archive.Limits | None = None) -> Callable[[Path], None]:
    """Fills a folder with the one task in a folder or a zip."""

    def fill(target: Path) -> None:
        if path.is_dir():
            if not (path / FILE).is_file():
                raise UsageError(f"there is no {FILE} in this folder", where=str(path))
            archive.copy_folder(path, target, limits)
            return
        with archive.opened(path, limits) as opened:
            folders = task_folders(opened)
            if len(folders) != 1:
                raise UsageError(
                    f"the archive holds {len(folders)} tasks" if folders else f"there is no {FILE} in the archive",
                    where=str(path),
                    do="" if folders else "a task package is a folder with a task.json",
                )
            opened.extract(folders[0], target)

    return fill


def task_folders(opened: archive.Archive) -> list[str]:
    """The folders of an archive that have a manifest, outermost only; '' is its root."""
    folders = sorted(name[: -len(FILE)].rstrip("/") for name in opened.names if name.rpartition("/")[2] == FILE)
    found: list[str] = []
    for folder in folders:
        if "node_modules" in folder.split("/") or any(not one or folder.startswith(f"{one}/") for one in found):
            continue
        found.append(folder)
    return found


def _check_owner(new: Installed, entries: Sequence[Installed]) -> None:
    """An extension brings its own tasks only: a new version of another's would take that one's place in pipelines."""
    other = next((one for one in entries if one.id == new.id and one.extension != new.extension), None)
    if new.extension and other is not None:
        raise ConflictError(
            f"the task {new.name} ({new.id}) of {new.extension} is installed from elsewhere",
            why=f"it came with {other.extension or other.source}",
            do=f"if that is meant: sluice task remove {other.id}",
        )


def _check_name(new: Installed, entries: Sequence[Installed]) -> None:
    """An id belongs to one name: under another one the task would take the place of what pipelines name by its id."""
    from sluice.hooks.manager import installed
    from sluice.language.tasks import TaskCatalogue
    from sluice.runtime.handlers import CHECKOUT_ID

    catalogue = TaskCatalogue()
    known = [(one.id, one.name) for one in map(catalogue.find_own, catalogue.references()) if one is not None]
    known += [(one.id, one.reference.partition("@")[0]) for one in installed().tasks.values()]
    known += [(one.id, one.name) for one in entries]
    names = {name.lower(): name for id_, name in (*known, (CHECKOUT_ID, "Checkout")) if id_.lower() == new.id}
    if names and new.name.lower() not in names:
        raise ConflictError(
            f"the task {new.name} has the id {new.id}, which is that of {' and '.join(sorted(names.values()))}",
            why="a pipeline that names that task by its id would run this one",
            do="give the task an id of its own",
        )


def _check_targets(folder: Path, manifest: TaskManifest) -> None:
    """A handler's code lies in its package; a plain process may also be a program of the PATH, by its bare name."""
    for handlers in manifest.executions.values():
        for one in handlers:
            if one.target and not lies_within(folder, one.target, bare=one.kind.lower() == PROCESS):
                raise UsageError(
                    f"the target '{one.target}' of a handler lies outside the package", where=f"{FILE}, {one.kind}"
                )


def lies_within(folder: Path, target: str, *, bare: bool) -> bool:
    """Whether a handler's target is a path in the package, or, if `bare` names are meant too, just a name."""
    path = target.replace("\\", "/")
    if bare:
        path = re.sub(r"^\$\(currentDirectory\)/", "", path)
        if "/" not in path and path not in {".", ".."}:
            return True
    return os.path.normpath(folder / path).startswith(f"{folder}{os.sep}")


def _fits(version: tuple[int, int, int], wanted: str) -> bool:
    parts = [part for part in wanted.strip().split(".") if part != "*"] if wanted.strip() else []
    return len(parts) <= 3 and all(
        part.isdecimal() and int(part) == number for part, number in zip(parts, version, strict=False)
    )
