"""What a run waits for while it is being advanced: its authorization requests, asked and closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from sluice.authorization import texts
from sluice.authorization.checks.approval import is_approval
from sluice.authorization.checks.model import Check, State, Suite
from sluice.authorization.resources import Known, Need, Pending
from sluice.language.plan import Stage
from sluice.runs.step_waits import StepWait, decision_of
from sluice.runtime.request import Result, StepAnswer
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.values import dataclass

REFUSED = "Permission was denied."
TIMED_OUT = "Nobody permitted it in time."
NOT_STARTED = "Nobody started it in time."
GAVE_UP = frozenset({TIMED_OUT, NOT_STARTED})
"""How a stage says that it waited too long."""

GAVE_UP_ON = "gaveUpOnChecks"
"""Detail of a stage whose checks did not pass in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: a run of a pipeline that `requester` queued, and how long it waits for an answer.

    `started` are the stages that were started by hand, and by whom, `decided` what people answered to steps: vouched
    for with the run, as its requests and records are not.
    """

    run_id: int
    project_id: int
    pipeline_id: int
    wait_seconds: float
    requester: str = ""
    started: Mapping[str, str] = field(default_factory=dict)
    decided: Mapping[str, Any] = field(default_factory=dict)


class Waits:
    """A working copy. `asked`, `closed` and `details` tell what has to be stored."""

    def __init__(self, requests: Iterable[RequestRow], asker: Asker, *, now: float) -> None:
        self._requests = list(requests)
        self._asker = asker
        self._now = now
        self.asked: list[RequestRow] = []
        self.closed: list[tuple[int, str]] = []
        self.details: list[tuple[int, str]] = []

    def of_stage(self, stage: str) -> list[RequestRow]:
        """The open requests of a stage's checkpoint, but for its checks."""
        return [request for request in self._open() if request.stage == stage and not request.job_id]

    def of_job(self, job_id: str) -> list[RequestRow]:
        """The open requests of a job that stopped at a step, but for its checks."""
        return [request for request in self._open() if request.job_id == job_id]

    def ask_step(self, stage: str, attempt: int, job_id: str, wait: StepWait, *, name: str) -> None:
        """Ask for what a step of an agentless job waits for, once."""
        asked = [*self.of_job(job_id), *(one for one in self.asked if one.job_id == job_id)]
        if not any(request.resource_id == wait.step for request in asked):
            known = Known(id=wait.step, name=name, kind=wait.kind, version=0)
            request = self._request(Pending(resource=known, needs=()), stage, attempt, job_id, wait.step)
            self.asked.append(replace(request, expires_at=wait.due, detail=wait.properties.get("instructions", "")))

    def ask(self, pending: Sequence[Pending], stage: str, attempt: int, job_id: str = "", step_id: str = "") -> None:
        """Ask for what is pending, once each; what was asked for and is permitted meanwhile is closed.

        With `job_id` a job asks for one of its steps, else the checkpoint of the stage asks.
        """
        wanted = {(one.resource.kind, one.resource.id) for one in pending}
        asks = self.of_job(job_id) if job_id else self.of_stage(stage)
        self.close([one for one in asks if (one.resource_type, one.resource_id) not in wanted], "approved")
        asked = [*asks, *(one for one in self.asked if (one.stage, one.job_id) == (stage, job_id))]
        known = {(one.resource_type, one.resource_id) for one in asked}
        for one in pending:
            for request in asks:
                same = (request.resource_type, request.resource_id) == (one.resource.kind, one.resource.id)
                if same and request.detail != _why(one):
                    self.details.append((request.id, _why(one)))
            if (one.resource.kind, one.resource.id) not in known:
                self.asked.append(self._request(one, stage, attempt, job_id, step_id))

    def ask_start(self, stage: Stage, attempt: int) -> None:
        """Ask for a person who starts the stage, once."""
        asked = [*self.of_stage(stage.name), *(one for one in self.asked if one.stage == stage.name)]
        if not any(request.resource_type == texts.STAGE for request in asked):
            known = Known(id=stage.name, name=stage.display_name, kind=texts.STAGE)
            need = Need(name=stage.name, kind=texts.STAGE, where=str(stage.where))
            self.asked.append(self._request(Pending(resource=known, needs=(need,)), stage.name, attempt, "", ""))

    def started_by(self, stage: str) -> str:
        """Who started the stage by hand, '' as long as nobody has."""
        return self._asker.started.get(stage, "")

    def decision(self, job_id: str, step: str) -> StepAnswer | None:
        """What a person has answered to a step."""
        return decision_of(self._asker.decided, job_id, step)

    def _request(self, pending: Pending, stage: str, attempt: int, job_id: str, step_id: str) -> RequestRow:
        asker = self._asker
        return RequestRow(
            run_id=asker.run_id,
            project_id=asker.project_id,
            pipeline_id=asker.pipeline_id,
            stage=stage,
            stage_attempt=attempt,
            job_id=job_id,
            step_id=step_id,
            resource_type=pending.resource.kind,
            resource_id=pending.resource.id,
            resource_name=pending.resource.name,
            where=first_place(pending),
            resource_version=pending.resource.version,
            created_at=self._now,
            expires_at=self._now + asker.wait_seconds,
            detail=_why(pending),
        )

    def close(self, requests: Iterable[RequestRow], state: str) -> None:
        """Record what became of requests."""
        for request in requests:
            self.closed.append((request.id, state))
            self._requests.remove(request)

    def denied(self, stage: str) -> bool:
        """Whether somebody said no to anything in the stage; a check that did not pass is something else."""
        return any(is_denial(request) and request.stage == stage for request in self._requests)

    def refusal(self, stage: str, requests: Sequence[RequestRow], *, canceled: bool) -> tuple[Result, str, str] | None:
        """What ends a wait without a permit: result, message, and the state of the requests; None while it goes on."""
        if canceled:
            return Result.CANCELED, texts.ABORTED, "canceled"
        if self.denied(stage):
            return Result.CANCELED, REFUSED, "canceled"
        if any(request.expires_at <= self._now for request in requests):
            by_hand = any(request.resource_type == texts.STAGE for request in requests)
            return Result.SKIPPED, NOT_STARTED if by_hand else TIMED_OUT, "timedOut"
        return None

    def ask_check(self, suite: Suite, check: Check, *, name: str, detail: str) -> None:
        """Ask for a check to pass, once, and keep up to date what it waits for."""
        for position, request in enumerate(self.asked):
            if request.resource_type in texts.CHECKS and request.resource_id == check.id:
                self.asked[position] = replace(request, detail=detail)
                return
        for request in self._open_checks():
            if request.resource_id == check.id:
                if request.detail != detail:
                    self.details.append((request.id, detail))
                return
        asker = self._asker
        self.asked.append(
            RequestRow(
                run_id=asker.run_id,
                project_id=asker.project_id,
                pipeline_id=asker.pipeline_id,
                stage=suite.stage,
                stage_attempt=suite.attempt,
                job_id=suite.job_id,
                step_id=suite.step_id,
                resource_type=texts.APPROVAL if is_approval(check) else texts.CHECK,
                resource_id=check.id,
                resource_name=name,
                created_at=self._now,
                expires_at=check.expires_at or self._now + _NEVER_SECONDS,
                detail=detail,
            )
        )

    def settle_checks(self, suite: Suite) -> None:
        """Take note that checks of a suite are not waited for any more."""
        over = {check.id: check.state for check in suite.checks if check.state is not State.RUNNING}
        self.asked = [one for one in self.asked if not (one.resource_type in texts.CHECKS and one.resource_id in over)]
        for request in self._open_checks():
            if (state := over.get(request.resource_id)) is not None:
                self.close([request], _CLOSED_AS.get(state, str(state)))

    @property
    def for_people(self) -> bool:
        """Whether a person is to permit something, or to start a stage."""
        return bool(self._open()) or any(one.resource_type not in texts.CHECKS for one in self.asked)

    @property
    def expires_at(self) -> float:
        """When the first of what is waited for is given up."""
        waiting = [*self._open(), *self._open_checks(), *self.asked]
        return min((request.expires_at for request in waiting), default=float("inf"))

    def checks(self, stage: str) -> int:
        """How many checks of a stage's own checkpoint are waited for."""
        waiting = [*self._open_checks(), *(one for one in self.asked if one.resource_type in texts.CHECKS)]
        return sum(one.stage == stage and not one.job_id for one in waiting)

    def _open_checks(self) -> list[RequestRow]:
        return [one for one in self._requests if one.state == "running" and one.resource_type in texts.CHECKS]

    def _open(self) -> list[RequestRow]:
        return [one for one in self._requests if one.state == "running" and one.resource_type not in texts.CHECKS]


_NEVER_SECONDS = 100 * 365 * 24 * 3600.0
_CLOSED_AS = {State.BYPASSED: "approved", State.QUEUED: "canceled"}


def is_denial(request: RequestRow) -> bool:
    """Whether a request was denied by a person, which cancels the stage that asked."""
    return request.state == "rejected" and request.resource_type not in texts.CHECKS | texts.STEP_WAITS


def waited_too_long(stage: RecordRow) -> bool:
    """Whether a stage was skipped since nobody decided in time."""
    return stage.message in GAVE_UP or bool(stage.details.get(GAVE_UP_ON))


def _why(pending: Pending) -> str:
    """What is waited for where it is not the permit alone, or what a person should know before permitting it."""
    return texts.DISABLED if pending.resource.disabled else pending.resource.caution


def needs_of(record: RecordRow) -> list[Need]:
    """The needs that are kept with the record of a stage, or of a job that waits."""
    return [Need(**{**need, "schemes": tuple(need["schemes"])}) for need in record.details.get("needs", ())]


def first_place(pending: Pending) -> str:
    """The first place in the pipeline that names what is asked for."""
    return next((need.where for need in pending.needs if need.where), "")
