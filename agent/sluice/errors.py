"""The error tree and the exit codes.

SluiceError                  something a person can act on; anything else is a bug and keeps its traceback
├── UsageError               the command line or a file it names is wrong
├── PipelineError            the pipeline does not compile: one or more problems, each with its place
├── NotFoundError            a named thing does not exist (the nearest names are offered)
├── ConflictError            the thing exists already, or changed meanwhile
├── ConnectionInvalidError   a service connection does not fit its type
├── VariableGroupInvalidError    a variable group cannot be stored as it was entered
├── SecureFileInvalidError   a secure file cannot be stored as it was given
├── VerificationError        a connection was tried and did not work
├── TrustNeededError         a far side is not known yet: a person decides whether to trust it
├── NotPermittedError        authorization refuses
│   └── PermissionPendingError   nobody has decided yet: what asks waits, it does not fail
├── PluginError              a plugin is missing or broken
├── StorageError             the database cannot be read or written
│   └── NewerDatabaseError   the database was written by a newer version
├── SealError                a secret cannot be opened: wrong key, or the record was tampered with
├── TaskFailedError          a task says that it failed (a result, not a defect)
└── CanceledError            the work was canceled
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import ClassVar

from sluice.values import dataclass


class ExitCode(enum.IntEnum):
    """Exit status of the commands; those of `sluice run` are a stable interface."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    CANCELED = 3
    WAITING = 4


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text file; lines and columns count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


class SluiceError(Exception):
    """Something a person can act on.

    `what` happened, `where` (a location, or a name such as a connection's), `why`, and what to `do` next.
    None of them may hold a secret.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(
        self,
        what: str,
        *,
        where: Location | str | None = None,
        why: str = "",
        do: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.do = do

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f": {self.why}"
        if self.do:
            text += f" ({self.do})"
        return text


class UsageError(SluiceError):
    """The command line, or a file that it names, is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a pipeline, at its place."""

    what: str
    where: Location | None = None
    do: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.do})" if self.do else text


class PipelineError(SluiceError):
    """The pipeline does not compile; `problems` holds every one that was found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        first = self.problems[0]
        super().__init__(first.what, where=first.where, do=first.do)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class NotFoundError(SluiceError):
    """A thing that was named does not exist."""


class ConflictError(SluiceError):
    """The thing exists already, or was changed by somebody else meanwhile."""


class ConnectionInvalidError(SluiceError):
    """A service connection does not fit its type: a field is unknown, missing or malformed."""


class SecureFileInvalidError(SluiceError):
    """A secure file cannot be stored as it was given."""


class VariableGroupInvalidError(SluiceError):
    """A variable group cannot be stored as it was entered: a name or a value is not fit for it."""


class VerificationError(SluiceError):
    """A service connection was tried against its far side and did not work."""

    exit_code = ExitCode.FAILED


class TrustNeededError(SluiceError):
    """The far side shows an identity that nobody has vouched for yet.

    `field` is the connection's data key that pins it, `value` what the far side shows, `fingerprint` its short form
    that a person compares.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, field: str, value: str, fingerprint: str, do: str = "") -> None:
        super().__init__(what, do=do)
        self.field = field
        self.value = value
        self.fingerprint = fingerprint


class NotPermittedError(SluiceError):
    """Authorization refuses: no Permit, no role, or a check said no."""

    exit_code = ExitCode.FAILED


class PermissionPendingError(NotPermittedError):
    """Nobody has decided yet: the work that asks waits for a Permit, it does not fail."""

    exit_code = ExitCode.WAITING


class PluginError(SluiceError):
    """A plugin is missing, broken, or in conflict with another one."""

    exit_code = ExitCode.FAILED


class StorageError(SluiceError):
    """The database or the state folder cannot be read or written."""

    exit_code = ExitCode.FAILED


class NewerDatabaseError(StorageError):
    """The database was written by a newer version of Sluice."""


class SealError(SluiceError):
    """A sealed secret cannot be opened: another master key, or the record was changed by hand."""

    exit_code = ExitCode.FAILED


class TaskFailedError(SluiceError):
    """A task says that it failed; its message becomes an error issue of the step."""

    exit_code = ExitCode.FAILED


class CanceledError(SluiceError):
    """The work was canceled by a person or by a time-out."""

    exit_code = ExitCode.CANCELED
