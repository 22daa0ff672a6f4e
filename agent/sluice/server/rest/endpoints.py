"""Service endpoints, as the interface calls service connections: list and get."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from sluice.connections import lookup
from sluice.connections.connection import ConnectionRecord
from sluice.server.rest.call import Call
from sluice.server.rest.endpoint_view import view
from sluice.server.rest.routing import call_of, resource
from sluice.storage.projects import Project

router = resource("serviceendpoint")
Here = Annotated[Call, Depends(call_of("e85f1c62-adfc-4b74-b618-11a150fb195e"))]


@router.get("/{project}/_apis/serviceendpoint/endpoints", summary="The service connections of a project")
def list_endpoints(
    call: Here,
    project: str,
    type: str = "",
    authSchemes: str = "",
    endpointIds: str = "",
    endpointNames: str | None = None,
    owner: str = "",
) -> Response:
    """List the connections that the caller sees, filtered; names and ids that there are not are left out."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = lookup.listed(transaction, home.id, call.caller.guard)
    wanted = Filter(
        types=_texts(type),
        schemes=_texts(authSchemes),
        ids=_texts(endpointIds),
        names=None if endpointNames is None else _texts(endpointNames),
        owners=_texts(owner),
    )
    return call.collection(view(one, call.base, _home(home, one)) for one in found if wanted.takes(one))


@router.get("/{project}/_apis/serviceendpoint/endpoints/{endpointId}", summary="A service connection")
def get_endpoint(call: Here, project: str, endpointId: str) -> Response:
    """Get a connection by its id; `null` where there is none, as clients expect after a deletion."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = lookup.seen(transaction, home.id, endpointId, call.caller.guard)
    return call.reply(view(found, call.base, _home(home, found)) if found else None)


class Filter:
    """Which connections a list is asked for; texts are compared without case."""

    def __init__(
        self,
        *,
        types: frozenset[str],
        schemes: frozenset[str],
        ids: frozenset[str],
        names: frozenset[str] | None,
        owners: frozenset[str],
    ) -> None:
        self._names = names
        self._rest: tuple[tuple[str, frozenset[str]], ...] = (
            ("type", types),
            ("scheme", schemes),
            ("id", ids),
            ("owner", owners),
        )

    def takes(self, record: ConnectionRecord) -> bool:
        """Whether a connection is asked for."""
        if self._names is not None and record.name.casefold() not in self._names:
            return False
        return all(not wanted or getattr(record, name).casefold() in wanted for name, wanted in self._rest)


def _texts(joined: str) -> frozenset[str]:
    return frozenset(one.strip().casefold() for one in joined.split(",") if one.strip())


def _home(project: Project, record: ConnectionRecord) -> list[tuple[Project, str, str]]:
    return [(project, record.name, record.description)]
