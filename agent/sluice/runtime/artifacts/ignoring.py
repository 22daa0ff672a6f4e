"""`.artifactignore`: what is not published, in the syntax of `.gitignore`."""

from __future__ import annotations

import re
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.walking import Skip
from sluice.runtime.globbing import Pattern, compile_pattern

NAME = ".artifactignore"
MAX_BYTES = 1 << 20


def ignored_in(root: Path) -> Skip | None:
    """What the file in a folder says to leave out; without one only `.git` is left out, as documented."""
    file = root / NAME
    if not file.is_file():
        return lambda path, _: path == ".git"
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise TaskFailedError(f"'{file}' cannot be read", why=error.strerror or str(error)) from error
    if len(text) > MAX_BYTES:
        raise TaskFailedError(f"'{file}' is larger than {MAX_BYTES >> 20} MB")
    return rules(text.decode("utf-8", "replace"))


def rules(text: str) -> Skip:
    """The rules of a text: the last one that matches a path counts; what lies in a folder goes with it."""
    found = [rule for line in text.splitlines() if (rule := _Rule.read(line)) is not None]

    def skip(path: str, folder: bool) -> bool:  # the signature of Skip
        ignored = False
        for rule in found:
            if rule.adds == ignored and rule.matches(path, folder=folder):
                ignored = not rule.adds
        return ignored

    return skip


class _Rule:
    """One line; `adds` takes an exclusion back (`!`)."""

    def __init__(self, pattern: str, *, adds: bool) -> None:
        self.adds = adds
        self._folders_only = pattern.endswith("/")
        body = pattern.strip("/")
        self._any_depth = "/" not in pattern.rstrip("/")
        self._expression: Pattern = compile_pattern(body)

    @classmethod
    def read(cls, line: str) -> _Rule | None:
        text = re.sub(r"(?<!\\)\s+\Z", "", line)
        if not text or text.startswith("#"):
            return None
        adds = text.startswith("!")
        body = text[1:] if adds else text
        return cls(body, adds=adds) if body.strip("/") else None

    def matches(self, path: str, *, folder: bool) -> bool:
        if self._folders_only and not folder:
            return False
        name = path.rpartition("/")[2] if self._any_depth else path
        return self._expression.fullmatch(name) is not None
