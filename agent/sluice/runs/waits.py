"""What a run waits for while it is being advanced: its authorization requests, asked and closed."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.authorization import texts
from sluice.authorization.resources import Need, Pending
from sluice.runtime.request import Result
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow

DENIED = "Permission was denied."
TIMED_OUT = "Nobody permitted it in time."


class Waits:
    """A working copy. `asked` and `closed` tell what has to be stored."""

    def __init__(self, requests: Iterable[RequestRow], *, now: float) -> None:
        self._requests = list(requests)
        self._now = now
        self.asked: list[RequestRow] = []
        self.closed: list[tuple[int, str]] = []

    def of_stage(self, stage: str) -> list[RequestRow]:
        """The open requests of a stage's checkpoint."""
        return [request for request in self._open() if request.stage == stage and not request.job_id]

    def of_job(self, job_id: str) -> list[RequestRow]:
        """The open requests of a job that stopped at a step."""
        return [request for request in self._open() if request.job_id == job_id]

    def ask(self, request: RequestRow) -> None:
        """Ask for a resource, unless the stage asks for it already."""
        asks = {one.resource_id for one in self.asked if one.stage == request.stage}
        if request.resource_id not in asks | {one.resource_id for one in self.of_stage(request.stage)}:
            self.asked.append(request)

    def close(self, requests: Iterable[RequestRow], state: str) -> None:
        """Record what became of requests."""
        for request in requests:
            self.closed.append((request.id, state))
            self._requests.remove(request)

    def denied(self, stage: str) -> bool:
        """Whether somebody said no to anything in the stage."""
        return any(request.state == "rejected" and request.stage == stage for request in self._requests)

    def refusal(self, stage: str, requests: Iterable[RequestRow], *, canceled: bool) -> tuple[Result, str, str] | None:
        """What ends a wait without a permit: result, message, and the state of the requests; None while it goes on."""
        if canceled:
            return Result.CANCELED, texts.ABORTED, "canceled"
        if self.denied(stage):
            return Result.CANCELED, DENIED, "canceled"
        if any(request.expires_at <= self._now for request in requests):
            return Result.SKIPPED, TIMED_OUT, "timedOut"
        return None

    def _open(self) -> list[RequestRow]:
        return [request for request in self._requests if request.state == "running"]


def needs_of(record: RecordRow) -> list[Need]:
    """The needs that are kept with the record of a stage, or of a job that waits."""
    return [Need(**{**need, "schemes": tuple(need["schemes"])}) for need in record.details.get("needs", ())]


def first_place(pending: Pending) -> str:
    """The first place in the pipeline that names what is asked for."""
    return next((need.where for need in pending.needs if need.where), "")
