"""A service connection as the REST interface shows it: made by naming what is shown, never by dumping what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sluice.rights import Right
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.storage import connections as rows
from sluice.storage import projects
from sluice.storage.permissions import Resource
from sluice.storage.projects import Project

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.server.rest.call import Call
    from sluice.storage.engine import Transaction

Home = tuple[Project, str, str]
"""A project that a connection is in, with its name and description there."""

READY = {"state": "Ready", "statusMessage": ""}


def view(record: ConnectionRecord, base: str, homes: Sequence[Home], *, keeps_keys: bool = False) -> dict[str, Any]:
    """A connection. `homes` are the projects that it is in, with its name and description there, the owner first.

    Secret values are not there; with `keeps_keys`, as in answers to changes, their keys are, without a value.
    """
    parameters: dict[str, str | None] = dict(record.parameters)
    data: dict[str, str | None] = dict(record.data)
    if keeps_keys:
        for place, key in record.secrets | record.references.keys():
            (parameters if place == "parameters" else data)[key] = None
    return {
        "data": data,
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "url": record.url,
        "createdBy": identity_ref(base, record.created_by),
        "description": record.description,
        "authorization": {"parameters": parameters, "scheme": record.scheme},
        "isShared": len(homes) > 1,
        "isOutdated": False,
        "isReady": True,
        "isDisabled": record.disabled,
        "operationStatus": READY,
        "owner": record.owner.capitalize(),
        "creationDate": as_date(record.created_at),
        "modificationDate": as_date(record.modified_at),
        "modifiedBy": identity_ref(base, record.modified_by),
        "serviceEndpointProjectReferences": [
            {"projectReference": {"id": project.guid, "name": project.name}, "name": name, "description": description}
            for project, name, description in homes
        ],
    }


def homes_of(call: Call, transaction: Transaction, home: Project, record: ConnectionRecord) -> list[Home]:
    """The projects that a connection is in and where the caller sees it: the oldest first, since it was made there."""
    places = rows.places(transaction, record.id)
    if len(places) <= 1:
        return [(home, record.name, record.description)]
    return [
        (projects.get(transaction, project_id), name, description)
        for project_id, name, description in places
        if call.caller.guard.allows(transaction, Right.SEE, Resource(project_id, record.id))
    ]


def homes_of_all(call: Call, transaction: Transaction, home: Project) -> Callable[[ConnectionRecord], Sequence[Home]]:
    """The same for every connection of a project, asked once."""
    found = {
        connection_id: [
            (projects.get(transaction, project_id), name, description)
            for project_id, name, description in places
            if call.caller.guard.allows(transaction, Right.SEE, Resource(project_id, connection_id))
        ]
        for connection_id, places in rows.places_of_shared(transaction, home.id).items()
    }
    return lambda record: found.get(record.id) or [(home, record.name, record.description)]
