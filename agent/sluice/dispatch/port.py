"""The port between a run and the places where its jobs are carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sluice.runtime.events import Emit
from sluice.runtime.keeping import Keeper
from sluice.runtime.request import ConnectionSource, JobRequest
from sluice.runtime.secure_files import SecureFileSource
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job left its place: it finished, was suspended, or (with `defect`) broke the runtime itself."""

    job: str
    defect: BaseException | None = None


class Dispatcher(Protocol):
    """Carries jobs out. Its methods return at once; what happens is told by events and, last, by `Ended`."""

    @property
    def place(self) -> str:
        """What to call this place in timeline records (`workerName`)."""

    def room(self) -> int:
        """How many more jobs may be started now."""

    def start(
        self,
        request: JobRequest,
        *,
        emit: Emit,
        connections: ConnectionSource,
        secure_files: SecureFileSource | None = None,
        ended: Callable[[Ended], None],
        canceled: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        """Start a job; a canceled one runs only the steps that run after a cancellation.

        `keeper` keeps what the job leaves behind; without one it has nowhere to leave it.
        """

    def active(self) -> frozenset[str]:
        """Ids of the jobs that have not ended."""

    def cancel(self, job: str, reason: str = "") -> None:
        """Ask a job to stop in order; nothing happens when it has ended or was asked already."""

    def kill(self, job: str, reason: str = "") -> None:
        """End a job at once."""
