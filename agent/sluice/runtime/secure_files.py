"""Secure files of a step: how the runtime asks for them."""

from __future__ import annotations

from dataclasses import field
from typing import Protocol

from sluice.runtime.request import ConnectionInput, JobRequest, StepRequest
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureFile:
    """A secure file that a step was given."""

    id: str
    name: str
    content: bytes = field(repr=False)


class SecureFileSource(Protocol):
    """Opens a secure file for one step, at the moment the step starts."""

    def open_file(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> SecureFile:
        """The secure file called `name`.

        Raises `PermissionPendingError` when the job has to wait for a Permit, another `SluiceError` when the file
        does not exist or is refused: then the step fails with its text.
        """
