"""The Plan: a compiled pipeline, every value with the place it was written at.

A plan is plain, frozen data: `encode` and `decode` turn it into JSON values and back, unchanged. What is evaluated
only later (conditions, `$[ ]`, macros) is kept as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from sluice.errors import Location
from sluice.values import dataclass

NOWHERE = Location("")


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the pipeline after expansion, and where it was written."""

    value: str
    where: Location

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable definition, or (with `group`) a place where a variable group comes in."""

    name: str
    value: Text
    readonly: bool = False
    group: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Where a job wants to run: `name` is '' for the default; `server` means agentless."""

    name: str = ""
    vm_image: str = ""
    demands: tuple[str, ...] = ()
    server: bool = False
    where: Location = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A step's `target`: container alias or `host`, and what logging commands may do."""

    container: str = ""
    restricted: bool = False
    settable: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; every kind of step is a task (`script:` is `CmdLine@2`).

    `name` is the reference name, unique in its job; one that was not written (`named` is false) becomes `CmdLine1` and
    so on. `task` is `Name@Major` in the catalogue's spelling. `inputs` have aliases as written. `condition` is None for
    the default. `implicit` marks the `checkout: self` that nobody wrote. `package` is set when the step runs an
    installed package (`<id>@<version>#<digest>`, none other); `executions` are then those it has, of `pre`, `main` and `post`.
    """

    task: Text
    name: str
    display_name: str
    named: bool = False
    inputs: Mapping[str, Text] = field(default_factory=dict)
    env: Mapping[str, Text] = field(default_factory=dict)
    condition: Text | None = None
    continue_on_error: Text | None = None
    timeout_minutes: Text | None = None
    retry_count: int = 0
    target: Target | None = None
    implicit: bool = False
    package: str = ""
    executions: tuple[str, ...] = ()
    where: Location = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """`matrix` (legs, or a `$[ ]` text), or `parallel` slices; `max_parallel` as written."""

    matrix: Mapping[str, Mapping[str, Text]] | Text | None = None
    parallel: Text | None = None
    max_parallel: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A life-cycle hook of a deployment: `preDeploy`, `deploy`, ..., `on.failure`, `on.success`."""

    name: str
    steps: tuple[Step, ...]
    pool: Pool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The environment that a deployment job goes to."""

    name: Text
    resource_name: str = ""
    resource_id: str = ""
    resource_type: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What makes a job a deployment job."""

    environment: Environment | None
    strategy: Literal["runOnce", "rolling", "canary"]
    hooks: tuple[Hook, ...] = ()
    max_parallel: Text | None = None
    increments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a job, a service or a resource; `alias` is '' where it was written in place."""

    alias: str
    image: Text
    endpoint: Text | None = None
    type: str = ""
    properties: Mapping[str, Text] = field(default_factory=dict)
    env: Mapping[str, Text] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    mount_read_only: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as written (a phase): with a strategy it runs as several instances.

    `depends_on` names jobs of the same stage. `steps` is empty for a deployment job, whose hooks have them. `services`
    are containers by the name that the network knows them by: an alias or an image as a text, or one written in place.
    """

    name: str
    display_name: str
    steps: tuple[Step, ...] = ()
    depends_on: tuple[str, ...] = ()
    condition: Text | None = None
    variables: tuple[Variable, ...] = ()
    continue_on_error: Text | None = None
    timeout_minutes: Text | None = None
    cancel_timeout_minutes: Text | None = None
    strategy: Strategy | None = None
    deployment: Deployment | None = None
    pool: Pool | None = None
    container: Container | Text | None = None
    services: Mapping[str, Text | Container] = field(default_factory=dict)
    workspace_clean: str = ""
    uses_repositories: tuple[Text, ...] = ()
    uses_pools: tuple[Text, ...] = ()
    where: Location = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage; the implicit one is called `__default`."""

    name: str
    display_name: str
    jobs: tuple[Job, ...] = ()
    depends_on: tuple[str, ...] = ()
    condition: Text | None = None
    variables: tuple[Variable, ...] = ()
    pool: Pool | None = None
    lock_behavior: str = ""
    manual: bool = False
    skippable: bool = True
    where: Location = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """An entry of `resources.repositories`; `given`: a folder is taken in place of what its connection opens."""

    alias: str
    type: str
    name: str = ""
    ref: str = ""
    endpoint: Text | None = None
    checkout_options: Mapping[str, str] = field(default_factory=dict)
    where: Location = NOWHERE
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherResource:
    """An entry of `resources.pipelines`, `builds`, `packages` or `webhooks`; `connection` is the one it names."""

    kind: Literal["pipeline", "build", "package", "webhook"]
    alias: str
    connection: Text | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    where: Location = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedFile:
    """A template that was extended: the repository that it was read from, as it was declared then, and its path.

    The names in `Plan.extends` do not tell: a file may be called `x.yml@templates`, an alias declared anew.
    """

    repository: Repository
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled pipeline.

    `run_name` is the number format ('' for the default). `triggers` keeps `trigger`, `pr` and `schedules` as written.
    `files` lists every file read, `extends` the chain of templates that the entry file extends, `extended` where each of
    them was read.
    """

    file: str
    stages: tuple[Stage, ...]
    variables: tuple[Variable, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    run_name: str = ""
    append_commit_message: bool = True
    lock_behavior: str = ""
    pool: Pool | None = None
    repositories: tuple[Repository, ...] = ()
    containers: tuple[Container, ...] = ()
    resources: tuple[OtherResource, ...] = ()
    triggers: Mapping[str, object] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    extends: tuple[str, ...] = ()
    extended: tuple[ExtendedFile, ...] = ()
    notes: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        """Every step of the pipeline, in the order of the file; those of a deployment are its hooks'."""
        for stage in self.stages:
            for job in stage.jobs:
                yield from job.steps
                for hook in job.deployment.hooks if job.deployment is not None else ():
                    yield from hook.steps

    def stage(self, name: str) -> Stage:
        """The stage of that name, ignoring case."""
        wanted = name.casefold()
        return next(stage for stage in self.stages if stage.name.casefold() == wanted)
