"""The step that nobody writes: before all others it starts the containers that a job has, or that its steps name. Pure."""

from __future__ import annotations

from dataclasses import replace

from sluice.errors import Location
from sluice.language.plan import Job, Pool, Step, Text
from sluice.language.tasks import CONTAINERS

NAME = "Initialize containers"
"""The name of the step, which no written one can have: it holds a blank."""


def with_containers_started(job: Job) -> Job:
    """The job, its steps (or those of each hook) led by the one that starts containers where there may be some.

    An agentless job has no machine for them.
    """
    if _is_server(job.pool):
        return job
    if job.deployment is not None:
        hooks = tuple(
            replace(hook, steps=_led(job, hook.steps, job.where)) if hook.steps and not _is_server(hook.pool) else hook
            for hook in job.deployment.hooks
        )
        return replace(job, deployment=replace(job.deployment, hooks=hooks))
    return replace(job, steps=_led(job, job.steps, job.where)) if job.steps else job


def names_container(step: Step) -> bool:
    """Whether the step says that it runs in a container other than the job's own."""
    return step.target is not None and step.target.container.casefold() not in {"", "host"}


def _is_server(pool: Pool | None) -> bool:
    return pool is not None and pool.server


def _led(job: Job, steps: tuple[Step, ...], where: Location) -> tuple[Step, ...]:
    if job.container is None and not job.services and not any(map(names_container, steps)):
        return steps
    start = Step(task=Text(CONTAINERS, where), name=NAME, display_name=NAME, implicit=True, where=where)
    return (start, *steps)
