"""What the runtime is given to run a job, and the ports it asks through."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Protocol

from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.values import dataclass


class Result(enum.StrEnum):
    """Result of a step, job, stage or run, in the words of timeline records; later ones are worse."""

    SUCCEEDED = "Succeeded"
    SUCCEEDED_WITH_ISSUES = "SucceededWithIssues"
    FAILED = "Failed"
    CANCELED = "Canceled"
    SKIPPED = "Skipped"
    ABANDONED = "Abandoned"


class Execution(enum.StrEnum):
    """Which of a task's executions a step is: before the job's steps, among them, or after them in reverse order."""

    PRE = "pre"
    MAIN = "main"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVariable:
    """A job variable; a `Secret` value is masked and never reaches the environment by itself.

    With `preserve_case` its name keeps its letters in the environment, else they become upper case.
    """

    name: str
    value: str | Secret
    readonly: bool = False
    preserve_case: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInput:
    """An input that names service connections, several separated by commas; or a secure file (in `file_inputs`).

    `name` is the task's own spelling, `written` the pipeline's (an alias, perhaps), `type` and `schemes` what the
    task accepts ('' and none: anything), `where` the place of the value in the pipeline.
    """

    name: str
    written: str
    type: str = ""
    schemes: tuple[str, ...] = ()
    where: str = ""


class Outcome(enum.StrEnum):
    """How the wait of a step of an agentless job ended."""

    ELAPSED = "elapsed"
    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timedOut"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """What a step of an agentless job waits for: until a time, or for a person.

    `kind` is `delay` or `manualvalidation`, `seconds` how long it waits at most; `properties` are for whoever decides.
    """

    kind: str
    seconds: float
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """What ended the wait of a step: time alone, or a person (`by`) with a comment."""

    outcome: Outcome
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRequest:
    """One step. `id` is its timeline record's, `task` is `Name@Major`, `inputs` have the task's own spelling.

    With `package` (`<id>@<version>#<digest>`) the step runs that installed package, else what Sluice or a plugin has for the
    task; the executions of one step have one `name`. `condition` is '' for `succeeded()`; `timeout_seconds` is 0
    for no limit of its own; `settable` is None when any variable may be set by a logging command; `implicit` marks the
    checkout that nobody wrote; `answer` is what the step of an agentless job has waited for. `target` is the alias of
    the container that it runs in, '' for the host.
    """

    id: str
    name: str
    display_name: str
    task: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    connection_inputs: tuple[ConnectionInput, ...] = ()
    file_inputs: tuple[ConnectionInput, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    continue_on_error: bool = False
    timeout_seconds: float = 0
    retry_count: int = 0
    restricted: bool = False
    settable: tuple[str, ...] | None = None
    where: str = ""
    package: str = ""
    execution: Execution = Execution.MAIN
    implicit: bool = False
    answer: StepAnswer | None = None
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job has come: enough to go on after a pause or a crash.

    `next_step` is the index of the first step that has not finished, `variables` all job variables as they are now,
    `outputs` those of finished steps as `step.name`, `prepended_paths` newest first, `result` the job's status so far;
    `task_variables` are what the executions of a step keep for each other, by the step's name; `used_seconds` is what
    the job has used of its time, which a pause does not count to; `masked` the secrets that the job goes on to mask, with
    their names: those of connections too while it is suspended, since what earlier steps made of them is still there.
    """

    next_step: int = 0
    variables: tuple[JobVariable, ...] = ()
    outputs: Mapping[str, str | Secret] = field(default_factory=dict)
    prepended_paths: tuple[str, ...] = ()
    result: Result = Result.SUCCEEDED
    task_variables: Mapping[str, Mapping[str, str | Secret]] = field(default_factory=dict)
    used_seconds: float = 0
    masked: tuple[tuple[str, Secret], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRepository:
    """A repository of `resources.repositories`, or one that a checkout names in place, for the job to check out.

    `alias` is what the step calls it, `commit` the one that the run is about ('' when that is found out at checkout),
    `endpoint` the service connection's name, `path` a checkout on this machine to take it from instead; `options` are
    inputs of the checkout that the step may leave empty.
    """

    alias: str
    type: str = "git"
    name: str = ""
    ref: str = ""
    commit: str = ""
    endpoint: str = ""
    path: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContainer:
    """A container that a job starts: its own, that of a service, or one that steps target.

    `alias` is unique in the job, ignoring case, and what steps call it; a service has a `service` name, by which the
    network knows it. `endpoint` names the service connection of its registry ('' for none), `connection_input` the
    input of the starting step that opens it; with `subscription` it is an Azure subscription's instead, whose identity
    logs in at the registry of the image. Texts may hold macros of the job's variables. `docker_socket` maps the
    engine's own socket, `local_image` never pulls; `read_only` are the folders of the job mounted so: of `work`,
    `externals`, `tools` and `tasks`.
    """

    alias: str
    image: str
    service: str = ""
    endpoint: str = ""
    connection_input: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    options: str = ""
    docker_socket: bool = False
    local_image: bool = False
    subscription: bool = False
    read_only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One attempt of one job.

    `identifier` is `Stage.Job` (or `Stage.Job.Leg`). `work` is the work folder (`Agent.WorkFolder`), `workspace` the
    job's own folder below it (`Pipeline.Workspace`); `repository` is the checked-out repository that `checkout: self`
    takes its files from, and `private` are folders that it never copies, such as where Sluice keeps its state and keys;
    `repositories` are the others that it may check out, `containers` those that it starts.
    `progress` is set when the job goes on where it stopped; a `server` job is agentless: it has no folders.
    """

    run_id: int
    id: str
    identifier: str
    display_name: str
    work: Path
    workspace: Path
    repository: Path | None = None
    private: tuple[Path, ...] = ()
    repositories: tuple[JobRepository, ...] = ()
    containers: tuple[JobContainer, ...] = ()
    attempt: int = 1
    variables: tuple[JobVariable, ...] = ()
    steps: tuple[StepRequest, ...] = ()
    timeout_seconds: float = 3600
    cancel_timeout_seconds: float = 300
    workspace_clean: str = ""
    server: bool = False
    progress: JobProgress | None = None


class ConnectionSource(Protocol):
    """Opens a service connection for one step, at the moment the step starts."""

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        """The connection called `name`.

        Raises `PermissionPendingError` when the job has to wait for a Permit, another `SluiceError` when the
        connection does not exist, does not fit the input, or is refused: then the step fails with its text.
        """
