"""Which tasks run without an agent, and which only so."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sluice.errors import Problem
from sluice.language.tasks import TaskCatalogue

if TYPE_CHECKING:
    from sluice.language.plan import Step

AGENTLESS = frozenset(
    {
        "Delay@1",
        "InvokeRESTAPI@1",
        "ManualValidation@0",
        "ManualValidation@1",
        "PublishToAzureServiceBus@1",
        "PublishToAzureServiceBus@2",
    }
)
"""The tasks that Sluice runs in a job with `pool: server`."""

_SERVER = "server"
_ANYWHERE = frozenset({"CmdLine@2", "Bash@3", "PowerShell@2", "Checkout@1"})
_SERVER_ONLY = frozenset(
    {
        "AutomatedAnalysis",
        "AzureFunction",
        "AzureMonitor",
        "Delay",
        "InvokeRESTAPI",
        "ManualIntervention",
        "ManualValidation",
        "PublishToAzureServiceBus",
        "queryWorkItems",
    }
)
"""Names of the built-in tasks that need no agent (a test compares them with the catalogue)."""


def problem_of_target(job: str, step: Step, *, agentless: bool) -> Problem | None:
    """Why a task cannot run where its job does; None when it can."""
    reference = step.task.value
    name, _, version = reference.partition("@")
    if not agentless:
        return _wrong_target(job, step) if name in _SERVER_ONLY and not step.package else None
    if reference in AGENTLESS:
        return None
    if reference not in _ANYWHERE and _runs_on_servers(reference):
        return Problem(
            f"the task '{name}' at version '{version}' is not run in agentless jobs by Sluice",
            step.task.where,
            do=f"those that are: {', '.join(sorted(AGENTLESS))}",
        )
    return _wrong_target(job, step)


def _wrong_target(job: str, step: Step) -> Problem:
    name, _, version = step.task.value.partition("@")
    return Problem(
        f"Job {job}: Step {step.name} references task '{name}' at version '{version}' which is not valid for the given "
        "job target.",
        step.task.where,
    )


@cache
def _runs_on_servers(reference: str) -> bool:
    definition = TaskCatalogue().find_own(reference)
    return definition is not None and any(place.casefold() == _SERVER for place in definition.runs_on)
