"""Checkout of a repository from a git server: one commit of it, with credentials that are gone when the job is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.checkout import Options
from sluice.runtime.git import Git, GitFailedError, write_settings
from sluice.runtime.remote import Remote
from sluice.runtime.revisions import resolve
from sluice.runtime.workspace import empty

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

    def run(self) -> str:
        """Do it; answers the commit. Raises `GitFailedError` with what the server's or git's words mean."""
        if self.options.lfs and not self._git_lfs():
            raise TaskFailedError(
                "git-lfs is not installed", do="install it (apt-get install git-lfs) or leave 'lfs' out"
            )
        self._begin()
        full = ""
        if self.commit:
            full = self.ref if self.ref.startswith("refs/") else ""
        else:
            self.commit, full = resolve(self.git, self.remote, self.ref)
        self._fetch(full)
        self._narrow()
        self._local("checkout", "--quiet", "--force", "--detach", self.commit)
        if self.options.clean:
            self._local("clean", "-ffdxq")
        if self.options.lfs:
            self._local("lfs", "install", "--local", "--skip-repo")
            self._local("lfs", "pull", "origin")
        if self.options.submodules:
            self._submodules()
        if self.options.persist:
            self._persist()
        return self.commit

    def _begin(self) -> None:
        """A repository of our own, with a clean address as `origin`; another's folder is emptied first."""
        if (self.target / ".git").is_dir() and not (self.target / ".git").is_symlink():
            self._forget()
            url = self._local("config", "--local", "--get", "remote.origin.url", may_fail=True).strip()
            if url == self.remote.url:
                if self.options.clean:
                    self._local("clean", "-ffdxq", may_fail=True)
                    self._local("reset", "--quiet", "--hard", "HEAD", may_fail=True)
                return
        empty(self.target)
        self.git("init", "--quiet", "--template=", "--", os.fspath(self.target))
        self._local("remote", "add", "origin", self.remote.url)
        self._local("config", "gc.auto", "0")

    def _fetch(self, full: str) -> None:
        """The commit that is wanted; with the whole history all branches, as the agent has it."""
        how = ["--quiet", "--force", "--no-recurse-submodules", "--tags" if self.options.tags else "--no-tags"]
        if self.options.filter:
            how.append(f"--filter={self.options.filter}")
        if self.options.depth:
            self._fetch_shallow([*how, f"--depth={self.options.depth}"], full)
            return
        if (self.target / ".git" / "shallow").exists():
            how.append("--unshallow")
        more = [f"+{full}:{_kept_as(full)}"] if full and not full.startswith("refs/heads/") else []
        self._local("fetch", *how, "origin", HEADS, *more)
        if not self._has_commit():
            self._local("fetch", *how, "origin", self.commit)

    def _fetch_shallow(self, how: list[str], full: str) -> None:
        try:
            self._local("fetch", *how, "origin", f"+{self.commit}:{_kept_as(full)}")
        except GitFailedError:
            # Some servers give out nothing but what a ref names now.
            if not full:
                raise
            self._local("fetch", *how, "origin", f"+{full}:{_kept_as(full)}")
            if not self._has_commit():
                self._local("fetch", "--quiet", "--unshallow", "origin", f"+{full}:{_kept_as(full)}")

    def _has_commit(self) -> bool:
        code, _, _ = replace(self.git, remote=None).attempt(
            "cat-file", "-e", f"{self.commit}^{{commit}}", of=self.target
        )
        return code == 0

    def _narrow(self) -> None:
        """Sparse checkout: directories win over patterns."""
        if self.options.directories:
            self._local("sparse-checkout", "set", "--cone", "--", *self.options.directories)
        elif self.options.patterns:
            self._local("sparse-checkout", "set", "--no-cone", "--", *self.options.patterns)
        elif (self.target / ".git" / "info" / "sparse-checkout").exists():
            self._local("sparse-checkout", "disable")

    def _submodules(self) -> None:
        """Those of the same origin get the credentials; others are asked without."""
        recursive = ("--recursive",) if self.options.submodules == "recursive" else ()
        depth = (f"--depth={self.options.depth}",) if self.options.depth else ()
        self._local("submodule", "sync", "--quiet", *recursive)
        self._local("submodule", "update", "--quiet", "--init", "--force", *depth, *recursive)

    def _persist(self) -> None:
        """Let later steps' git use the credentials: through a file that goes with the job's private folder."""
        if self.remote.login.authorization is None:
            return
        self.private.mkdir(mode=0o700, exist_ok=True)
        file = write_settings(self.private, self.remote)
        self._local("config", "--local", "include.path", os.fspath(file))

    def _forget(self) -> None:
        """What an earlier job has left in the settings of this folder."""
        for key in ("include.path", f"http.{self.remote.origin}/.extraheader"):
            self._local("config", "--local", "--unset-all", key, may_fail=True)

    def _local(self, *arguments: str, may_fail: bool = False) -> str:
        return self.git(*arguments, of=self.target, may_fail=may_fail)

    def _git_lfs(self) -> bool:
        return shutil.which("git-lfs", path=self.git.environ.get("PATH")) is not None


def _kept_as(full: str) -> str:
    """Under which name what is fetched is kept."""
    if full.startswith("refs/heads/"):
        return f"refs/remotes/origin/{full.removeprefix('refs/heads/')}"
    if full.startswith("refs/tags/"):
        return full
    return f"refs/remotes/{full.removeprefix('refs/')}" if full.startswith("refs/") else "refs/remotes/origin/pinned"
