"""What a deployment job runs: its hooks in waves, for each batch of machines or each increment. Pure.

A wave starts when the one before it is over; the instances of a wave run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sluice.errors import PipelineError, Problem
from sluice.language.plan import Deployment, Hook, Job
from sluice.runs.executions import names_of
from sluice.runs.phases import ON_FAILURE, Instance
from sluice.storage.environments import VIRTUAL_MACHINE, EnvironmentResource
from sluice.values import dataclass

_ITERATED = frozenset({"deploy", "routeTraffic", "postRouteTraffic"})
_ENDINGS = "on."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The environment that a job deploys to, as it is now; `number` is its id for jobs (0: there is none)."""

    name: str = ""
    number: int = 0
    resources: tuple[EnvironmentResource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """A hook for some resources of a target (None: the environment as a whole)."""

    hook: Hook
    resources: Sequence[EnvironmentResource | None] = (None,)
    increment: str = ""


def deployment_instances(
    job: Job, deployment: Deployment, target: Target, *, increments: Sequence[str] = (), at_once: int = 0
) -> list[Instance]:
    """The instances of a deployment job; `increments` are those of a canary, `at_once` the size of a rolling batch.

    Raises `PipelineError` when the environment lacks what the job deploys to.
    """
    chosen = chosen_resources(job, deployment, target)
    rounds = list(_rounds(deployment, chosen, increments, at_once or len(chosen)))
    count = sum(len(one.resources) for one in rounds)
    return [
        _instance(job, deployment, target, one, resource, wave=wave, alone=count == 1)
        for wave, one in enumerate(rounds, start=1)
        for resource in one.resources
    ]


def chosen_resources(job: Job, deployment: Deployment, target: Target) -> tuple[EnvironmentResource, ...]:
    """The resources of the environment that a job names, or all its machines where the job is for machines."""
    written = deployment.environment
    if written is None:
        return ()
    if name := written.resource_name or written.resource_id:
        found = [one for one in target.resources if name.casefold() in {one.name.casefold(), str(one.number)}]
        if not found:
            raise _lacks(job, f"the environment '{target.name}' has no resource '{name}'", target, name=name)
        return tuple(found)
    if deployment.strategy != "rolling" and written.resource_type.casefold() != VIRTUAL_MACHINE.casefold():
        return ()
    tags = {tag.casefold() for tag in written.tags}
    machines = tuple(
        one for one in target.resources if one.type == VIRTUAL_MACHINE and tags <= {tag.casefold() for tag in one.tags}
    )
    if not machines:
        such = f" with the tags {', '.join(written.tags)}" if tags else ""
        raise _lacks(job, f"the environment '{target.name}' has no virtual machines{such}", target, name="NAME")
    return machines


def batch_size(text: str, count: int) -> int:
    """How many machines a rolling `maxParallel` means, of `count`: a number, or a percentage of them.

    Raises `ValueError` for a text that is neither.
    """
    if not text.strip():
        return count
    digits = text.strip().removesuffix("%").strip()
    number = int(digits[:9]) if digits.isdecimal() else 0
    if not number:
        raise ValueError(f"'{text}' is no number of machines and no percentage")
    return min(count, max(1, count * number // 100)) if text.strip().endswith("%") else min(count, number)


def variables_of(deployment: Deployment, details: Mapping[str, Any]) -> dict[str, str]:
    """The predefined variables of an instance of a deployment job."""
    hook = str(details.get("hook", ""))
    name, number = details.get("environment", ("", 0))
    values = {
        "Strategy.Name": deployment.strategy,
        "Strategy.CycleName": _cycle(hook),
        "Strategy.Action": "deploy" if not hook.startswith(_ENDINGS) else _ending(hook),
        "Environment.Name": str(name),
        "Environment.Id": str(number or ""),
        "Environment.ResourceName": str(details.get("resource", "")),
        "Environment.ResourceId": str(details.get("resourceId", "")),
    }
    increment = str(details.get("increment", ""))
    return values | ({"Strategy.Increment": increment} if increment else {})


def _cycle(hook: str) -> str:
    if hook.startswith(_ENDINGS):
        return "PostIteration"
    return "Iteration" if hook in _ITERATED else "PreIteration"


def _ending(hook: str) -> str:
    return "reject" if hook == ON_FAILURE else "promote"


def _rounds(
    deployment: Deployment, chosen: Sequence[EnvironmentResource], increments: Sequence[str], at_once: int
) -> Iterator[_Round]:
    main = [hook for hook in deployment.hooks if not hook.name.startswith(_ENDINGS)]
    if deployment.strategy == "canary":
        where = chosen[:1] or (None,)
        yield from (_Round(hook=hook, resources=where) for hook in main if hook.name not in _ITERATED)
        for increment in increments:
            yield from (
                _Round(hook=hook, resources=where, increment=increment) for hook in main if hook.name in _ITERATED
            )
    elif deployment.strategy == "rolling":
        for start in range(0, len(chosen), at_once):
            yield from (_Round(hook=hook, resources=chosen[start : start + at_once]) for hook in main)
    else:
        yield from (_Round(hook=hook, resources=chosen or (None,)) for hook in main)
    yield from (_Round(hook=hook) for hook in deployment.hooks if hook.name.startswith(_ENDINGS))


def _instance(
    job: Job,
    deployment: Deployment,
    target: Target,
    one: _Round,
    resource: EnvironmentResource | None,
    *,
    wave: int,
    alone: bool,
) -> Instance:
    parts = [one.hook.name, one.increment]
    details: dict[str, Any] = {"hook": one.hook.name, "wave": wave, "environment": [target.name, target.number]}
    if one.increment:
        details["increment"] = one.increment
    if resource is not None:
        details |= {"resource": resource.name, "resourceId": resource.number}
        parts.append(resource.name if deployment.strategy != "canary" else "")
    name = "_".join(filter(None, parts))
    return Instance(
        name=name,
        display_name=job.display_name if alone else f"{job.display_name} {name}",
        steps=names_of(one.hook.steps),
        details=details,
    )


def _lacks(job: Job, what: str, target: Target, *, name: str) -> PipelineError:
    do = f"sluice environment add-resource '{target.name}' {name} --type {VIRTUAL_MACHINE}"
    return PipelineError([Problem(f"job '{job.name}': {what}", job.where, do)])
