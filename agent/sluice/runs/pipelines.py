"""Which pipeline a file is: permits belong to it."""

from __future__ import annotations

import contextlib

from sluice.authorization.roles import PIPELINE
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.homes import home_for
from sluice.errors import NotFoundError, NotPermittedError
from sluice.rights import Right
from sluice.runs.compiling import PipelineFile
from sluice.storage import pipelines, projects, runs
from sluice.storage.engine import Database, Transaction
from sluice.storage.names import clean_name
from sluice.storage.permissions import Resource
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project
from sluice.storage.runs import RunRow


def look_up(transaction: Transaction, project: str, file: PipelineFile) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is, or would become: what is new has the number 0."""
    owner = projects.look_up(transaction, project) or Project(0, "", clean_name(project))
    source = str(file.path)
    if found := pipelines.by_source(transaction, owner.id, source):
        return owner, found
    return owner, Pipeline(0, owner.id, pipelines.free_name(transaction, owner.id, file.name), source)


def register_in(
    transaction: Transaction, project: str, file: PipelineFile, *, by: str, at: float, guard: Guard = UNRESTRICTED
) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is; both are made when they are new and the person may make them.

    A pipeline that comes to be like this, by a run of its file, is permitted nothing: see `pipeline_creation`.
    """
    owner = home_for(transaction, guard, project, at=at)
    source = str(file.path)
    if found := pipelines.by_source(transaction, owner.id, source):
        return owner, found
    guard.require(transaction, Right.CREATE, Resource(owner.id, "", PIPELINE))
    made = pipelines.ensure(transaction, owner, name=file.name, source=source, by=by, at=at)
    guard.created(transaction, resource_of(made), made.name, at=at)
    return owner, made


def register(
    database: Database, project: str, file: PipelineFile, *, by: str, at: float, guard: Guard = UNRESTRICTED
) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is, for whoever has no transaction open."""
    with database.read() as transaction:
        owner, pipeline = look_up(transaction, project, file)
    if pipeline.id:
        return owner, pipeline
    with database.write() as transaction:
        return register_in(transaction, project, file, by=by, at=at, guard=guard)


def resource_of(pipeline: Pipeline) -> Resource:
    """The pipeline as what roles are given on."""
    return Resource(pipeline.project_id, str(pipeline.id), PIPELINE)


def listed(transaction: Transaction, project_id: int, guard: Guard = UNRESTRICTED) -> tuple[Pipeline, ...]:
    """The pipelines of a project that the person sees, by name."""
    seen = guard.seen(transaction, project_id, PIPELINE)
    return tuple(one for one in pipelines.listed(transaction, project_id) if seen(str(one.id)))


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> Pipeline:
    """The pipeline of that name, number or file; raises `NotFoundError` also for one that the person does not see."""
    if (found := pipelines.look_up(transaction, project_id, name)) and guard.allows(
        transaction, Right.SEE, resource_of(found)
    ):
        return found
    raise pipelines.not_found(name, [one.name for one in listed(transaction, project_id, guard)])


def require_seen_or_new(transaction: Transaction, guard: Guard, project_id: int, found: Pipeline | None) -> None:
    """Raise `NotPermittedError` unless the person sees a pipeline, or may make those of the project that it does not see.

    Who may do neither is told nothing about what a pipeline could use.
    """
    if found is None or not guard.allows(transaction, Right.SEE, resource_of(found)):
        guard.require(transaction, Right.CREATE, Resource(project_id, "", PIPELINE))


def require_seen(transaction: Transaction, guard: Guard, run_id: int) -> RunRow:
    """A run; raises `NotFoundError` also for one of a pipeline that the person does not see."""
    run = runs.get(transaction, run_id)
    if run and guard.allows(transaction, Right.SEE, resource_of_run(run)):
        return run
    raise no_run(run_id)


def sees(transaction: Transaction, guard: Guard, run: RunRow) -> bool:
    """Whether the person, and the access token that speaks for it, see a run."""
    with contextlib.suppress(NotPermittedError):
        return guard.allows(transaction, Right.SEE, resource_of_run(run))
    return False


def no_run(run_id: int) -> NotFoundError:
    """What whoever names a run is told that is not there, or not for them to see."""
    return NotFoundError(f"there is no run {run_id}", do="see 'sluice runs list'")


def resource_of_run(run: RunRow) -> Resource:
    """A run's pipeline as what roles are given on."""
    return Resource(run.project_id, str(run.pipeline_id), PIPELINE)


def require_queue(transaction: Transaction, guard: Guard, run: RunRow) -> None:
    """Raise `NotPermittedError` unless the person may start and stop runs of a run's pipeline."""
    guard.require(transaction, Right.USE, resource_of_run(run), run.pipeline)
