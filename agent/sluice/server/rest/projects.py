"""Projects: list them, get one, make one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.server.problems import Problem
from sluice.server.rest.call import Call
from sluice.server.rest.routing import call_of, resource
from sluice.storage import projects
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, is_guid
from sluice.storage.projects import Project

router = resource("projects")
Here = Annotated[Call, Depends(call_of("603fe2ac-9723-48b9-88ad-09305aa6c6e1"))]
_MAX_SHOWN = 100


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
                "processTemplate": {"templateName": "Basic", "templateTypeId": "b8a3a935-7e91-48b8-a94c-606d37c3e9f2"},
                "versioncontrol": {"sourceControlType": "Git", "gitEnabled": "True", "tfvcEnabled": "False"},
            },
            "_links": {
                "self": {"href": whole["url"]},
                "collection": {"href": call.base},
                "web": {"href": f"{call.base}/{project.name}"},
            },
        }
    )
