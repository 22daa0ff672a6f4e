"""Projects: list them, get one, make one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.identity.administration import Administration
from sluice.server.problems import Problem
from sluice.server.rest.bodies import Body
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import encode
from sluice.server.rest.routing import call_of, resource
from sluice.storage import projects
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, is_guid
from sluice.storage.projects import Project

router = resource("projects")
Operations = Annotated[Call, Depends(call_of("9a1b74b4-2ca8-4a9f-8470-c2f2e6fdc949"))]
Here = Annotated[Call, Depends(call_of("603fe2ac-9723-48b9-88ad-09305aa6c6e1"))]
_MAX_SHOWN = 100
PROCESS, PROCESS_ID = "Basic", "b8a3a935-7e91-48b8-a94c-606d37c3e9f2"
"""What clients ask after in a project."""


def named(transaction: Transaction, name: str) -> Project:
    """The project of that name or id; raises `Problem` in the words that clients look for."""
    found = projects.by_guid(transaction, name) if is_guid(name) else projects.look_up(transaction, name)
    if found:
        return found
    shown = clean_name(name)[:_MAX_SHOWN]
    raise Problem(
        HTTPStatus.NOT_FOUND,
        "ProjectDoesNotExistWithNameException",
        f"TF200016: The following project does not exist: {shown}. Verify that the name of the project is correct and "
        "that the project exists on the specified Azure DevOps Server.",
    )


def reference(call: Call, project: Project) -> dict[str, Any]:
    """A project as lists show it."""
    return {
        "id": project.guid,
        "name": project.name,
        "url": f"{call.base}/_apis/projects/{project.guid}",
        "state": "wellFormed",
        "revision": 1,
        "visibility": "private",
        "lastUpdateTime": "0001-01-01T00:00:00Z",
    }


@router.get("/_apis/projects", summary="The projects")
def list_projects(call: Here) -> Response:
    """List the projects, by name."""
    call.caller.guard.require_scope("vso.project")
    with call.caller.database.read() as transaction:
        return call.collection(reference(call, project) for project in projects.listed(transaction))


@router.get("/_apis/projects/{projectId}", summary="A project, by id or name")
def get_project(projectId: str, call: Here) -> Response:
    """Get a project."""
    call.caller.guard.require_scope("vso.project")
    with call.caller.database.read() as transaction:
        project = named(transaction, projectId)
    whole = reference(call, project)
    return call.reply(
        {
            **whole,
            "capabilities": {
                "processTemplate": {"templateName": PROCESS, "templateTypeId": PROCESS_ID},
                "versioncontrol": {"sourceControlType": "Git", "gitEnabled": "True", "tfvcEnabled": "False"},
            },
            "_links": {
                "self": {"href": whole["url"]},
                "collection": {"href": call.base},
                "web": {"href": f"{call.base}/{project.name}"},
            },
        }
    )


class ProjectBody(Body):
    """A project to be made."""

    name: str
    description: str | None = None
    visibility: str | int | None = None
    capabilities: dict[str, Any] | None = None


@router.post("/_apis/projects", summary="Make a project", status_code=202)
def create(call: Here, body: ProjectBody) -> Response:
    """Make a project; that is done at once, so the operation that is answered is over."""
    caller = call.caller
    with caller.database.write() as transaction:
        made = Administration(caller.guard).create_project(transaction, body.name, at=caller.state.clock())
    return Response(encode(_operation(call, made.guid)), 202, media_type=call.media_type)


@router.delete("/_apis/projects/{projectId}", summary="Delete a project", status_code=202)
def delete(call: Here, projectId: str) -> Response:
    """Delete an empty project."""
    caller = call.caller
    with caller.database.write() as transaction:
        project = named(transaction, projectId)
        Administration(caller.guard).delete_project(transaction, project.name, at=caller.state.clock())
    return Response(encode(_operation(call, project.guid)), 202, media_type=call.media_type)


@router.get("/_apis/operations/{operationId}", summary="An operation")
def operation(call: Operations, operationId: str) -> Response:
    """Tell how an operation stands: whatever is begun here is done at once."""
    if not is_guid(operationId):
        raise Problem(
            HTTPStatus.NOT_FOUND, "OperationNotFoundException", "there is no such operation: it does not exist."
        )
    return call.reply(_operation(call, operationId.strip().lower()))


def _operation(call: Call, identity: str) -> dict[str, Any]:
    return {"id": identity, "status": "succeeded", "url": f"{call.base}/_apis/operations/{identity}"}
