"""Where a pipeline's files come from: the repository around it, asked of git, and its templates."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from sluice.errors import NotFoundError, SluiceError, UsageError
from sluice.language.plan import Repository
from sluice.language.templates import Files
from sluice.runs.predefined import Source
from sluice.values import dataclass

GIT_SECONDS = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
MAX_FILE_BYTES = 20 * 1024 * 1024
"""The documented limit on what is parsed."""

_PLAIN = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false")
_ENVIRONMENT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat"}
"""A repository's settings may name programs; none of them is run, and nothing is fetched, to look at a pipeline."""


def find_root(file: Path) -> Path:
    """The root of the repository that a pipeline lies in; its own folder when it lies in none."""
    for folder in file.parents:
        if (folder / ".git").exists():
            return folder
    return file.parent


def describe(root: Path) -> tuple[Source, str]:
    """The repository at `root` and the user's e-mail as git knows them; without git, just the folder's name."""
    plain = Source(root=str(root), name=root.name)
    if not (root / ".git").exists():
        return plain, ""
    version, author, message = _head(root)
    branch = _git(root, "symbolic-ref", "-q", "HEAD").strip()
    settings = _settings(_git(root, "config", "--get-regexp", r"^(remote\.origin\.url|user\.email)$"))
    uri = _without_credentials(settings.get("remote.origin.url", ""))
    source = Source(
        root=str(root),
        name=_repository_name(uri) or root.name,
        uri=uri or root.as_uri(),
        provider="GitHub" if urlsplit(uri).hostname == "github.com" else "Git",
        branch=branch or "HEAD",
        version=version,
        author=author,
        message=message,
    )
    return source, settings.get("user.email", "")


def list_files(root: Path) -> list[str]:
    """The files of a repository that git tracks, and those that it would, by their paths below `root`."""
    return _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:-1]


def changes(root: Path, version: str, files: Sequence[str]) -> list[str]:
    """What is different in files of the repository at `root` since a commit, as a diff; nothing when git cannot tell.

    Compared here: `git diff` would run the filters that the repository names.
    """
    found: list[str] = []
    for file in files if _COMMIT.fullmatch(version) else ():
        before = _git(root, "cat-file", "blob", f"{version}:{file}").splitlines()
        with contextlib.suppress(SluiceError):
            after = read_pipeline(root / file).decode("utf-8", "replace").splitlines()
            found.extend(difflib.unified_diff(before, after, f"a/{file}", f"b/{file}", lineterm=""))
    return found


def _head(root: Path) -> tuple[str, str, str]:
    """The commit that is checked out, who wrote it, and the first line of what it says.

    Read as it is stored: `git log` would have the signature checked by whatever program the repository names.
    """
    first, _, text = _git(root, "cat-file", "--batch", given="HEAD\n").partition("\n")
    version, _, kind = first.partition(" ")
    if not kind.startswith("commit "):
        return "", "", ""
    headers, _, message = text.partition("\n\n")
    author = next((line for line in headers.split("\n") if line.startswith("author ")), "")
    paragraph = message.lstrip("\n").partition("\n\n")[0]
    return version, author.removeprefix("author ").partition("<")[0].strip(), " ".join(paragraph.split("\n")).strip()


def _git(root: Path, *arguments: str, given: str = "") -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *_PLAIN, *arguments],
            input=given.encode(),
            env={**os.environ, **_ENVIRONMENT},
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _settings(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition(" ") for line in text.splitlines())}


def _without_credentials(uri: str) -> str:
    parts = urlsplit(uri) if "://" in uri else None
    if parts is None or "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _repository_name(uri: str) -> str:
    path = urlsplit(uri).path if "://" in uri else uri.partition(":")[2]
    return path.strip("/").removesuffix(".git")


def read_pipeline(file: Path) -> bytes:
    """The text of a pipeline file; raises `UsageError` or `NotFoundError` in the user's terms."""
    try:
        state = file.stat()
        if stat.S_ISDIR(state.st_mode):
            raise UsageError(f"'{file}' is a folder", do="name the pipeline file in it")
        if not stat.S_ISREG(state.st_mode) or _of_process(file):
            raise UsageError(
                f"'{file}' is no file on disk",
                do="save the pipeline to a file: its place tells which pipeline it is, and what is checked out",
            )
        if state.st_size > MAX_FILE_BYTES:
            raise UsageError(f"{file} is larger than {MAX_FILE_BYTES // 1024 // 1024} MB", do="is it a pipeline?")
        return file.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"there is no file '{file}'", do="name the pipeline: sluice run FILE") from None
    except OSError as error:
        raise UsageError(f"'{file}' cannot be read", why=error.strerror or str(error)) from error


def _of_process(file: Path) -> bool:
    """Whether a path means what a process has open, such as /dev/stdin, whatever lies behind it."""
    return file.is_symlink() and any(str(folder) in {"/dev", "/proc"} for folder in file.parents)


class OtherFiles(Files, Protocol):
    """Templates of the repositories that a pipeline names."""

    def require(self, repository: Repository) -> None:
        """Raise `PermissionPendingError` when somebody has to permit first that a repository is used that is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFiles:
    """Templates from local folders: the pipeline's own repository, and checkouts of others by alias.

    `others` reads those of repositories that are not given as a checkout, and says whether those may be used that are.
    """

    root: Path
    repositories: Mapping[str, Path] = field(default_factory=dict)
    others: OtherFiles | None = None

    def read(self, repository: Repository, path: str) -> str | bytes:
        """The file at a path of a repository; links may not lead out of it."""
        alias = repository.alias
        root = self.root if alias == "self" else self.repositories.get(alias.casefold())
        if root is not None and alias != "self" and self.others is not None:
            self.others.require(repository)
        if root is None:
            if self.others is not None:
                return self.others.read(repository, path)
            raise NotFoundError(
                f"the repository '{alias}' is not at hand", do=f"name a checkout of it: --repository {alias}=PATH"
            )
        target = (root / PurePosixPath(path.lstrip("/"))).resolve()
        if not target.is_relative_to(root.resolve()):
            raise FileNotFoundError(path)
        state = target.stat()
        if not stat.S_ISREG(state.st_mode):
            raise UsageError(f"the template '{path}' is no file on disk")
        if state.st_size > MAX_FILE_BYTES:
            raise UsageError(f"the template '{path}' is too large")
        return target.read_bytes()
