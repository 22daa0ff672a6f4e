"""`sluice run`: compile a pipeline, make a run of it, and drive it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.breakpoints import Breaks, break_options
from sluice.cli.installation import current_user
from sluice.cli.output import output_option, project_option
from sluice.cli.session import opened_orchestrator, task_catalogue
from sluice.errors import NotFoundError, UsageError
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.runs.creation import NewRun
    from sluice.runs.orchestrator import Orchestrator
    from sluice.secret import Secret
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow

DEFAULT_FILE = "azure-pipelines.yml"


def pairs(kind: str, values: Sequence[str]) -> Mapping[str, str]:
    """`K=V` options as a mapping; raises `UsageError` for one without `=`, and for a name that is there twice."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--{kind} takes NAME=VALUE, not '{value}'")
        if name.strip().casefold() in {known.casefold() for known in found}:
            raise UsageError(f"--{kind} names '{name.strip()}' twice")
        found[name.strip()] = text
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a person asks to run; `asks` says that there is somebody to ask what to permit."""

    file: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    stages: Sequence[str] = ()
    jobs: Sequence[str] = ()
    permits: Sequence[str] = ()
    repositories: Mapping[str, Path] = field(default_factory=dict)
    branch: str = ""
    untrusted: str = ""
    project: str = "default"
    detach: bool = False
    asks: bool = False
    breaks: Breaks = field(default_factory=Breaks)


def create_run(orchestrator: Orchestrator, asked: RunRequest) -> RunRow:
    """Compile the pipeline and store a run of it."""
    from sluice.cli.template_permits import permitting, templates_of
    from sluice.runs.checkouts import local, pinned, without_given
    from sluice.runs.compiling import Given, Identity, compile_file, find_file
    from sluice.runs.creation import NewRun, create
    from sluice.runs.pipelines import look_up, register_in
    from sluice.runs.selection import select
    from sluice.runs.task_changes import void_permits

    user = current_user()
    orchestrator.store.check_key()  # a key that cannot be used keeps the run from being made
    file = find_file(asked.file)
    source = replace(file.source, branch=asked.branch or file.source.branch, untrusted=asked.untrusted)
    file = replace(file, source=source)

    def identify() -> tuple[Project, Pipeline]:
        with orchestrator.database.read() as transaction:
            return look_up(transaction, asked.project, file)

    def register(transaction: Transaction) -> tuple[Project, Pipeline]:
        guard = orchestrator.store.guard
        return register_in(transaction, asked.project, file, by=user, at=orchestrator.clock(), guard=guard)

    def compiled() -> Plan:
        project, pipeline = identify()
        identity = Identity(
            pipeline=pipeline.name,
            pipeline_id=pipeline.id,
            project=project.name,
            project_id=project.guid,
            requested_by=user,
        )
        return compile_file(file, given, catalogue=task_catalogue(), identity=identity)

    def prepare(transaction: Transaction, new: NewRun) -> NewRun:
        """What is refused leaves nothing behind: the pipeline and its permits are stored with the run."""
        project, pipeline = register(transaction)
        voided.extend(void_permits(transaction, plan, pipeline, by=user, at=orchestrator.clock()))
        _permit(transaction, orchestrator, plan, pipeline, asked, by=user)
        return replace(new, project=project, pipeline=pipeline)

    voided: list[str] = []
    others = templates_of(orchestrator, lambda: identify()[1], source)
    given = Given(parameters=asked.parameters, repositories=asked.repositories, others=others)
    plan = permitting(compiled, orchestrator, lambda tx: register(tx)[1], permits=asked.permits, asks=asked.asks)
    asked.breaks.check_steps(plan)
    project, pipeline = identify()
    new = NewRun(
        plan=select(without_given(plan, asked.repositories), asked.stages, asked.jobs),
        project=project,
        pipeline=pipeline,
        source=file.source,
        email=file.email,
        requested_by=user,
        variables=asked.variables,
        secrets=asked.secrets,
        repositories=local(asked.repositories) | pinned(others.commits),
        detached=asked.detach,
    )
    run = create(orchestrator, new, prepare=prepare)
    for task in voided:
        click.echo(
            f"sluice: warning: the task {task} was installed with other content since the last run: "
            f"the permits of the pipeline '{pipeline.name}' are void",
            err=True,
        )
    return run


@contextlib.contextmanager
def _no_garbage_yet() -> Iterator[None]:
    """Nothing that is loaded to make a run is garbage: it is not looked through, neither now nor later."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _checked(sources: Sequence[str]) -> Mapping[str, Secret]:
    """The secrets that are given with the run, read now; what is to be said of them is said."""
    if not sources:
        return {}
    from sluice.cli.connection_entry import read_secrets, say
    from sluice.library.changes import fit_draft
    from sluice.library.group import GroupDraft

    contents = fit_draft(GroupDraft(name="run", secrets=read_secrets(sources)))
    for warning in contents.warnings:
        say(f"warning: {warning}")
    return contents.secrets


def _permit(
    transaction: Transaction, orchestrator: Orchestrator, plan: Plan, pipeline: Pipeline, asked: RunRequest, *, by: str
) -> None:
    """Permit connections, else variable groups, environments, files, repositories or pools of that name, which it has to name."""
    from sluice.connections.guard import require_permit
    from sluice.runs.naming import is_named
    from sluice.storage import permissions

    for name in asked.permits:
        resource = _named(transaction, orchestrator, plan, pipeline.project_id, name)
        if permissions.standing(transaction, resource, pipeline.id):
            continue  # also within limits: a Permit in passing does not widen what somebody limited
        if not is_named(
            transaction,
            plan,
            resource,
            name,
            tasks=orchestrator.tasks(),
            connections=orchestrator.store.catalogue,
            variables=asked.variables,
        ):
            raise UsageError(
                f"the pipeline '{pipeline.name}' does not name '{name}', and a Permit would stay",
                do="leave --permit out, or use 'sluice connection permit NAME --pipeline PIPELINE' if you mean it",
            )
        require_permit(orchestrator.store.guard, transaction, resource, name, pipeline.id)
        permissions.grant(transaction, resource, pipeline.id, by=by, at=orchestrator.clock())


def _named(transaction: Transaction, orchestrator: Orchestrator, plan: Plan, project_id: int, name: str) -> Resource:
    """What a name means of all that the person sees, or a repository of the project that the plan names."""
    from sluice.authorization.resources import PROTECTED
    from sluice.connections.catalogue import nearest
    from sluice.rights import Right
    from sluice.runs.access import seen_names
    from sluice.runs.naming import own_repository

    store = orchestrator.store
    for resource in _meant(transaction, project_id, name):
        if store.guard.allows(transaction, Right.SEE, resource):
            return resource
    if repository := own_repository(transaction, plan, project_id, name, tasks=orchestrator.tasks()):
        return repository
    known = [one for kind in PROTECTED for one in seen_names(transaction, store, kind, project_id)]
    hint = nearest(name, known, otherwise="see 'sluice connection list' and 'sluice variable-group list'")
    raise NotFoundError(
        f"there is no service connection, variable group, environment, secure file, repository or pool '{name}'",
        do=hint,
    )


def _meant(transaction: Transaction, project_id: int, name: str) -> Iterator[Resource]:
    from sluice.connections import lookup
    from sluice.library import lookup as groups
    from sluice.library import secure_files as files
    from sluice.library.store import resource_of
    from sluice.storage import environments, permissions, pools, secure_files

    if connection := lookup.find(transaction, project_id, name):
        yield permissions.Resource(project_id, connection.id)
    if group := groups.find(transaction, project_id, name):
        yield resource_of(group)
    if environment := environments.find(transaction, project_id, name):
        yield environments.resource_of(environment)
    if file := files.find(transaction, project_id, name):
        yield secure_files.resource_of(file)
    if pool := pools.find(transaction, project_id, name):
        yield pools.resource_of(pool)


def _pull_request(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    from sluice.authorization.trust import is_pull_request

    if value and not is_pull_request(value):
        raise click.BadParameter(
            f"'{value}' is no pull request's, such as refs/pull/7/merge: any other branch is the one that is checked out"
        )
    return value


branch_option = click.option(
    "--branch",
    default="",
    metavar="REF",
    callback=_pull_request,
    help="The pull request whose changes are checked out.",
)
untrusted_option = click.option(
    "--untrusted",
    type=click.Choice(["fork", "pull-request"]),
    default=None,
    is_flag=False,
    flag_value="fork",
    help="The run runs the changes of strangers: no service connection that does not let it in.",
)


@click.command(epilog="Example: sluice run azure-pipelines.yml --parameter environment=test --stage Build")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline.")
@click.option(
    "--variable", "variables", multiple=True, metavar="NAME=VALUE", help="A variable, as given at queue time."
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=SOURCE",
    help="A secret variable: NAME=- asks (or reads standard input), NAME=@file, NAME=env:VARIABLE.",
)
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Run only this stage (several: repeat).")
@click.option("--job", "jobs", multiple=True, metavar="NAME", help="Run only this job (several: repeat).")
@click.option("--permit", "permits", multiple=True, metavar="NAME", help="Permit this pipeline to use what it names.")
@click.option("--repository", "repositories", multiple=True, metavar="ALIAS=PATH", help="A checkout of a repository.")
@branch_option
@untrusted_option
@click.option("--non-interactive", is_flag=True, help="Never ask: end with status 4 when the run waits for a person.")
@click.option("--detach", is_flag=True, help="Run in the background; follow with 'sluice runs logs ID --follow'.")
@break_options
@click.option("--watch", is_flag=True, help="Run again whenever the pipeline or a file of its repository changes.")
@click.option("--verbose", is_flag=True, help="Show the content of folded groups.")
@project_option
@output_option
def command(
    *,
    file: Path,
    parameters: tuple[str, ...],
    variables: tuple[str, ...],
    secrets: tuple[str, ...],
    stages: tuple[str, ...],
    jobs: tuple[str, ...],
    permits: tuple[str, ...],
    repositories: tuple[str, ...],
    branch: str,
    untrusted: str | None,
    non_interactive: bool,
    detach: bool,
    break_on_failure: bool,
    break_before: tuple[str, ...],
    watch: bool,
    verbose: bool,
    project: str,
    output: str,
) -> int:
    """Run the pipeline FILE (azure-pipelines.yml when none is named) on this machine.

    Exit status: 0 succeeded, 1 failed, 2 bad usage or a pipeline that does not compile, 3 canceled, 4 waiting.
    """
    from sluice.cli.background import go_on_in_background
    from sluice.cli.driving import Manner, drive

    breaks = Breaks(on_failure=break_on_failure, before=break_before)
    manner = Manner(non_interactive=non_interactive, verbose=verbose, output=output, breaks=breaks)
    breaks.check_terminal(manner, detach=detach)
    if watch and (detach or output == "json"):
        raise UsageError(
            f"--watch shows one run after the other, which {'--detach' if detach else '--output json'} does not"
        )
    asked = RunRequest(
        file=file,
        parameters=pairs("parameter", parameters),
        variables=pairs("variable", variables),
        secrets=_checked(secrets),
        stages=stages,
        jobs=jobs,
        permits=permits,
        repositories={name: Path(path) for name, path in pairs("repository", repositories).items()},
        branch=branch,
        untrusted=untrusted or "",
        project=project,
        detach=detach,
        asks=manner.asks and not detach,
        breaks=breaks,
    )
    if watch:
        from sluice.cli.watching import watch_and_run

        return watch_and_run(asked, manner)
    with opened_orchestrator() as orchestrator:
        with _no_garbage_yet():
            run = create_run(orchestrator, asked)
        if detach:
            return go_on_in_background(orchestrator, run.id, output)
        return drive(orchestrator, run.id, manner)
