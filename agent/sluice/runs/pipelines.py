"""Which pipeline a file is: permits belong to it."""

from __future__ import annotations

from sluice.runs.compiling import PipelineFile
from sluice.storage import pipelines, projects
from sluice.storage.engine import Database, Transaction
from sluice.storage.names import clean_name
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project


def look_up(transaction: Transaction, project: str, file: PipelineFile) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is, or would become: what is new has the number 0."""
    owner = projects.look_up(transaction, project) or Project(0, "", clean_name(project))
    source = str(file.path)
    if found := pipelines.by_source(transaction, owner.id, source):
        return owner, found
    return owner, Pipeline(0, owner.id, pipelines.free_name(transaction, owner.id, file.name), source)


def register_in(
    transaction: Transaction, project: str, file: PipelineFile, *, by: str, at: float
) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is; both are made when they are new."""
    owner = projects.ensure(transaction, project)
    return owner, pipelines.ensure(transaction, owner, name=file.name, source=str(file.path), by=by, at=at)


def register(database: Database, project: str, file: PipelineFile, *, by: str, at: float) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is, for whoever has no transaction open."""
    with database.read() as transaction:
        owner, pipeline = look_up(transaction, project, file)
    if pipeline.id:
        return owner, pipeline
    with database.write() as transaction:
        return register_in(transaction, project, file, by=by, at=at)
