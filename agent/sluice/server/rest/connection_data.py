"""`connectionData`: who is signed in, and where."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.server.rest.call import Call
from sluice.server.rest.routing import call_of, resource

router = resource("connectionData")
Here = Annotated[Call, Depends(call_of("00d9565f-ed9c-4a06-9a50-00e7896ccab4"))]

_INSTANCE = uuid.UUID("0b5a0a1e-7a3e-4c57-9a39-6b9f53c1c3b8")
_SERVICE = "00025394-6065-48ca-87d9-7f5672854ef7"
"""The id of the service that answers, as clients know it: TFS."""


@router.get("/_apis/connectionData", summary="Who is signed in, and where")
async def connection_data(call: Here) -> Response:
    """Answer whom the credentials speak for."""
    actor = call.caller.actor
    instance = str(uuid.uuid5(_INSTANCE, call.caller.state.settings.organization.casefold()))
    identity: dict[str, Any] = {
        "id": actor.id,
        "descriptor": f"Sluice.Identity;{actor.name}",
        "subjectDescriptor": f"sluice.{actor.id}",
        "providerDisplayName": actor.name,
        "isActive": True,
        "properties": {"Account": {"$type": "System.String", "$value": actor.name}},
    }
    return call.reply(
        {
            "authenticatedUser": identity,
            "authorizedUser": identity,
            "instanceId": instance,
            "deploymentId": instance,
            "deploymentType": "onPremises",
            "locationServiceData": {
                "serviceOwner": _SERVICE,
                "defaultAccessMappingMoniker": "PublicAccessMapping",
                "lastChangeId": -1,
                "lastChangeId64": -1,
            },
        }
    )
