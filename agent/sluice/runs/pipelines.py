"""Pipelines as files: which pipeline a file is, and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan
from sluice.language.tasks import TaskCatalogue
from sluice.runs.predefined import RunFacts, Source, template_variables
from sluice.runs.source import LocalFiles, describe, find_root, read_pipeline
from sluice.storage import pipelines, projects
from sluice.storage.engine import Database
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project

_USUAL_NAMES = frozenset({"azure-pipelines", "azure-pipeline", ".azure-pipelines", "azure_pipelines", "pipeline"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """A pipeline file on this machine, with the repository around it."""

    path: Path
    source: Source
    email: str

    @property
    def name(self) -> str:
        """What the pipeline is called unless somebody renames it: its folder for the usual file names."""
        stem = self.path.name.rpartition(".")[0] or self.path.name
        return self.path.parent.name or stem if stem.casefold() in _USUAL_NAMES else stem

    @property
    def shown(self) -> str:
        """The path from the repository's root, as places in errors show it."""
        return self.path.relative_to(self.source.root).as_posix()


def find_file(path: Path) -> PipelineFile:
    """The pipeline file at a path."""
    path = path.absolute()
    source, email = describe(find_root(path))
    return PipelineFile(path=path, source=source, email=email)


def register(database: Database, project: str, file: PipelineFile, *, by: str, at: float) -> tuple[Project, Pipeline]:
    """The project and the pipeline that the file is; both are made when they are new."""
    with database.read() as transaction:
        known = projects.look_up(transaction, project)
        if known and (found := pipelines.by_source(transaction, known.id, str(file.path))):
            return known, found
    with database.write() as transaction:
        owner = projects.ensure(transaction, project)
        return owner, pipelines.ensure(transaction, owner, name=file.name, source=str(file.path), by=by, at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person gives with a pipeline: parameters, and checkouts of other repositories by alias."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    repositories: Mapping[str, Path] = field(default_factory=dict)


def compile_file(
    file: PipelineFile,
    given: Given,
    *,
    catalogue: TaskCatalogue,
    project: Project,
    pipeline: Pipeline,
    requested_by: str,
    now: float,
) -> Plan:
    """Compile a pipeline file for a run of that pipeline; raises `PipelineError`."""
    facts = RunFacts(
        run_id=0,
        run_name="",
        pipeline_id=pipeline.id,
        pipeline=pipeline.name,
        project=project.name,
        project_id=project.guid,
        requested_by=requested_by,
        email=file.email,
        started=datetime.fromtimestamp(now, UTC).isoformat(" ", "seconds"),
        source=file.source,
    )
    repositories = {alias.casefold(): path for alias, path in given.repositories.items()}
    return compile_pipeline(
        file.shown,
        read_pipeline(file.path),
        files=LocalFiles(root=Path(file.source.root), repositories=repositories),
        parameters=given.parameters,
        predefined=template_variables(facts),
        catalogue=catalogue,
    )
