"""Environments: list, get, make, delete; and the deployments that went to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.library import environments
from sluice.library.environments import EnvironmentStore
from sluice.rights import Right
from sluice.server.problems import not_found
from sluice.server.rest.bodies import Body, Number
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import RECORD_RESULTS
from sluice.storage import environments as rows
from sluice.storage.environments import Environment

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

router = resource("environments")
Here = Annotated[Call, Depends(call_of("8572b1fc-2482-47fa-8f74-7e3ed53ee54b"))]
History = Annotated[Call, Depends(call_of("51bb5d21-4305-4ea6-9dbb-b7488af73334"))]
ENVIRONMENTS = "/{project}/_apis/distributedtask/environments"


class EnvironmentBody(Body):
    """An environment to be made."""

    name: str
    description: str | None = None


@router.get(ENVIRONMENTS, summary="The environments of a project")
def listed(call: Here, project: str, name: str = "") -> Response:
    """List the environments that the caller sees, by name; those with that name, where one is given."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = environments.listed(transaction, home.id, call.caller.guard)
    return call.collection(
        _view(call, home, one) for one in found if not name or one.name.casefold() == name.casefold()
    )


@router.post(ENVIRONMENTS, summary="Make an environment")
def create(call: Here, project: str, body: EnvironmentBody) -> Response:
    """Make an environment; who makes it is its Administrator."""
    caller = call.caller
    with caller.database.write() as transaction:
        home = call.project(transaction, project)
        store = EnvironmentStore(caller.guard, clock=caller.state.clock)
        made = store.create(transaction, home.name, body.name, by=caller.name, description=body.description or "")
    return call.reply(_view(call, home, made))


@router.get(ENVIRONMENTS + "/{environmentId}", summary="An environment")
def get(call: Here, project: str, environmentId: Number, expands: str = "") -> Response:
    """Get an environment, with its resources where these are asked for."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = _found(call, transaction, home, environmentId)
        shown = _view(call, home, found)
        if "resourcereferences" in expands.casefold() or expands == "1":
            shown["resources"] = [
                {"id": one.number, "name": one.name, "type": one.type, "tags": list(one.tags)}
                for one in rows.resources(transaction, found)
            ]
    return call.reply(shown)


@router.delete(ENVIRONMENTS + "/{environmentId}", summary="Delete an environment")
def delete(call: Here, project: str, environmentId: Number) -> Response:
    """Delete an environment with its permits and checks."""
    caller = call.caller
    with caller.database.write() as transaction:
        home = call.project(transaction, project)
        found = _found(call, transaction, home, environmentId)
        EnvironmentStore(caller.guard, clock=caller.state.clock).delete(
            transaction, home.name, found.id, by=caller.name
        )
    return nothing()


@router.get(ENVIRONMENTS + "/{environmentId}/environmentdeploymentrecords", summary="The deployments to an environment")
def history(
    call: History, project: str, environmentId: Number, top: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """List the deployments that went to an environment, newest first."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        environment = _found(call, transaction, home, environmentId)
        found = rows.history(transaction, environment, limit=top)
    return call.collection(
        {
            "id": order,
            "environmentId": environment.number,
            "definition": {"name": one.pipeline},
            "owner": {"id": one.run_id, "name": one.run},
            "stageName": one.stage,
            "jobName": one.job,
            "stageAttempt": one.attempt,
            "jobAttempt": one.attempt,
            "startTime": as_date(one.started_at),
            "finishTime": as_date(one.finished_at),
            "result": RECORD_RESULTS.get(one.result),
        }
        for order, one in enumerate(found, start=1)
    )


def _found(call: Call, transaction: Transaction, home: Project, number: int) -> Environment:
    for one in rows.listed(transaction, home.id):
        if one.number == number and call.caller.guard.allows(transaction, Right.SEE, rows.resource_of(one)):
            return one
    raise not_found(f"Environment with ID {number} does not exist.", "EnvironmentNotFoundException")


def _view(call: Call, home: Project, one: Environment) -> dict[str, Any]:
    person = identity_ref(call.base, one.created_by)
    return {
        "id": one.number,
        "name": one.name,
        "description": one.description,
        "createdBy": person,
        "createdOn": as_date(one.created_at),
        "lastModifiedBy": person,
        "lastModifiedOn": as_date(one.created_at),
        "project": {"id": home.guid, "name": home.name},
    }
