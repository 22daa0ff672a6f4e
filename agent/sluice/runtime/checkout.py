"""Checkout of the repository that a run was started from: its last commit, and on top what is not committed yet."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.git import Git
from sluice.runtime.workspace import empty, remove
from sluice.values import dataclass

MAX_FILES = 20_000
"""Files that are copied at most where git does not do the work."""

MAX_BYTES = 1 << 30
"""Bytes that are copied at most where git does not do the work."""

_USERINFO = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/@]*@", re.IGNORECASE)


class UnfitFolderError(TaskFailedError):
    """A folder that is no git repository and cannot be copied as it is; nothing of it was copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a checkout is asked for; `depth` 0 is the whole history, `submodules` is '', `true` or `recursive`.

    The others count where a server is asked: `filter` is that of a partial clone, `directories` and `patterns` say what
    of the tree is wanted, `lfs` fetches large files, `persist` lets the git of later steps use the credentials.
    """

    clean: bool = False
    depth: int = 0
    tags: bool = True
    submodules: str = ""
    filter: str = ""
    directories: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    lfs: bool = False
    persist: bool = False


@dataclass(kw_only=True)
class Checkout:
    """Fills one folder from one repository. `avoid` are folders that are never copied: Sluice's own."""

    source: Path
    target: Path
    avoid: Sequence[Path]
    environ: Mapping[str, str]
    cancellation: Cancellation
    options: Options = field(default_factory=Options)
    notes: list[str] = field(default_factory=list)
    """What a person should know, in the order it was noticed."""

    def run(self) -> str:
        """Do it; answers the commit, or '' for a plain copy."""
        self.avoid = [path.resolve() for path in self.avoid]
        if self.options.clean:
            empty(self.target)
        git = shutil.which("git", path=self.environ.get("PATH"))
        if not (self.source / ".git").exists() and not _inside_repository(self.source):
            try:
                chosen = self._chosen(self._walk())
            except (TaskFailedError, PermissionError) as error:
                raise _unfit(error) from error
            self._copy_all(chosen)
            return ""
        if git is None:
            self.notes.append("git is not installed: the files are copied, without history")
            self._copy(self._walk())
            return ""
        commit = self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", of=self.source, may_fail=True).strip()
        if not commit:
            listed = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard", of=self.source)
            self._copy(dict.fromkeys(name for name in listed.split("\0") if name))
            return ""
        self._clone(commit)
        self._overlay()
        if self.options.submodules:
            self._submodules()
        return commit

    def _clone(self, commit: str) -> None:
        source = self._git("rev-parse", "--show-toplevel", of=self.source).rstrip("\n")
        tags = () if self.options.tags else ("--no-tags",)
        if (self.target / ".git").is_dir():
            self._git("fetch", "--quiet", "--force", *tags, source, commit, of=self.target)
        else:
            empty(self.target)
            # Without --depth the objects are linked, not copied: git never changes an object once it is written.
            how = ("--no-local", "--depth", str(self.options.depth)) if self.options.depth else ("--local",)
            self._git(
                "clone", "--quiet", *how, *tags, "--template=", "--no-checkout", "--", source, os.fspath(self.target)
            )
            self._name_origin()
        self._git("checkout", "--quiet", "--force", "--detach", commit, of=self.target)
        if prefix := self._git("rev-parse", "--show-prefix", of=self.source).strip():
            self.notes.append(f"the pipeline lies in '{prefix}' of its repository, which is checked out whole")
            self.source = Path(source)

    def _name_origin(self) -> None:
        """`origin` is what it is in the source, without what may be a password in it."""
        url = self._git("config", "--get", "remote.origin.url", of=self.source, may_fail=True).strip()
        if url:
            self._git("remote", "set-url", "origin", _USERINFO.sub(r"\1", url), of=self.target)

    def _overlay(self) -> None:
        """Bring over what differs from the commit: changed, added and deleted files that are not ignored."""
        status = self._git(
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=all",
            of=self.source,
        )
        changed = [entry[3:] for entry in status.split("\0") if len(entry) > 3]
        for name in changed:
            if not os.path.lexists(self.source / name):
                remove(_below(self.target, name))
        self._copy([name for name in changed if os.path.lexists(self.source / name)])

    def _submodules(self) -> None:
        """Each submodule from its own folder in the source: no network, no other repository's credentials."""
        listed = self._git(
            "config", "--file", ".gitmodules", "-z", "--get-regexp", r"\.path$", of=self.source, may_fail=True
        )
        for entry in listed.split("\0"):
            name = entry.partition("\n")[2]
            if not name or _escapes(name):
                continue
            if not (self.source / name / ".git").exists():
                self.notes.append(f"the submodule '{name}' is not initialised in {self.source}: it is left empty")
                continue
            nested = Checkout(
                source=self.source / name,
                target=_below(self.target, name),
                avoid=self.avoid,
                environ=self.environ,
                cancellation=self.cancellation,
                options=Options(submodules="recursive" if self.options.submodules == "recursive" else ""),
            )
            nested.run()
            self.notes.extend(nested.notes)

    def _copy(self, names: Iterable[str]) -> None:
        """Copy files by name, after looking whether they are few and small enough."""
        self._copy_all(self._chosen(names))

    def _chosen(self, names: Iterable[str]) -> list[str]:
        chosen: list[str] = []
        size = 0
        for name in names:
            path = self.source / name
            if self._avoided(path) or _escapes(name):
                continue
            state = os.lstat(path)
            if stat.S_ISDIR(state.st_mode):
                self.notes.append(f"'{name}' is a repository of its own and not a submodule: it is left out")
                continue
            chosen.append(name)
            size += state.st_size
            if len(chosen) > MAX_FILES or size > MAX_BYTES:
                raise TaskFailedError(
                    f"{self.source} has more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB that would have to be copied",
                    do="write 'checkout: none', or put it under git ('git init', and a commit) and ignore what is not source",
                )
        return chosen

    def _copy_all(self, names: Iterable[str]) -> None:
        for name in names:
            if self.cancellation.canceled:
                return
            _copy_file(self.source / name, _below(self.target, name))

    def _walk(self) -> Iterator[str]:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(self.source / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if not entry.is_dir(follow_symlinks=False):
                        yield name
                    elif name != ".git" and not self._avoided(Path(entry.path)):
                        waiting.append(name)

    def _avoided(self, path: Path) -> bool:
        return any(path == avoided or avoided in path.parents for avoided in self.avoid)

    def _git(self, *arguments: str, of: Path | None = None, may_fail: bool = False) -> str:
        git = Git(environ=self.environ, cancellation=self.cancellation, cwd=self.target.parent)
        return git(*arguments, of=of, may_fail=may_fail)


def _unfit(error: TaskFailedError | PermissionError) -> UnfitFolderError:
    if isinstance(error, TaskFailedError):
        return UnfitFolderError(error.what, do=error.do)
    return UnfitFolderError(
        f"{error.filename} cannot be read",
        why=error.strerror or "",
        do="write 'checkout: none', or keep the pipeline in a folder of its own",
    )


def _inside_repository(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in folder.absolute().parents)


def _escapes(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or name.split("/", maxsplit=1)[0] == ".git"


def _below(root: Path, name: str) -> Path:
    """A path below `root` whose folders are real ones: a link on the way would lead the copy somewhere else."""
    path = root
    for part in name.rstrip("/").split("/")[:-1]:
        path /= part
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            path.unlink()
        if not path.exists():
            path.mkdir()
    return path / name.rstrip("/").rpartition("/")[2]


def _copy_file(source: Path, target: Path) -> None:
    """A link is copied as a link; pipes, sockets and devices are no source and are left out."""
    state = os.lstat(source)
    if target.is_symlink() or target.exists():
        remove(target)
    if stat.S_ISLNK(state.st_mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISREG(state.st_mode):
        shutil.copyfile(source, target, follow_symlinks=False)
        target.chmod(stat.S_IMODE(state.st_mode) | stat.S_IWUSR)
        os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
