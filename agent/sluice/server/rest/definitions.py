"""Pipelines in the view of build definitions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.runs import pipelines
from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import Body, Number
from sluice.server.rest.call import Call
from sluice.server.rest.lookups import pipeline_of
from sluice.server.rest.pipelines import ConfigurationBody, RepositoryBody, create_of
from sluice.server.rest.projects import reference
from sluice.server.rest.routing import call_of, resource
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project

router = resource("build")
Here = Annotated[Call, Depends(call_of("dbeaf647-6167-421a-bda9-c9327b25e2e6"))]
DEFINITIONS = "/{project}/_apis/build/definitions"


class ProcessBody(Body):
    """How a definition is written: `type` 2 is YAML."""

    type: int | None = None
    yamlFilename: str | None = None


class DefinitionBody(Body):
    """A definition to be made."""

    name: str | None = None
    process: ProcessBody | None = None
    repository: RepositoryBody | None = None


@router.get(DEFINITIONS, summary="The definitions of a project")
def listed(
    call: Here,
    project: str,
    name: str = "",
    definitionIds: str = "",
    top: Annotated[int, Query(alias="$top", ge=1, le=10_000)] = 10_000,
) -> Response:
    """List the pipelines that the caller sees, by name; `*` in a name stands for anything."""
    from fnmatch import fnmatchcase

    ids = {text.strip() for text in definitionIds.split(",") if text.strip()}
    wanted = name.casefold().replace("[", "[[]")
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = [
            one
            for one in pipelines.listed(transaction, home.id, call.caller.guard)
            if (not name or fnmatchcase(one.name.casefold(), wanted)) and (not ids or str(one.id) in ids)
        ]
    return call.collection(_view(call, home, one) for one in found[:top])


@router.get(DEFINITIONS + "/{definitionId}", summary="A definition")
def get(call: Here, project: str, definitionId: Number) -> Response:
    """Get a pipeline by its number."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = pipeline_of(call, transaction, home, definitionId)
    return call.reply(_view(call, home, found))


@router.post(DEFINITIONS, summary="Make a definition")
def create(call: Here, project: str, body: DefinitionBody) -> Response:
    """Make a YAML file a pipeline, as the creation of pipelines does."""
    process = body.process
    if process is None or process.type != 2 or not process.yamlFilename:
        raise bad_argument("a definition here is a YAML file: process.type is 2, process.yamlFilename its path")
    configuration = ConfigurationBody(path=process.yamlFilename, repository=body.repository)
    home, made = create_of(call, project, body.name or "", configuration)
    return call.reply(_view(call, home, made))


def _view(call: Call, home: Project, one: Pipeline) -> dict[str, Any]:
    url = f"{call.base}/{home.guid}/_apis/build/Definitions/{one.id}?revision=1"
    return {
        "_links": {"self": {"href": url}, "web": {"href": f"{call.base}/{home.name}/_build?definitionId={one.id}"}},
        "quality": "definition",
        "drafts": [],
        "id": one.id,
        "name": one.name,
        "url": url,
        "uri": f"vstfs:///Build/Definition/{one.id}",
        "path": "\\",
        "type": "build",
        "queueStatus": "enabled",
        "revision": 1,
        "process": {"type": 2, "yamlFilename": one.source},
        "repository": {"type": "local", "id": one.source},
        "project": reference(call, home),
    }
