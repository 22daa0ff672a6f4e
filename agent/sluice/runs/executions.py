"""The timeline of a step whose task does something before or after the job's steps, too.

Such a step has up to three records: `name:pre-job` before all steps, its own among them, and `name:post-job` after
them. The part after the colon, which no written name holds, tells which it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sluice.language.plan import Step
from sluice.runtime.request import Execution

ALWAYS = "always()"
"""The condition of every execution after the job's steps."""

_SUFFIXES = {Execution.PRE: ":pre-job", Execution.POST: ":post-job"}
_TITLES = {Execution.PRE: "Pre-job: ", Execution.POST: "Post-job: "}


def ordered(steps: Sequence[Step]) -> list[tuple[Step, Execution]]:
    """Everything that a job does, in order: before, the steps, and what follows them, last step first."""
    return [
        *((step, Execution.PRE) for step in steps if Execution.PRE in step.executions),
        *((step, Execution.MAIN) for step in steps if not step.executions or Execution.MAIN in step.executions),
        *((step, Execution.POST) for step in reversed(steps) if Execution.POST in step.executions),
    ]


def names_of(steps: Sequence[Step]) -> tuple[tuple[str, str], ...]:
    """The reference name and the title of each of a job's records."""
    return tuple((record_name(step.name, one), titled(step.display_name, one)) for step, one in ordered(steps))


def record_name(step: str, execution: Execution) -> str:
    """The reference name of a record."""
    return step + _SUFFIXES.get(execution, "")


def titled(display_name: str, execution: Execution) -> str:
    """A step's title in front of which stands when it runs."""
    return _TITLES.get(execution, "") + display_name


def execution_of(ref_name: str) -> Execution:
    """Which of its step's executions a record is."""
    return next((one for one, suffix in _SUFFIXES.items() if ref_name.endswith(suffix)), Execution.MAIN)


def step_name(ref_name: str) -> str:
    """The reference name of the step that a record belongs to."""
    return ref_name.partition(":")[0]
