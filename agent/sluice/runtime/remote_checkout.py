"""Checkout of a repository from a git server: one commit of it, with credentials that are gone when the job is."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import field, replace
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.checkout import Options
from sluice.runtime.git import Git, GitFailedError, write_settings
from sluice.runtime.remote import Remote
from sluice.runtime.revisions import resolve
from sluice.runtime.workspace import empty, remove
from sluice.values import dataclass

_DATA = (
    "objects",
    "refs/remotes",
    "refs/tags",
    "index",
    "shallow",
    "info/sparse-checkout",
    "lfs/objects",
)
"""What of a repository is data: no settings, no hooks, no attributes, no replaced objects."""

HEADS = "+refs/heads/*:refs/remotes/origin/*"


@dataclass(kw_only=True)
class RemoteCheckout:
    """Fills one folder from one repository. `ref` and `commit` are what the run is about, `commit` may be ''.

    `private` is a folder (0700) that goes with the job; what credentials have to be in a file lies there.
    """

    remote: Remote
    ref: str
    commit: str
    target: Path
    private: Path
    git: Git
    options: Options
    repository: Path = field(default=Path(), init=False)
    """Where the repository is until it is complete."""

    def run(self) -> str:
        """Do it; answers the commit. Raises `GitFailedError` with what the server's or git's words mean.

        Commands with credentials run in a repository of our own, with settings that no step has written, until the
        commit is checked out; only then it becomes the folder's `.git`.
        """
        if self.options.lfs and not self._git_lfs():
            raise TaskFailedError(
                "git-lfs is not installed", do="install it (apt-get install git-lfs) or leave 'lfs' out"
            )
        self.private.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".checkout-", dir=self.private, ignore_cleanup_errors=True) as scratch:
            self.repository = Path(scratch) / ".git"
            self._begin(Path(scratch))
            try:
                self._fetch_and_check_out()
            finally:
                remove(self.target / ".git")
                shutil.move(self.repository, self.target / ".git")
        self._complete()
        return self.commit

    def _fetch_and_check_out(self) -> None:
        full = ""
        if self.commit:
            full = self.ref if self.ref.startswith("refs/") else ""
        else:
            self.commit, full = resolve(self.git, self.remote, self.ref)
        self._fetch(full)
        self._narrow()
        self._tree("checkout", "--quiet", "--force", "--detach", self.commit)
        if self.options.clean:
            self._tree("clean", "-ffdxq")

    def _complete(self) -> None:
        """What needs the repository in its place: large files, submodules, credentials for later steps."""
        if self.options.lfs:
            self._plain("lfs", "install", "--local", "--skip-repo", of=self.target)
            self.git("lfs", "pull", "origin", of=self.target)
        if self.options.submodules:
            self._submodules()
        if self.options.persist:
            self._persist()

    def _begin(self, scratch: Path) -> None:
        """A new repository with a clean address as `origin`; of one in the folder only the data is taken over."""
        self._plain("init", "--quiet", "--template=", "--", os.fspath(scratch))
        self._plain("remote", "add", "origin", self.remote.url, of=scratch)
        self._plain("config", "gc.auto", "0", of=scratch)
        old = self.target / ".git"
        if self.target.is_symlink() or not self._can_go_on(old):
            empty(self.target)
            return
        shutil.rmtree(self.repository / "objects")
        for name in _DATA:
            source, target = old / name, self.repository / name
            # Without its index every file is written anew, whatever an earlier step made git believe of it.
            if _is_real(source, old) and not (name == "index" and self.options.clean):
                target.parent.mkdir(exist_ok=True)
                source.rename(target)
        for name in ("alternates", "http-alternates"):
            (self.repository / "objects" / "info" / name).unlink(missing_ok=True)
        if (self.repository / "info" / "sparse-checkout").exists():
            self._plain("config", "core.sparseCheckout", "true", of=scratch)
        remove(old)

    def _can_go_on(self, old: Path) -> bool:
        """Whether it is the same repository, without parts that would need what is not taken over."""
        if not _is_real(old / "objects", self.target) or not _is_real(old / "config", self.target):
            return False
        if (old / "modules").exists() or (not self.options.filter and any((old / "objects/pack").glob("*.promisor"))):
            return False
        settings = ("config", "--file", os.fspath(old / "config"), "--no-includes", "--get", "remote.origin.url")
        return self._plain(*settings, may_fail=True).strip() == self.remote.url

    def _fetch(self, full: str) -> None:
        """The commit that is wanted; with the whole history all branches, as the agent has it."""
        how = ["--quiet", "--force", "--no-recurse-submodules", "--tags" if self.options.tags else "--no-tags"]
        if self.options.filter:
            how.append(f"--filter={self.options.filter}")
        if self.options.depth:
            self._fetch_shallow([*how, f"--depth={self.options.depth}"], full)
            return
        if (self.repository / "shallow").exists():
            how.append("--unshallow")
        more = [f"+{full}:{_kept_as(full)}"] if full and not full.startswith("refs/heads/") else []
        self._network("fetch", *how, "origin", HEADS, *more)
        if not self._has_commit():
            self._network("fetch", *how, "origin", self.commit)

    def _fetch_shallow(self, how: list[str], full: str) -> None:
        try:
            self._network("fetch", *how, "origin", f"+{self.commit}:{_kept_as(full)}")
        except GitFailedError:
            # Some servers give out nothing but what a ref names now.
            if not full:
                raise
            self._network("fetch", *how, "origin", f"+{full}:{_kept_as(full)}")
            if not self._has_commit():
                self._network("fetch", "--quiet", "--unshallow", "origin", f"+{full}:{_kept_as(full)}")

    def _has_commit(self) -> bool:
        code, _, _ = replace(self.git, remote=None).attempt(
            f"--git-dir={self.repository}", "cat-file", "-e", f"{self.commit}^{{commit}}"
        )
        return code == 0

    def _narrow(self) -> None:
        """Sparse checkout: directories win over patterns."""
        if self.options.directories:
            self._tree("sparse-checkout", "set", "--cone", "--", *self.options.directories)
        elif self.options.patterns:
            self._tree("sparse-checkout", "set", "--no-cone", "--", *self.options.patterns)
        elif (self.repository / "info" / "sparse-checkout").exists():
            self._tree("sparse-checkout", "disable")

    def _submodules(self) -> None:
        """Those of the same origin get the credentials; others are asked without."""
        recursive = ("--recursive",) if self.options.submodules == "recursive" else ()
        depth = (f"--depth={self.options.depth}",) if self.options.depth else ()
        self._plain("submodule", "sync", "--quiet", *recursive, of=self.target)
        self.git("submodule", "update", "--quiet", "--init", "--force", *depth, *recursive, of=self.target)

    def _persist(self) -> None:
        """Let later steps' git use the credentials: through a file that goes with the job's private folder."""
        if self.remote.login.authorization is None:
            return
        file = write_settings(self.private, self.remote)
        self._plain("config", "--local", "include.path", os.fspath(file), of=self.target)

    def _network(self, *arguments: str) -> str:
        """With credentials, in our own repository."""
        return self.git(f"--git-dir={self.repository}", *arguments)

    def _tree(self, *arguments: str) -> str:
        """On the folder's files, with our own repository; what a partial clone left out is fetched meanwhile."""
        git = self.git if self.options.filter else self._plain
        return git(f"--git-dir={self.repository}", f"--work-tree={self.target}", *arguments, of=self.target)

    @property
    def _plain(self) -> Git:
        """Git without credentials."""
        return replace(self.git, remote=None)

    def _git_lfs(self) -> bool:
        return shutil.which("git-lfs", path=self.git.environ.get("PATH")) is not None


def _kept_as(full: str) -> str:
    """Under which name what is fetched is kept."""
    if full.startswith("refs/heads/"):
        return f"refs/remotes/origin/{full.removeprefix('refs/heads/')}"
    if full.startswith("refs/tags/"):
        return full
    return f"refs/remotes/{full.removeprefix('refs/')}" if full.startswith("refs/") else "refs/remotes/origin/pinned"


def _is_real(path: Path, root: Path) -> bool:
    """Whether it is there, and no link leads to it from `root`."""
    on_the_way = (path, *(parent for parent in path.parents if root in parent.parents))
    return path.exists() and not any(each.is_symlink() for each in on_the_way)
