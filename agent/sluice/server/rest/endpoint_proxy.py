"""Verify: tries a service connection, stored or not yet. No other question is asked of far sides through here.

Secrets that are stored go where they were given for, and nowhere else: with another address than the stored one only
what the request itself brings is used. What a far side answers is not passed on.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.connections import lookup
from sluice.errors import SluiceError, TrustNeededError, VerificationError
from sluice.server.problems import bad_argument, not_found
from sluice.server.rest.bodies import Body
from sluice.server.rest.call import Call
from sluice.server.rest.endpoint_bodies import AuthorizationBody, EndpointBody, Texts
from sluice.server.rest.routing import call_of, resource
from sluice.server.verifying import try_draft, try_update, verify

if TYPE_CHECKING:
    from sluice.storage.projects import Project

router = resource("serviceendpoint")
Here = Annotated[Call, Depends(call_of("cc63bb57-2a5f-4a7a-b79c-c142d308657e"))]

TEST = "testconnection"
_NONE = {"", "0", str(uuid.UUID(int=0))}


class SourceBody(Body):
    """What is asked: `TestConnection`."""

    dataSourceName: str | None = None


class DetailsBody(Body):
    """A connection that is not stored, or not like this."""

    type: str | None = None
    url: str | None = None
    authorization: AuthorizationBody | None = None
    data: Texts | None = None


class ProxyBody(Body):
    """A question to the far side of a connection."""

    dataSourceDetails: SourceBody | None = None
    serviceEndpointDetails: DetailsBody | None = None
    dataSourceName: str | None = None
    endpointId: str | None = None


@router.post("/{project}/_apis/serviceendpoint/endpointproxy", summary="Try a service connection")
def execute(call: Here, project: str, body: ProxyBody, endpointId: str = "") -> Response:
    """Try a connection, and tell whether it works; that the far side refuses is an answer, not an error."""
    name = (body.dataSourceDetails.dataSourceName if body.dataSourceDetails else body.dataSourceName) or ""
    if name.casefold() != TEST:
        raise bad_argument("only the data source 'TestConnection' is asked through here")
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
    try:
        text = _tried(call, home, (endpointId or body.endpointId or "").strip(), body.serviceEndpointDetails)
    except TrustNeededError as needed:
        message = f"{needed.what} ({needed.fingerprint})"
        return call.reply(_result("forbidden", message))
    except VerificationError as error:
        return call.reply(_result(_status(error), str(error)))
    return call.reply({**_result("ok", ""), "result": [text]})


def _tried(call: Call, home: Project, endpoint_id: str, details: DetailsBody | None) -> str:
    catalogue = call.caller.connections.catalogue
    if endpoint_id.casefold() in _NONE:
        if details is None:
            raise bad_argument("there is nothing to try: give endpointId or serviceEndpointDetails")
        return try_draft(call.caller, home.name, _endpoint(details, "").draft(catalogue, None))
    with call.caller.database.read() as transaction:
        record = lookup.seen(transaction, home.id, endpoint_id, call.caller.guard)
    if record is None:
        raise not_found(f"Service connection {endpoint_id[:80]} does not exist.")
    if details is None:
        return verify(call.caller, record)
    return try_update(call.caller, record, _endpoint(details, record.type).update(catalogue, record, None))


def _endpoint(details: DetailsBody, type_name: str) -> EndpointBody:
    return EndpointBody(
        type=details.type or type_name, url=details.url, authorization=details.authorization, data=details.data
    )


def _result(status: str, message: str) -> dict[str, Any]:
    return {
        "result": [],
        "statusCode": status,
        "errorMessage": message,
        "callbackContextParameters": {},
        "callbackRequired": False,
    }


def _status(error: SluiceError) -> str:
    """What clients take for the far side's status, as far as the plugin's words tell it."""
    text = str(error)
    for number, name in (("401", "unauthorized"), ("403", "forbidden"), ("404", "notFound")):
        if number in text:
            return name
    return "badRequest"
