"""Repositories that templates are read from, kept as bare clones in the state folder: no credentials are in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sluice.errors import SluiceError, UsageError
from sluice.runs.source import MAX_FILE_BYTES
from sluice.runtime.git import Git, GitFailedError
from sluice.runtime.remote import Remote
from sluice.runtime.revisions import resolve
from sluice.runtime.workspace import remove
from sluice.storage.home import private_folder
from sluice.values import dataclass

_LINK = b"120000"
_here = threading.Lock()


_SETTINGS = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[gc]\n\tauto = 0\n"


@dataclass(frozen=True, slots=True)
class Fetched:
    """One commit of a repository, at hand."""

    folder: Path
    commit: str


@dataclass(frozen=True, slots=True)
class RepositoryCache:
    """Clones below one folder. One that a connection has opened is that connection's alone."""

    root: Path

    def fetch(self, git: Git, remote: Remote, ref: str, *, owner: str) -> Fetched:
        """The commit that a ref means now; `owner` is the id of the connection that opens the repository."""
        if remote.tool != "git":
            raise SluiceError("templates are read from git repositories only", where=remote.url)
        name = hashlib.sha256(f"{owner}\0{remote.url}".encode()).hexdigest()[:32]
        folder = self.root / f"{name}.git"
        private_folder(self.root)
        with _locked(self.root / f"{name}.lock"):
            git = replace(git, cwd=self.root)
            commit, full = resolve(git, remote, ref)
            if not (folder / "HEAD").is_file():
                replace(git, remote=None)("init", "--quiet", "--bare", "--template=", "--", os.fspath(folder))
            _reset(folder)
            if not _has(git, folder, commit):
                _bring(git, folder, remote, commit, full)
        return Fetched(folder, commit)

    def read(self, git: Git, fetched: Fetched, path: str) -> bytes:
        """The file at a path of the commit; raises `FileNotFoundError`. Links are not followed."""
        git = replace(
            git, remote=None, cwd=self.root, more={"GIT_LITERAL_PATHSPECS": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
        )
        code, listed, _ = git.attempt("ls-tree", "-z", "-l", fetched.commit, "--", path, of=fetched.folder)
        mode, kind, name, size = [*listed.partition(b"\t")[0].split(), b"", b"", b"", b""][:4]
        if code or kind != b"blob" or mode == _LINK or not size.isdigit():
            raise FileNotFoundError(path)
        if int(size) > MAX_FILE_BYTES:
            raise UsageError(f"the template '{path}' is too large")
        code, content, said = git.attempt("cat-file", "blob", name.decode("ascii"), of=fetched.folder)
        if code:
            raise GitFailedError(f"the template '{path}' cannot be read", why=said)
        return content


def _reset(folder: Path) -> None:
    """Our settings, each time: what a step of the same user may have written there would meet the credentials."""
    for name in ("config", "config.worktree", "hooks", "info"):
        remove(folder / name)
    (folder / "config").write_text(_SETTINGS)


def _has(git: Git, folder: Path, commit: str) -> bool:
    code, _, _ = replace(git, remote=None).attempt("cat-file", "-e", f"{commit}^{{commit}}", of=folder)
    return code == 0


def _bring(git: Git, folder: Path, remote: Remote, commit: str, full: str) -> None:
    """Fetch the commit under a name that keeps it; where a server gives out no commit as such, what the ref names."""
    how = ("fetch", "--quiet", "--force", "--no-tags", "--depth=1", "--", remote.url)
    kept = f"refs/commits/{commit}"
    try:
        git(*how, f"+{commit}:{kept}", of=folder)
    except GitFailedError:
        if not full:
            raise
        git(*how, f"+{full}:{kept}", of=folder)
        if not _has(git, folder, commit):
            raise GitFailedError(f"'{full}' changed while it was fetched", where=remote.url, do="try again") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time changes a clone."""
    import fcntl

    with _here, path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
