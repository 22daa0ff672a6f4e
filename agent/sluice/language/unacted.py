"""Notes on what a plan asks for and Sluice does not act on, as far as the schema alone does not tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.tasks import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.language.plan import Deployment, Job, Plan, Step
    from sluice.language.problems import Problems

_OF_SELF = {
    "fetchFilter": "the repository is on this machine",
    "lfs": "files kept by Git LFS stay pointers",
    "persistCredentials": "no credentials are used",
    "sparseCheckoutDirectories": "everything is checked out",
    "sparseCheckoutPatterns": "everything is checked out",
}


def note_unacted(plan: Plan, problems: Problems) -> None:
    """Note settings of steps and deployments that do nothing here, each at its place."""
    for stage in plan.stages:
        for job in stage.jobs:
            if job.deployment is not None:
                _note_deployment(job, job.deployment, problems)
            for step in _steps(job):
                if step.task.value == CHECKOUT and not step.implicit:
                    _note_checkout(step, problems)


def _steps(job: Job) -> Iterator[Step]:
    yield from job.steps
    if job.deployment is not None:
        for hook in job.deployment.hooks:
            yield from hook.steps


def _note_deployment(job: Job, deployment: Deployment, problems: Problems) -> None:
    environment = deployment.environment
    if environment is None:
        return
    if environment.resource_type.casefold() == "kubernetes":
        problems.note_at("the resource lends no connection details to the steps: they name a connection", job.where)
    elif environment.resource_name or environment.resource_type or deployment.strategy == "rolling":
        problems.note_at("the steps run where the job is dispatched to, not on the resource that is named", job.where)


def _note_checkout(step: Step, problems: Problems) -> None:
    for name, text in step.inputs.items():
        if name == "workspaceRepo" and text.value.casefold() not in {"", "false"}:
            meaning = "variables follow the number of checkouts"
        elif name in _OF_SELF and step.inputs["repository"].value.casefold() == "self":
            meaning = _OF_SELF[name]
        else:
            continue
        if text.value.casefold() not in {"", "false"}:
            problems.note_at(f"'{name}' of this checkout is not acted on: {meaning}", text.where)
