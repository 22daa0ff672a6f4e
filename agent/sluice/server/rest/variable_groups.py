"""Variable groups: list, get, make, change, delete. Secret values never leave; one that is not sent stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.library import lookup
from sluice.library.group import GroupDraft, GroupUpdate, VariableGroup
from sluice.secret import Secret
from sluice.server.problems import bad_argument, not_found
from sluice.server.rest.bodies import Body, Number
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.endpoint_bodies import ReferenceBody
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.routing import call_of, resource
from sluice.storage import projects

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

router = resource("variablegroups")
Here = Annotated[Call, Depends(call_of("f5b09dd5-9d54-45a1-8b5a-1c8287d634cc"))]
Above = Annotated[Call, Depends(call_of("ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7"))]
GROUPS = "/{project}/_apis/distributedtask/variablegroups"
ABOVE = "/_apis/distributedtask/variablegroups"


class VariableBody(Body):
    """A variable; a secret without a value stays as it is stored."""

    value: str | None = None
    isSecret: bool | None = None


class GroupBody(Body):
    """A variable group, whole."""

    name: str | None = None
    description: str | None = None
    type: str | None = None
    variables: dict[str, VariableBody] | None = None
    variableGroupProjectReferences: list[ReferenceBody] | None = None


@router.get(GROUPS, summary="The variable groups of a project")
def listed(call: Here, project: str, groupName: str = "", groupIds: str = "") -> Response:
    """List the groups that the caller sees, by name; `*` in a name stands for anything."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = lookup.listed(transaction, home.id, call.caller.guard)
    ids = {text.strip() for text in groupIds.split(",") if text.strip()}
    return call.collection(
        _view(call, home, one) for one in found if _fits(one.name, groupName) and (not ids or str(one.number) in ids)
    )


@router.get(GROUPS + "/{groupId}", summary="A variable group")
def get(call: Here, project: str, groupId: Number) -> Response:
    """Get a group; `null` where there is none."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = _found(call, transaction, home, groupId)
    return call.reply(_view(call, home, found) if found else None)


@router.post(ABOVE, summary="Make a variable group")
def create(call: Above, body: GroupBody) -> Response:
    """Make a group in the project that it names."""
    references = [one for one in body.variableGroupProjectReferences or () if one.project]
    if not references:
        raise bad_argument("a variable group names the project that it is in: give variableGroupProjectReferences")
    with call.caller.database.read() as transaction:
        home = call.project(transaction, references[0].project)
    draft = GroupDraft(
        name=references[0].name or body.name or "",
        description=body.description or references[0].description or "",
        variables={name: one.value or "" for name, one in (body.variables or {}).items() if not one.isSecret},
        secrets={name: Secret(one.value) for name, one in (body.variables or {}).items() if one.isSecret and one.value},
    )
    made = call.caller.groups.create(home.name, draft, by=call.caller.name)
    return call.reply(_view(call, home, made.group))


@router.put(ABOVE + "/{groupId}", summary="Change a variable group")
def update(call: Above, groupId: Number, body: GroupBody) -> Response:
    """Change a group to what is sent; a secret without a value stays as it is stored."""
    with call.caller.database.read() as transaction:
        home, group = _anywhere(call, transaction, groupId)
    sent = body.variables
    change = GroupUpdate(
        name=body.name,
        description=body.description,
        variables={name: one.value or "" for name, one in (sent or {}).items() if not one.isSecret},
        secrets={name: Secret(one.value) for name, one in (sent or {}).items() if one.isSecret and one.value},
        unset=() if sent is None else tuple(name for name in group.names() if name not in sent),
    )
    after = call.caller.groups.update(home.name, group.id, change, by=call.caller.name)
    return call.reply(_view(call, home, after.group))


@router.delete(ABOVE + "/{groupId}", summary="Delete a variable group")
def delete(call: Above, groupId: Number, projectIds: Annotated[str, Query()] = "") -> Response:
    """Delete a group with its permits."""
    with call.caller.database.read() as transaction:
        home, group = _anywhere(call, transaction, groupId)
    call.caller.groups.delete(home.name, group.id, by=call.caller.name)
    return nothing()


def _found(call: Call, transaction: Transaction, home: Project, number: int) -> VariableGroup | None:
    found = lookup.listed(transaction, home.id, call.caller.guard)
    return next((one for one in found if one.number == number), None)


def _anywhere(call: Call, transaction: Transaction, number: int) -> tuple[Project, VariableGroup]:
    for home in projects.listed(transaction):
        if found := _found(call, transaction, home, number):
            return home, found
    raise not_found(f"Variable group {number} does not exist.", "VariableGroupNotFoundException")


def _fits(name: str, wanted: str) -> bool:
    from fnmatch import fnmatchcase

    return not wanted or fnmatchcase(name.casefold(), wanted.casefold().replace("[", "[[]"))


def _view(call: Call, home: Project, one: VariableGroup) -> dict[str, Any]:
    hidden = {name: {"value": None, "isSecret": True} for name in (*one.secrets, *one.references)}
    plain = {name: {"value": value} for name, value in one.variables.items()}
    return {
        "variables": {name: {**plain, **hidden}[name] for name in one.names()},
        "id": one.number,
        "type": "Vsts",
        "name": one.name,
        "description": one.description,
        "createdBy": identity_ref(call.base, one.created_by),
        "createdOn": as_date(one.created_at),
        "modifiedBy": identity_ref(call.base, one.modified_by),
        "modifiedOn": as_date(one.modified_at),
        "isShared": False,
        "variableGroupProjectReferences": [
            {
                "projectReference": {"id": home.guid, "name": home.name},
                "name": one.name,
                "description": one.description,
            }
        ],
    }
