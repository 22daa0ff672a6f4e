"""How results add up: instances to a job, jobs to a stage, stages to a run (task runtime, section 9.3)."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.errors import ExitCode
from sluice.runtime.request import Result

_WORDS = {
    "Succeeded": "succeeded",
    "SucceededWithIssues": "succeeded with issues",
    "Failed": "failed",
    "Canceled": "canceled",
    "Skipped": "skipped",
    "Abandoned": "abandoned",
}


def in_words(result: str) -> str:
    """A result as a person says it."""
    return _WORDS.get(result) or result.lower() or "completed"


def elapsed(seconds: float) -> str:
    """A duration: `0.4 s`, `12 s`, `1 m 05 s`, `2 h 03 m`."""
    seconds = max(seconds, 0)  # the clock was set back
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m"


def roll_up(children: Iterable[str]) -> Result:
    """The result of a parent: Canceled or Failed stays, issues are kept, Skipped counts only when all were skipped."""
    merged = Result.SUCCEEDED
    count = skipped = 0
    for child in children:
        count += 1
        skipped += child == Result.SKIPPED
        if merged in {Result.CANCELED, Result.FAILED}:
            continue
        if child == Result.CANCELED:
            merged = Result.CANCELED
        elif child in {Result.FAILED, Result.ABANDONED}:
            merged = Result.FAILED
        elif child == Result.SUCCEEDED_WITH_ISSUES:
            merged = Result.SUCCEEDED_WITH_ISSUES
    return Result.SKIPPED if count and skipped == count else merged


def forgiven(result: Result) -> Result:
    """What `continueOnError` makes of a result: a failure becomes an issue."""
    return Result.SUCCEEDED_WITH_ISSUES if result is Result.FAILED else result


def exit_code(result: str) -> ExitCode:
    """The exit status of `sluice run` for a run's result."""
    if result in {Result.FAILED, Result.ABANDONED}:
        return ExitCode.FAILED
    return ExitCode.CANCELED if result == Result.CANCELED else ExitCode.SUCCEEDED
