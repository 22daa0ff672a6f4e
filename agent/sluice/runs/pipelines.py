"""Which pipeline a file is: permits belong to it."""

from __future__ import annotations

from sluice.runs.compiling import PipelineFile
from sluice.storage import pipelines, projects
from sluice.storage.engine import Database
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project


def register(database: Database, project: str, file: PipelineFile, *, by: str, at: float) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is; both are made when they are new."""
    with database.read() as transaction:
        known = projects.look_up(transaction, project)
        if known and (found := pipelines.by_source(transaction, known.id, str(file.path))):
            return known, found
    with database.write() as transaction:
        owner = projects.ensure(transaction, project)
        return owner, pipelines.ensure(transaction, owner, name=file.name, source=str(file.path), by=by, at=at)
