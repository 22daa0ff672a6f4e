"""The containers that a job starts: its own, those of its services, and those that its steps target. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from sluice.language.container_steps import names_container
from sluice.language.plan import Container, Job, Step, Text
from sluice.language.tasks import CONTAINERS
from sluice.runtime.request import ConnectionInput, JobContainer, StepRequest
from sluice.values import dataclass

REGISTRY = "dockerregistry"
SUBSCRIPTION = "azurerm"
"""The types of the connections that open registries."""

OWN = "job"
"""What the job's container is called where the pipeline gives it no alias."""

Evaluate = Callable[[Text], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContainers:
    """The containers of a job, and the alias of the one that its steps run in unless they say otherwise."""

    own: str = ""
    containers: tuple[JobContainer, ...] = ()


def containers_of(listed: Iterable[Container], job: Job, steps: Sequence[Step], evaluate: Evaluate) -> JobContainers:
    """What a job starts. `evaluate` tells what a text that names a container means now; '' means none."""
    known = {each.alias.casefold(): each for each in listed}
    found: dict[str, JobContainer] = {}
    own = _named(known, job.container, evaluate, OWN)
    if own is not None:
        found[own.alias.casefold()] = own
    for name, service in job.services.items():
        one = _named(known, service, evaluate, name)
        if one is not None:
            names = itertools.chain((one.alias, name), (f"{name}_{number}" for number in itertools.count(2)))
            alias = next(each for each in names if each.casefold() not in found)
            found[alias.casefold()] = replace(one, alias=alias, service=name, connection_input=_input(alias))
    for step in steps:
        alias = step.target.container if step.target is not None and names_container(step) else ""
        if alias and alias.casefold() not in found and (container := known.get(alias.casefold())):
            found[alias.casefold()] = _request(container, container.alias)
    return JobContainers(own=own.alias if own is not None else "", containers=tuple(found.values()))


def target_of(step: Step, containers: JobContainers) -> str:
    """The alias of the container that a step runs in; '' for the host."""
    written = step.target.container.casefold() if step.target is not None else ""
    if written == "host":
        return ""
    if not written:
        return containers.own
    by_name = {each.service.casefold(): each.alias for each in containers.containers if each.service}
    by_name |= {each.alias.casefold(): each.alias for each in containers.containers}
    return by_name.get(written, written)


def starting(step: StepRequest, containers: JobContainers, where: Mapping[str, str]) -> StepRequest:
    """The step as one that opens the registries of the containers that it starts, if it is such a step.

    `where` says, by alias, where the pipeline names the connection.
    """
    if step.task != CONTAINERS:
        return step
    closed = [each for each in containers.containers if each.endpoint]
    asked = tuple(
        ConnectionInput(
            name=each.connection_input,
            written="azureSubscription" if each.subscription else "endpoint",
            type=SUBSCRIPTION if each.subscription else REGISTRY,
            where=where.get(each.alias.casefold(), ""),
        )
        for each in closed
    )
    return replace(step, inputs={each.connection_input: each.endpoint for each in closed}, connection_inputs=asked)


def places(listed: Iterable[Container], job: Job) -> Mapping[str, str]:
    """Where the pipeline names the connections of containers, by alias in lower case."""
    found = {each.alias.casefold(): str(each.endpoint.where) for each in listed if each.endpoint is not None}
    in_place = {OWN: job.container} | {name.casefold(): each for name, each in job.services.items()}
    for alias, container in in_place.items():
        if isinstance(container, Container) and container.endpoint is not None:
            found[alias] = str(container.endpoint.where)
    return found


def _named(
    known: Mapping[str, Container], written: Container | Text | None, evaluate: Evaluate, alias: str
) -> JobContainer | None:
    """What a place of the pipeline means: a listed container by its alias, else an image by its name."""
    if written is None:
        return None
    if isinstance(written, Container):
        return _request(written, alias)
    name = evaluate(written).strip()
    if not name:
        return None
    listed = known.get(name.casefold())
    if listed is not None:
        return _request(listed, listed.alias)
    return JobContainer(alias=alias, image=name, connection_input=_input(alias))


def _request(container: Container, alias: str) -> JobContainer:
    properties = {name.casefold(): text.value.strip() for name, text in container.properties.items()}
    return JobContainer(
        alias=alias,
        image=container.image.value.strip(),
        endpoint=container.endpoint.value.strip() if container.endpoint is not None else "",
        connection_input=_input(alias),
        env={name: text.value for name, text in container.env.items()},
        ports=container.ports,
        volumes=container.volumes,
        options=properties.get("options", ""),
        docker_socket=properties.get("mapdockersocket", "").casefold() == "true",
        local_image=properties.get("localimage", "").casefold() == "true",
        subscription=container.type.casefold() == "acr",
        read_only=frozenset(name for name, chosen in container.mount_read_only.items() if chosen),
    )


def _input(alias: str) -> str:
    return f"{alias}.endpoint"
