"""Kinds of checks: what decides by itself, without a person, whether a stage may use a resource now.

What a check of a REST API asks, a step of an agentless job may ask too: `InvokeRESTAPI@1`.
"""

from __future__ import annotations

from sluice.plugin import CheckType, Family, Task, TaskRun, hookimpl
from sluice_checks._types import TYPES


def invoke_rest_api(run: TaskRun) -> None:
    """`InvokeRESTAPI@1`: ask a service, and fail unless its answer is as wanted."""
    from sluice_checks._rest_task import run_task

    run_task(run)


@hookimpl
def sluice_check_types() -> tuple[CheckType, ...]:
    return TYPES


@hookimpl
def sluice_family() -> Family:
    return Family(
        tasks=(
            Task(
                "InvokeRESTAPI@1",
                invoke_rest_api,
                id="9c3e8943-130d-4c78-ac63-8af81df62dfb",
                label="Invoke REST API",
                summary="Invoke a REST API as a part of your pipeline",
            ),
        )
    )
