"""A service connection as the REST interface shows it: made by naming what is shown, never by dumping what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sluice.server.rest.envelope import as_date, identity_ref

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.storage.projects import Project

READY = {"state": "Ready", "statusMessage": ""}


def view(
    record: ConnectionRecord, base: str, homes: Sequence[tuple[Project, str, str]], *, keeps_keys: bool = False
) -> dict[str, Any]:
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
