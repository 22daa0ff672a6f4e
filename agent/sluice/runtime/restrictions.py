"""What logging commands of a step may do: restricted mode, and the variables that may be set."""

from __future__ import annotations

from sluice.runtime.globbing import matches
from sluice.runtime.predefined import is_loader_variable
from sluice.runtime.request import StepRequest

RESTRICTED_COMMANDS = frozenset(
    f"task.{event}"
    for event in (
        "complete",
        "debug",
        "issue",
        "logdetail",
        "logissue",
        "prependpath",
        "setprogress",
        "setsecret",
        "settaskvariable",
        "setvariable",
    )
) | {"telemetry.publish"}
"""The commands that a restricted step may use."""


def may_run(step: StepRequest, command: str) -> bool:
    """Whether the step may use a command (`area.event`)."""
    return not step.restricted or command in RESTRICTED_COMMANDS


def may_set(step: StepRequest, variable: str, by_task: tuple[str, ...] | None = None) -> bool:
    """Whether the step may set a variable: neither the pipeline nor the task itself (`by_task`) must object.

    A restricted one never sets what decides which code runs later.
    """
    if step.restricted and is_loader_variable(variable, step.name):
        return False
    return _allows(step.settable, variable) and _allows(by_task, variable)


def _allows(settable: tuple[str, ...] | None, variable: str) -> bool:
    name = variable.lower()
    return settable is None or any(matches(name, pattern.lower()) for pattern in settable)
