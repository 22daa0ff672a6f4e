"""The list of installed task packages: what each has to consist of, and what vouches for the list itself.

The file carries a code that only this installation can make: who can write it and has no key swaps no package.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from sluice.errors import SealError, StorageError
from sluice.values import dataclass

LOCK = "lock.json"
FORMAT = 2
"""Before 2 nothing vouched for the file."""

_KIND = "installed tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One version of one task. `extension` is `publisher.extension` and `contribution` its part, when it came so.

    With `preferred` it runs instead of what Sluice or a plugin has for the task.
    """

    name: str
    id: str
    version: tuple[int, int, int]
    digest: str
    source: str = ""
    extension: str = ""
    contribution: str = ""
    preferred: bool = False

    @property
    def version_text(self) -> str:
        """`Major.Minor.Patch`."""
        return ".".join(map(str, self.version))

    @property
    def reference(self) -> str:
        """`Name@Major`."""
        return f"{self.name}@{self.version[0]}"

    @property
    def full_name(self) -> str:
        """`publisher.extension.contribution.Name`, or the name alone."""
        parts = [self.extension, self.contribution] if self.extension else []
        return ".".join(part for part in (*parts, self.name) if part)

    @property
    def names(self) -> frozenset[str]:
        """All that it is called, in lower case."""
        names = {self.name, self.id}
        if self.extension:
            names |= {self.full_name, f"{self.extension}.{self.name}"}
        return frozenset(name.lower() for name in names)

    @property
    def folder(self) -> str:
        """Its place in the store."""
        return f"{self.name}_{self.id}/{self.version_text}"


class Vouching(Protocol):
    """Makes and checks the codes of one installation."""

    def code(self, kind: str, *parts: object) -> str:
        """The code of a record."""

    def vouches(self, code: object, kind: str, *parts: object) -> bool:
        """Whether it is that record's."""


def read_lock(path: Path, vouching: Vouching) -> tuple[Installed, ...]:
    """What is installed; raises `SealError` when Sluice did not write the file as it is."""
    try:
        stored: Mapping[str, Any] = json.loads(path.read_bytes())
        if stored["version"] > FORMAT:
            raise StorageError("the installed tasks are of a newer Sluice", where=str(path))
        if not vouching.vouches(stored.get("code"), _KIND, _text(stored["tasks"])):
            raise _unvouched(path, stored["version"])
        return tuple(_decode(one) for one in stored["tasks"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError("the list of installed tasks cannot be read", where=str(path), why=str(error)) from error


def write_lock(path: Path, entries: Sequence[Installed], vouching: Vouching) -> None:
    """Write the file, as a whole."""
    tasks = [_encode(one) for one in entries]
    stored = {"version": FORMAT, "tasks": tasks, "code": vouching.code(_KIND, _text(tasks))}
    _replace(path, json.dumps(stored, indent=1))


def _unvouched(path: Path, version: object) -> SealError:
    old = version != FORMAT
    return SealError(
        "the list of installed tasks is of an older Sluice" if old else "the list of installed tasks was edited",
        where=str(path),
        why="nothing vouches for it" if old else "what vouches for it does not fit: Sluice did not write it so",
        do=f"install the tasks again, after: mv {path} {path}.old",
    )


def _text(tasks: object) -> str:
    """The listed tasks as the text that is vouched for, however the file is laid out."""
    return json.dumps(tasks, sort_keys=True, separators=(",", ":"))


def _encode(entry: Installed) -> dict[str, Any]:
    return asdict(entry) | {"version": entry.version_text}


def _decode(stored: Mapping[str, Any]) -> Installed:
    major, minor, patch = (int(part) for part in stored["version"].split("."))
    known = {name: stored[name] for name in ("name", "id", "digest", "source", "extension", "contribution")}
    return Installed(**known, version=(major, minor, patch), preferred=bool(stored["preferred"]))


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever reads it sees the old text or the new one."""
    fd, new = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)  # noqa: PTH105  # the name is a text
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)  # noqa: PTH108
        raise
