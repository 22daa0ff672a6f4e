"""What the step of an agentless job waits for, as the job's record keeps it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sluice.authorization.texts import VALIDATION
from sluice.runtime.request import Outcome, StepAnswer, WaitFor
from sluice.values import dataclass

WAIT = "stepWait"
"""Detail of a job that waits at a step."""

ANSWERS = "stepAnswers"
"""Detail of a job: what ended the waits of its steps, by their ids."""

DECIDED = "decided"
"""The option of a run for what people answered to its steps, by job and step: vouched for, as details of jobs are not."""

_OF_PEOPLE = frozenset({str(Outcome.APPROVED), str(Outcome.REJECTED)})

RAN_TOO_LONG = "The job ran longer than its maximum time while it waited."


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWait:
    """A step waits until `until`, and its job until `job_until` (seconds since the epoch, None for no limit)."""

    step: str
    kind: str
    until: float
    job_until: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def due(self) -> float:
        """When time alone ends the wait."""
        return self.until if self.job_until is None else min(self.until, self.job_until)

    @property
    def answer_of_time(self) -> StepAnswer:
        """What time alone answers."""
        return StepAnswer(outcome=Outcome.TIMED_OUT if self.kind == VALIDATION else Outcome.ELAPSED)


def with_wait(
    details: Mapping[str, Any], step: str, wait: WaitFor, *, now: float, job_until: float | None
) -> dict[str, Any]:
    """The details of a job that waits from now on."""
    kept = {
        "step": step,
        "kind": wait.kind,
        "until": now + wait.seconds,
        "job_until": job_until,
        "properties": dict(wait.properties),
    }
    return {**details, WAIT: kept}


def wait_of(details: Mapping[str, Any]) -> StepWait | None:
    """What a job waits for at a step; None when it does not."""
    kept = details.get(WAIT)
    return StepWait(**kept) if kept else None


def with_answer(details: Mapping[str, Any], step: str, answer: StepAnswer) -> dict[str, Any]:
    """The details of a job whose step has its answer."""
    return {**details, ANSWERS: {**details.get(ANSWERS, {}), step: _kept(answer)}}


def with_decision(options: Mapping[str, Any], job: str, step: str, answer: StepAnswer) -> dict[str, Any]:
    """The options of a run whose step a person has answered."""
    decided = options.get(DECIDED, {})
    return {**options, DECIDED: {**decided, job: {**decided.get(job, {}), step: _kept(answer)}}}


def _kept(answer: StepAnswer) -> dict[str, str]:
    return {"outcome": str(answer.outcome), "by": answer.by, "comment": answer.comment}


def without_wait(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a job that does not wait any more."""
    return {name: value for name, value in details.items() if name != WAIT}


def decision_of(decided: Mapping[str, Any], job: str, step: str) -> StepAnswer | None:
    """What a person answered to a step; `decided` is what the run vouches for."""
    kept = decided.get(job, {}).get(step)
    return _answer(kept) if kept else None


def answer_of(details: Mapping[str, Any], step: str, decision: StepAnswer | None) -> StepAnswer | None:
    """What ended the wait of a step. A person's answer that stands in the details alone is none: nobody vouches for it."""
    kept = details.get(ANSWERS, {}).get(step)
    if decision is not None or not kept or kept["outcome"] in _OF_PEOPLE:
        return decision
    return _answer(kept)


def _answer(kept: Mapping[str, str]) -> StepAnswer:
    return StepAnswer(outcome=Outcome(kept["outcome"]), by=kept["by"], comment=kept["comment"])
