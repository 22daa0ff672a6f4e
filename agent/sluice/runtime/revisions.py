"""Which commit a `ref` means on a server."""

from __future__ import annotations

import os
import re

from sluice.runtime.git import Git, GitFailedError
from sluice.runtime.remote import Remote

COMMIT = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?\Z")
DEFAULT = "refs/heads/main"
"""The documented default of a repository's `ref`; where there is no such branch the server's own default counts."""

_PEELED = "^{}"


def resolve(git: Git, remote: Remote, ref: str) -> tuple[str, str]:
    """The commit that a ref means now, and the ref in full ('' for a commit); raises `GitFailedError` when it is none."""
    ref = ref.strip()
    if COMMIT.match(ref):
        return ref.lower(), ""
    wanted = candidates(ref)
    patterns = [pattern for one in wanted for pattern in (one, one + _PEELED)]
    # In no repository: one around the folder that git is called in may have settings of a step's.
    found = dict(_lines(git(f"--git-dir={os.devnull}", "ls-remote", "--", remote.url, *patterns)))
    for one in wanted:
        if commit := found.get(one + _PEELED) or found.get(one):
            return commit, one
    raise GitFailedError(
        f"the repository has no '{ref or DEFAULT}'",
        where=remote.url,
        do="'ref' is a branch, refs/tags/NAME or a commit",
    )


def candidates(ref: str) -> tuple[str, ...]:
    """The full names that a ref may stand for, the likeliest first."""
    if not ref:
        return (DEFAULT, "HEAD")
    if ref.startswith("refs/") or ref == "HEAD":
        return (ref,)
    return (f"refs/heads/{ref}", f"refs/tags/{ref}")


def _lines(text: str) -> list[tuple[str, str]]:
    pairs = (line.partition("\t") for line in text.splitlines())
    return [(name, commit) for commit, tab, name in pairs if tab and COMMIT.match(commit)]
