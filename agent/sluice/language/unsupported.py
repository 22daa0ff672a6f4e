"""What is legal in a pipeline and no run of Sluice can do: a run that has it is refused, and validation says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sluice.errors import PipelineError, Problem
from sluice.language.agentless import problem_of_target

if TYPE_CHECKING:
    from sluice.language.plan import Job, Plan, Pool, Step


def refuse_unsupported(plan: Plan) -> None:
    """Raise `PipelineError` with everything in a plan that cannot be run."""
    if problems := tuple(unsupported(plan)):
        raise PipelineError(problems)


def unsupported(plan: Plan) -> Iterator[Problem]:
    """Everything in a plan that cannot be run, each at its place."""
    for stage in plan.stages:
        for job in stage.jobs:
            for step, agentless in _targeted(job):
                if problem := problem_of_target(job.name, step, agentless=agentless):
                    yield problem


def _targeted(job: Job) -> Iterator[tuple[Step, bool]]:
    """The steps of a job, each with whether it runs agentless; the hook of a deployment may have a pool of its own."""
    for step in job.steps:
        yield step, _is_server(job.pool)
    for hook in job.deployment.hooks if job.deployment is not None else ():
        for step in hook.steps:
            yield step, _is_server(hook.pool or job.pool)


def _is_server(pool: Pool | None) -> bool:
    return pool is not None and pool.server
