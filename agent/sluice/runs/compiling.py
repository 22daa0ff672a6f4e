"""Pipelines as files, and the plan of one. Knows no database: checking a pipeline needs none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TypedDict

from sluice.errors import UsageError
from sluice.language.compiler import compile_pipeline, preview_pipeline
from sluice.language.plan import Plan
from sluice.language.tasks import TaskCatalogue
from sluice.runs.predefined import RunFacts, Source, template_variables
from sluice.runs.source import LocalFiles, OtherFiles, describe, find_root, read_pipeline
from sluice.values import dataclass

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
    path = place_of(path)
    source, email = describe(find_root(path))
    return PipelineFile(path=path, source=source, email=email)


def place_of(path: Path) -> Path:
    """Where a pipeline file lies, however its path is typed: a pipeline and its permits belong to that place.

    Links to its folder are followed, so that one file is one pipeline. A link in place of the file itself is not: the
    repository is the one that the link lies in, and what another file has been permitted is not the link's to use. Raises `UsageError`.
    """
    try:
        path = path.absolute()
        return path.parent.resolve() / path.name
    except FileNotFoundError:
        raise UsageError("the current folder does not exist any more", do="change to one that does") from None
    except RuntimeError:
        raise UsageError(f"'{path}' cannot be read", why="its links lead round in a circle") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person gives with a pipeline: parameters, and checkouts of other repositories by alias.

    `others` reads templates of repositories that are not given.
    """

    parameters: Mapping[str, object] = field(default_factory=dict)
    repositories: Mapping[str, Path] = field(default_factory=dict)
    others: OtherFiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who runs what, as predefined variables tell it; ids are 0 and '' for a pipeline that is only looked at."""

    pipeline: str
    requested_by: str
    pipeline_id: int = 0
    project: str = "default"
    project_id: str = ""


def compile_file(file: PipelineFile, given: Given, *, catalogue: TaskCatalogue, identity: Identity) -> Plan:
    """Compile a pipeline file; raises `PipelineError` with every problem."""
    return compile_pipeline(file.shown, read_pipeline(file.path), **_surroundings(file, given, catalogue, identity))


def preview_file(
    file: PipelineFile, given: Given, *, catalogue: TaskCatalogue, identity: Identity, text: str | None = None
) -> str:
    """A pipeline file (or `text` in its place) with its templates and expressions expanded, as YAML.

    Raises `PipelineError`.
    """
    read = read_pipeline(file.path) if text is None else text
    return preview_pipeline(file.shown, read, **_surroundings(file, given, catalogue, identity))


class _Surroundings(TypedDict):
    files: LocalFiles
    parameters: Mapping[str, object]
    predefined: Mapping[str, str]
    catalogue: TaskCatalogue


def _surroundings(file: PipelineFile, given: Given, catalogue: TaskCatalogue, identity: Identity) -> _Surroundings:
    facts = RunFacts(
        run_id=0,
        run_name="",
        pipeline_id=identity.pipeline_id,
        pipeline=identity.pipeline,
        project=identity.project,
        project_id=identity.project_id,
        requested_by=identity.requested_by,
        email=file.email,
        started="",
        source=file.source,
    )
    repositories = {alias.casefold(): path for alias, path in given.repositories.items()}
    return {
        "files": LocalFiles(root=Path(file.source.root), repositories=repositories, others=given.others),
        "parameters": given.parameters,
        "predefined": template_variables(facts),
        "catalogue": catalogue,
    }
