"""The resources that a stage uses, each with the place that names it: what its checkpoint is about.

A name may hold macros of variables written at the root of the pipeline. One that they do not resolve is kept as it
is and marked: it is looked up when its step starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from sluice.language.macros import expand, resolve_all
from sluice.language.plan import Text
from sluice.language.tasks import CHECKOUT, ConnectionWanted
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.errors import Location
    from sluice.language.plan import Container, Job, OtherResource, Plan, Pool, Repository, Stage, Step, Variable
    from sluice.language.tasks import TaskCatalogue, TaskDefinition

Kind = Literal["endpoint", "repository", "environment", "variablegroup", "securefile", "queue"]
_ANY = ConnectionWanted("")
_REPOSITORY_TYPES = {
    "github": ConnectionWanted("github"),
    "githubenterprise": ConnectionWanted("githubenterprise"),
    "bitbucket": ConnectionWanted("bitbucket"),
    "svn": ConnectionWanted("subversion"),
}
_OTHER_TYPES = {
    ("package", ""): ConnectionWanted("github"),
    ("webhook", ""): ConnectionWanted("incomingwebhook"),
    ("build", "jenkins"): ConnectionWanted("jenkins"),
}
_OWN_TYPES = frozenset({"git", "tfsgit"})
_REGISTRY = ConnectionWanted("dockerregistry")
_SUBSCRIPTION = ConnectionWanted("azurerm")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUse:
    """One place that names a resource.

    `name` has the macros of root variables replaced; `unresolved` says that others are left in it. `type` and
    `schemes` are what the place takes (service connections only; '' and none: any). `job`, `step` and its `task` are ''
    where the whole stage or run needs it; `input` is the task's own spelling, `written` the pipeline's. `elsewhere` says of
    a repository that its connection protects it (or nothing does: it is public, or a folder in place of it).
    """

    kind: Kind
    name: str
    where: Location
    unresolved: bool = False
    type: str = ""
    schemes: tuple[str, ...] = ()
    job: str = ""
    step: str = ""
    task: str = ""
    input: str = ""
    written: str = ""
    elsewhere: bool = False


def stage_resources(
    plan: Plan, stage: Stage, catalogue: TaskCatalogue, variables: Mapping[str, str] | None = None
) -> tuple[ResourceUse, ...]:
    """What a stage uses, in the order of the file, resources of the whole run first.

    `variables` are further variables known when the run is created: those of queue time and of the pipeline's settings.
    """
    collector = _Collector(plan, catalogue, _root_values(plan, variables or {}))
    return tuple(dict.fromkeys(collector.stage(stage)))


def group_name(plan: Plan, variable: Variable) -> str:
    """The name of the variable group that comes in at a place, macros of root variables replaced as for checkpoints."""
    return _named(plan, variable.value)


def environment_name(plan: Plan, text: Text) -> str:
    """The name of the environment that is written at a place, macros of root variables replaced."""
    return _named(plan, text)


def _named(plan: Plan, text: Text) -> str:
    if "$(" not in text.value:
        return text.value.strip()
    values = _root_values(plan, {})
    return str(expand(text.value, lambda name: values.get(name.casefold()))).strip()


def connection_type_of(repository_type: str) -> str:
    """The type of service connection that opens repositories of a type; '' where several do."""
    return _REPOSITORY_TYPES.get(repository_type, _ANY).type


def is_own(repository: Repository) -> bool:
    """Whether a repository is one of the projects' own: a protected resource itself, without a connection to it."""
    return repository.type in _OWN_TYPES and repository.endpoint is None and not repository.given


def repository_name(repository: Repository) -> str:
    """What a repository is called; an entry without a name is called by its alias."""
    return (repository.name or repository.alias).strip()


def _root_values(plan: Plan, given: Mapping[str, str]) -> Mapping[str, str]:
    values = {name.casefold(): value for name, value in given.items()}
    for variable in plan.variables:
        if variable.group or variable.value.value.startswith("$["):
            values.pop(variable.name.casefold(), None)
        else:
            values[variable.name.casefold()] = variable.value.value
    return {name: str(value) for name, value in resolve_all(values).values.items()}


class _Collector:
    def __init__(self, plan: Plan, catalogue: TaskCatalogue, values: Mapping[str, str]) -> None:
        self._plan = plan
        self._catalogue = catalogue
        self._values = values
        self._containers = {each.alias.casefold(): each for each in plan.containers}
        self._repositories = {each.alias.casefold(): each for each in plan.repositories}

    def stage(self, stage: Stage) -> Iterator[ResourceUse]:
        yield from self._of_run()
        for variable in stage.variables:
            if variable.group:
                yield self._use("variablegroup", variable.value)
        for job in stage.jobs:
            yield from self._of_job(job)

    def _of_run(self) -> Iterator[ResourceUse]:
        for variable in self._plan.variables:
            if variable.group:
                yield self._use("variablegroup", variable.value)
        for alias, repository in self._repositories.items():
            if any(file.casefold().endswith(f"@{alias}") for file in self._plan.files):
                yield from self._of_repository(repository, repository.where)
        for resource in self._plan.resources:
            if resource.connection is not None:
                yield self._use("endpoint", resource.connection, wanted=_wanted_by(resource), written="connection")

    def _of_job(self, job: Job) -> Iterator[ResourceUse]:
        for variable in job.variables:
            if variable.group:
                yield self._use("variablegroup", variable.value, job=job.name)
        deployment = job.deployment
        if deployment is not None and deployment.environment is not None:
            yield self._use("environment", deployment.environment.name, job=job.name)
        pools = [job.pool, *(hook.pool for hook in deployment.hooks)] if deployment is not None else [job.pool]
        for pool in pools:
            yield from self._of_pool(pool, job)
        for text in job.uses_pools:
            yield self._use("queue", text, job=job.name)
        for text in job.uses_repositories:
            yield from self._checked_out(text, job)
        for container in (job.container, *job.services.values()):
            known = self._containers.get(container.value.casefold()) if isinstance(container, Text) else container
            yield from self._of_container(known, job)
        for step in (*job.steps, *(step for hook in (deployment.hooks if deployment else ()) for step in hook.steps)):
            yield from self._of_step(step, job)

    def _of_pool(self, pool: Pool | None, job: Job) -> Iterator[ResourceUse]:
        if pool is not None and pool.name and not pool.server:
            yield self._use("queue", Text(pool.name, pool.where), job=job.name)

    def _of_container(self, container: Container | None, job: Job) -> Iterator[ResourceUse]:
        if container is None or container.endpoint is None:
            return
        acr = container.type.casefold() == "acr"
        written = "azureSubscription" if acr else "endpoint"
        wanted = _SUBSCRIPTION if acr else _REGISTRY
        yield self._use("endpoint", container.endpoint, wanted=wanted, job=job.name, written=written)

    def _of_step(self, step: Step, job: Job) -> Iterator[ResourceUse]:
        if step.target is not None and step.target.container:
            yield from self._of_container(self._containers.get(step.target.container.casefold()), job)
        if step.task.value == CHECKOUT:
            yield from self._checked_out(step.inputs["repository"], job, step)
            return
        if not step.inputs or _needs_nothing(step):
            return
        definition = self._catalogue.find_planned(step.task.value, step.package)
        if definition is not None:
            yield from self._of_inputs(definition, step, job)

    def _of_inputs(self, definition: TaskDefinition, step: Step, job: Job) -> Iterator[ResourceUse]:
        for written, text in step.inputs.items():
            known = definition.input(written)
            if known is None or not text.value.strip():
                continue
            wanted = definition.connections.get(known.name)
            if wanted is not None:
                names = text.value.split(",") if known.name in definition.multiple else [text.value]
                for name in filter(None, map(str.strip, names)):
                    yield self._use(
                        "endpoint",
                        Text(name, text.where),
                        wanted=wanted,
                        job=job.name,
                        step=step,
                        input=known.name,
                        written=written,
                    )
            elif known.type.casefold() == "securefile":
                yield self._use("securefile", text, job=job.name, step=step, input=known.name, written=written)

    def _checked_out(self, text: Text, job: Job, step: Step | None = None) -> Iterator[ResourceUse]:
        alias = text.value.casefold()
        if alias in {"self", "none"}:
            return
        if "$(" in alias:  # known only when the step runs: any of those that are listed may be meant
            for one in self._repositories.values():
                listed = Text(repository_name(one), text.where)
                yield self._use("repository", listed, job=job.name, step=step, elsewhere=not is_own(one))
            return
        repository = self._repositories.get(alias)
        if repository is not None:
            yield from self._of_repository(repository, text.where, job, step)
            return
        kind, in_place, rest = text.value.strip().partition("://")
        name = rest.partition("@")[0].strip("/") if in_place else text.value
        elsewhere = bool(in_place) and kind.casefold() not in _OWN_TYPES
        yield self._use("repository", Text(name, text.where), job=job.name, step=step, elsewhere=elsewhere)

    def _of_repository(
        self, repository: Repository, where: Location, job: Job | None = None, step: Step | None = None
    ) -> Iterator[ResourceUse]:
        name = job.name if job is not None else ""
        text = Text(repository_name(repository), where)
        yield self._use("repository", text, job=name, step=step, elsewhere=not is_own(repository))
        if repository.endpoint is not None:
            wanted = _REPOSITORY_TYPES.get(repository.type, _ANY)
            yield self._use("endpoint", repository.endpoint, wanted=wanted, job=name, step=step, written="endpoint")

    def _use(
        self,
        kind: Kind,
        text: Text,
        *,
        wanted: ConnectionWanted = _ANY,
        job: str = "",
        step: Step | None = None,
        input: str = "",  # noqa: A002  # the word of the field
        written: str = "",
        elsewhere: bool = False,
    ) -> ResourceUse:
        name = str(expand(text.value, lambda variable: self._values.get(variable.casefold())))
        return ResourceUse(
            kind=kind,
            name=name.strip(),
            where=text.where,
            unresolved="$(" in name,
            type=wanted.type,
            schemes=wanted.schemes,
            job=job,
            step=step.name if step is not None else "",
            task=step.task.value if step is not None else "",
            input=input or written,
            written=written,
            elsewhere=elsewhere,
        )


def _wanted_by(resource: OtherResource) -> ConnectionWanted:
    kind = str(resource.properties.get("type", "")).casefold() if resource.kind == "build" else ""
    return _OTHER_TYPES.get((resource.kind, kind), _ANY)


def _needs_nothing(step: Step) -> bool:
    """The tasks that scripts stand for name no resource, so the catalogue need not be read for them."""
    return step.task.value in {"CmdLine@2", "Bash@3", "PowerShell@2"}
