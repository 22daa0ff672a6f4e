"""Whether a step runs: its condition over the job's status and variables."""

from __future__ import annotations

from collections.abc import Callable

from sluice.runtime.job_state import JobState
from sluice.runtime.request import Result

_GOOD = frozenset({Result.SUCCEEDED, Result.SUCCEEDED_WITH_ISSUES})
_BARE = {
    "": _GOOD,
    "succeeded()": _GOOD,
    "always()": frozenset(Result),
    "failed()": frozenset({Result.FAILED}),
    "succeededorfailed()": _GOOD | {Result.FAILED},
    "canceled()": frozenset({Result.CANCELED}),
}
"""Conditions that are one status function, and the statuses for which they hold."""


def holds(condition: str, job: JobState, trace: Callable[[str], None]) -> bool:
    """Whether the condition holds now; raises `SluiceError` when it cannot be evaluated.

    `trace` gets the lines that explain why, in the words of the agent's log.
    """
    bare = _BARE.get(condition.strip().lower())
    if bare is not None:
        answer = job.status in bare
        trace(f"Evaluating: {condition.strip() or 'succeeded()'}")
        trace(f"Result: {answer}")
        return answer
    # Only now: most steps have no condition, and the language is large.
    from sluice.language.expressions import Context, Object, StepStatus, evaluate_condition

    variables = Object(job.variables.everything())
    context = Context(names={"variables": variables}, status=StepStatus(job.status.value))
    return evaluate_condition(condition, context, trace=trace)
