"""What `resources.pipelines` stand for in a new run: for each the newest run that fits, fixed when the run is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.errors import NotFoundError
from sluice.language.plan import OtherResource
from sluice.runs.keeping import full_ref
from sluice.runs.predefined import user_id
from sluice.storage import pipelines, run_tags, runs

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow

PREFIX = "resources.pipeline"
_GOOD = ("Succeeded", "SucceededWithIssues")
_ANY = (*_GOOD, "Failed", "Canceled")


def resource_variables(transaction: Transaction, plan: Plan, project: Project) -> dict[str, str]:
    """The variables `resources.pipeline.<alias>.*` of a run that is created now.

    A resource without a run that fits has none: a download of it fails, and says so.
    """
    found: dict[str, str] = {}
    for resource in plan.resources:
        if resource.kind != "pipeline" or not _is_of(project, resource):
            continue
        if (pipeline := _source(transaction, project, resource)) is None:
            continue
        run_id = run_tags.newest(
            transaction,
            pipeline.id,
            results=_ANY if _text(resource, "version") else _GOOD,
            tags=tuple(_texts(resource.properties.get("tags"))),
            branch=full_ref(_text(resource, "branch")),
            name=_text(resource, "version"),
        )
        run = runs.get(transaction, run_id) if run_id is not None else None
        if run is not None:
            facts = _facts(project, pipeline, run)
            found |= {f"{PREFIX}.{resource.alias}.{name}": value for name, value in facts.items()}
    return found


def _is_of(project: Project, resource: OtherResource) -> bool:
    name = _text(resource, "project").casefold()
    return not name or name in {project.name.casefold(), project.guid.casefold()}


def _source(transaction: Transaction, project: Project, resource: OtherResource) -> Pipeline | None:
    """The pipeline that a resource names, with or without the folder that it lies in."""
    name = _text(resource, "source") or resource.alias
    for text in dict.fromkeys((name, name.replace("\\", "/").rpartition("/")[2])):
        try:
            return pipelines.find(transaction, project.id, text)
        except NotFoundError:
            continue
    return None


def _facts(project: Project, pipeline: Pipeline, run: RunRow) -> Mapping[str, str]:
    options = run.options
    variables = {name.casefold(): value for name, value, _ in options.get("variables", ())}
    return {
        "projectName": project.name,
        "projectID": project.guid,
        "pipelineName": pipeline.name,
        "pipelineID": str(pipeline.id),
        "runName": run.name,
        "runID": str(run.id),
        "runURI": f"vstfs:///Build/Build/{run.id}",
        "sourceBranch": str(options.get("branch", "")),
        "sourceCommit": str(options.get("version", "")),
        "sourceProvider": str(variables.get("build.repository.provider", "")),
        "requestedFor": run.requested_by,
        "requestedForID": user_id(run.requested_by),
    }


def _text(resource: OtherResource, name: str) -> str:
    value = resource.properties.get(name)
    return value.strip() if isinstance(value, str) else ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        yield from (one for one in value if isinstance(one, str))
