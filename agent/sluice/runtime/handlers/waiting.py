"""`Delay@1` and `ManualValidation`: they say what they wait for and return; called again, they have the answer."""

from __future__ import annotations

from sluice.errors import TaskFailedError
from sluice.runtime.cancellation import TIMED_OUT
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.request import Outcome, WaitFor
from sluice.runtime.step_scope import StepScope

DELAY = "delay"
MANUAL_VALIDATION = "manualvalidation"

MAX_DELAY_MINUTES = 86_400
"""60 days."""

MAX_VALIDATION_SECONDS = 30 * 86_400.0
"""As long as a person may take, unless the step's own `timeoutInMinutes` is shorter."""


def run_delay(scope: StepScope, inputs: StepInputs) -> None:
    """Wait so many minutes."""
    minutes = _minutes(inputs.text("delayForMinutes", "0").strip())
    limit = scope.step.timeout_seconds
    if scope.step.answer is not None:
        if limit and limit < 60 * minutes:
            raise TaskFailedError(f"The delay of {minutes:g} minutes is longer than the step may take: {TIMED_OUT}")
        scope.say("The delay is over.")
        return
    if not minutes:
        scope.say("No delay is asked for.")
        return
    scope.say(f"Waiting {minutes:g} minute{'' if minutes == 1 else 's'}.")
    scope.waits = WaitFor(kind=DELAY, seconds=min(60 * minutes, limit or 60 * minutes))


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= MAX_DELAY_MINUTES:
        raise TaskFailedError(f"delayForMinutes is no number of minutes up to {MAX_DELAY_MINUTES} (60 days): '{text}'")
    return minutes


def run_manual_validation(scope: StepScope, inputs: StepInputs) -> None:
    """Wait for a person who resumes the run, or rejects it."""
    answer = scope.step.answer
    if answer is None:
        _ask(scope, inputs)
        return
    comment = f": {answer.comment}" if answer.comment else ""
    if answer.outcome is Outcome.APPROVED:
        scope.say(f"Resumed by {answer.by}{comment}")
    elif answer.outcome is Outcome.REJECTED:
        raise TaskFailedError(f"The validation was rejected by {answer.by}{comment}")
    elif inputs.text("onTimeout", "reject").strip().casefold() == "resume":
        scope.say("Nobody responded in time: the run is resumed, as onTimeout says.")
    else:
        raise TaskFailedError("Nobody responded to the validation in time: it is rejected, as onTimeout says")


def _ask(scope: StepScope, inputs: StepInputs) -> None:
    names = {name: inputs.text(name).strip() for name in ("instructions", "notifyUsers", "approvers")}
    own = inputs.text("allowApproversToApproveTheirOwnRuns", "true").strip().casefold()
    if names["instructions"]:
        scope.say(names["instructions"])
    if names["notifyUsers"]:
        scope.say(f"To be told: {', '.join(_listed(names['notifyUsers']))} (Sluice sends no mail).")
    scope.waits = WaitFor(
        kind=MANUAL_VALIDATION,
        seconds=min(scope.step.timeout_seconds or MAX_VALIDATION_SECONDS, MAX_VALIDATION_SECONDS),
        properties={**{name: text for name, text in names.items() if text}, "ownRuns": own},
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for line in text.splitlines() for part in line.split(",") if part.strip()]
