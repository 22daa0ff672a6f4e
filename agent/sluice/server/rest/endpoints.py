"""Service endpoints, as the interface calls service connections: list, get, create, update, share, delete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sluice.connections import lookup, sharing
from sluice.connections.connection import ConnectionRecord, Update
from sluice.errors import ConflictError, NotFoundError
from sluice.rights import Right
from sluice.server.problems import Problem, bad_argument, not_found
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.endpoint_bodies import EndpointBody, ReferenceBody, references_of
from sluice.server.rest.endpoint_view import Home, homes_of, homes_of_all, view
from sluice.server.rest.routing import call_of, resource
from sluice.storage import connections as rows
from sluice.storage import projects
from sluice.storage.engine import Transaction
from sluice.storage.names import is_guid, name_key
from sluice.storage.permissions import ENDPOINT, Resource
from sluice.storage.projects import Project

router = resource("serviceendpoint")
Here = Annotated[Call, Depends(call_of("e85f1c62-adfc-4b74-b618-11a150fb195e"))]
Above = Annotated[Call, Depends(call_of("14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0"))]
Old = Annotated[Call, Depends(call_of("86e77201-c1f7-46c9-8672-9dfc2f6f568a"))]

IN_PROJECT = "/{project}/_apis/serviceendpoint/endpoints"
ABOVE = "/_apis/serviceendpoint/endpoints"
FIRST, LARGEST = 50, 800
"""Connections that are read and sent at a time: the first ones come at once."""

_ACTIONS = {"manage": Right.EDIT, "2": Right.EDIT, "use": Right.USE, "16": Right.USE}


@router.get(IN_PROJECT, summary="The service connections of a project")
async def list_endpoints(
    call: Here,
    project: str,
    type: str = "",
    authSchemes: str = "",
    endpointIds: str = "",
    endpointNames: str | None = None,
    owner: str = "",
    actionFilter: str = "",
) -> Response:
    """List the connections that the caller sees, filtered; names and ids that there are not are left out."""
    wanted = Filter(
        types=_texts(type),
        schemes=_texts(authSchemes),
        ids=_texts(endpointIds),
        names=None if endpointNames is None else frozenset(map(name_key, endpointNames.split(","))),
        owners=_texts(owner),
    )
    found = _listed(call, project, wanted, _ACTIONS.get(actionFilter.casefold()))
    if not wanted.few:
        return await run_in_threadpool(call.listing, found)
    # what names single connections is asked all the time: where nothing waits for another machine, it is read here
    if call.caller.state.memory.local:
        return call.lasting(call.collection(chain.from_iterable(found)))
    return call.lasting(await run_in_threadpool(call.collection, chain.from_iterable(found)))


def _listed(call: Call, project: str, wanted: Filter, right: Right | None) -> Iterator[list[dict[str, Any]]]:
    """The connections of a project as they are shown, in batches, as one transaction sees them."""
    guard = call.caller.guard
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        sees = guard.seen(transaction, home.id, ENDPOINT)
        homes = partial(homes_of, call, transaction, home) if wanted.few else homes_of_all(call, transaction, home)
        for batch in wanted.batches(transaction, home.id):
            yield [
                view(one, call.base, homes(one))
                for row in batch
                if sees(row.id) and wanted.takes(one := lookup.to_record(row))
                if right is None or guard.allows(transaction, right, Resource(home.id, one.id))
            ]


@router.get(ABOVE, summary="The service connections of all projects")
def list_everywhere(call: Above, type: str = "", owner: str = "") -> Response:
    """List the connections of a type and an owner that the caller sees, each once, with the projects it is in."""
    owners = _texts(owner)
    found: dict[str, tuple[ConnectionRecord, list[Home]]] = {}
    with call.caller.database.read() as transaction:
        known = {one.id: one for one in projects.listed(transaction)}
        for row in rows.of_type(transaction, type.strip()):
            record = lookup.to_record(row)
            sees = call.caller.guard.allows(transaction, Right.SEE, Resource(record.project_id, record.id))
            if sees and (not owners or record.owner.casefold() in owners):
                place = (known[record.project_id], record.name, record.description)
                found.setdefault(record.id, (record, []))[1].append(place)
    return call.collection(view(record, call.base, homes) for record, homes in found.values())


@router.get(IN_PROJECT + "/{endpointId}", summary="A service connection")
def get_endpoint(call: Here, project: str, endpointId: str, actionFilter: str = "") -> Response:
    """Get a connection by its id; `null` where there is none, as clients expect after a deletion."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = lookup.seen(transaction, home.id, endpointId, call.caller.guard) if is_guid(endpointId) else None
        right = _ACTIONS.get(actionFilter.casefold())
        if found and right and not call.caller.guard.allows(transaction, right, Resource(home.id, found.id)):
            found = None
        homes = homes_of(call, transaction, home, found) if found else []
    return call.lasting(call.reply(view(found, call.base, homes) if found else None))


@router.post(ABOVE, summary="Create a service connection")
def create(call: Above, body: EndpointBody) -> Response:
    """Store a new connection in the first project that it names, and share it with the others."""
    references = references_of(body.serviceEndpointProjectReferences)
    if not references:
        raise bad_argument(
            "a service connection names the project that it is in: give serviceEndpointProjectReferences"
        )
    return _create(call, references[0].project, body, references)


@router.post(IN_PROJECT, summary="Create a service connection in a project, or refresh the tokens of some")
async def create_in_project(request: Request, call: Here, project: str, endpointIds: str = "") -> Response:
    """Store a new connection; with `endpointIds`, answer those: whatever they need is made anew at each use."""
    from pydantic import ValidationError

    if endpointIds:
        return await list_endpoints(call, project, endpointIds=endpointIds)
    try:
        body = EndpointBody.model_validate(await request.json())
    except (ValidationError, ValueError, RecursionError):
        raise bad_argument("the body is no service endpoint") from None
    references = references_of(body.serviceEndpointProjectReferences)
    return await run_in_threadpool(_create, call, project, body, references)


@router.put(ABOVE + "/{endpointId}", summary="Update a service connection")
def update(call: Above, endpointId: str, body: EndpointBody, operation: str = "") -> Response:
    """Change a connection; a secret that is not sent stays, unless the address changes."""
    return call.reply(_update(call, endpointId, body, ""))


@router.put(IN_PROJECT + "/{endpointId}", summary="Update a service connection of a project")
def update_in_project(call: Here, project: str, endpointId: str, body: EndpointBody, operation: str = "") -> Response:
    """As the update without a project."""
    return call.reply(_update(call, endpointId, body, project))


@router.put(ABOVE, summary="Update several service connections")
def update_many(call: Above, bodies: list[EndpointBody]) -> Response:
    """Change connections, one after the other."""
    return call.collection([_update(call, body.id or "", body, "") for body in bodies])


@router.patch(ABOVE + "/{endpointId}", summary="Share a service connection")
def share(call: Above, endpointId: str, references: list[ReferenceBody]) -> Response:
    """Let a connection be in further projects."""
    return _share(call, endpointId, references)


@router.patch("/_apis/serviceendpoint/share/{endpointId}", summary="Share a service connection (old)")
def share_old(call: Old, endpointId: str, references: list[ReferenceBody]) -> Response:
    """As `share`."""
    return _share(call, endpointId, references)


@router.delete(ABOVE + "/{endpointId}", summary="Delete a service connection, or take it out of projects")
def delete(call: Above, endpointId: str, projectIds: Annotated[str, Query()], deep: bool = False) -> Response:
    """Take a connection out of projects; the last one takes it with it."""
    wanted = [one.strip() for one in projectIds.split(",") if one.strip()]
    if not wanted:
        raise bad_argument("'projectIds' names no project")
    for project in wanted:
        _delete(call, project, endpointId)
    return nothing()


@router.delete(IN_PROJECT + "/{endpointId}", summary="Delete a service connection of a project")
def delete_in_project(call: Here, project: str, endpointId: str, deep: bool = False) -> Response:
    """Take a connection out of a project; the last one takes it with it."""
    _delete(call, project, endpointId)
    return nothing()


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
        self._ids = ids
        rest = (("type", types), ("scheme", schemes), ("id", ids), ("owner", owners))
        self._rest = tuple((name, wanted) for name, wanted in rest if wanted)

    @property
    def few(self) -> bool:
        """Whether single connections are named."""
        return self._names is not None or bool(self._ids)

    def batches(self, transaction: Transaction, project_id: int) -> Iterator[Sequence[rows.PublicRow]]:
        """The rows among which those are that are asked for, by name: those that are named, or all, some at a time."""
        if self._names is not None:
            named = (rows.by_name(transaction, project_id, name) for name in sorted(self._names))
            yield [row for row in named if row]
            return
        if self._ids:
            by_id = (rows.by_id(transaction, project_id, one) for one in self._ids)
            yield sorted((row for row in by_id if row), key=lambda row: name_key(row.name))
            return
        size, batch = FIRST, rows.listed_after(transaction, project_id, "", FIRST)
        while batch:
            yield batch
            if len(batch) < size:
                return
            after, size = name_key(batch[-1].name), min(2 * size, LARGEST)
            batch = rows.listed_after(transaction, project_id, after, size)

    def takes(self, record: ConnectionRecord) -> bool:
        """Whether a connection is asked for."""
        if self._names is not None and name_key(record.name) not in self._names:
            return False
        return all(getattr(record, name).casefold() in wanted for name, wanted in self._rest)


def _create(call: Call, project: str, body: EndpointBody, references: Sequence[ReferenceBody]) -> Response:
    store, by = call.caller.connections, call.caller.name
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        others = [(call.project(transaction, one.project), one) for one in references]
    first = next((one for there, one in others if there.id == home.id), None)
    draft = body.draft(store.catalogue, first)
    try:
        made = store.create(home.name, draft, by=by).record
    except ConflictError as error:
        # clients recognize it by the status and the type, as odd as they are
        message = f"Service connection with name {draft.name} already exists. {error.do}"
        raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "DuplicateServiceConnectionException", message) from None
    for there, one in others:
        if there.id != home.id:
            sharing.share(
                store,
                home.name,
                made.id,
                there.name,
                by=by,
                at=call.caller.state.clock(),
                local_name=one.name or made.name,
            )
    with call.caller.database.read() as transaction:
        return call.reply(view(made, call.base, homes_of(call, transaction, home, made), keeps_keys=True))


def _update(call: Call, endpoint_id: str, body: EndpointBody, project: str) -> dict[str, object]:
    store, by = call.caller.connections, call.caller.name
    with call.caller.database.read() as transaction:
        references = references_of(body.serviceEndpointProjectReferences)
        here = {call.project(transaction, one.project).id: one for one in references}
        home, record = _found(call, transaction, endpoint_id, project, here)
    change = body.update(store.catalogue, record, here.get(home.id))
    after = store.update(home.name, record.id, change, by=by).record
    for other, reference in _elsewhere(call, record, here, home):
        store.update(other.name, record.id, Update(name=reference.name, description=reference.description), by=by)
    with call.caller.database.read() as transaction:
        return view(after, call.base, homes_of(call, transaction, home, after), keeps_keys=True)


def _elsewhere(
    call: Call, record: ConnectionRecord, here: dict[int, ReferenceBody], home: Project
) -> list[tuple[Project, ReferenceBody]]:
    """The other projects that the connection is in already, with its name there as it is wanted."""
    with call.caller.database.read() as transaction:
        known = {project_id for project_id, _, _ in rows.places(transaction, record.id)}
        return [
            (projects.get(transaction, project_id), reference)
            for project_id, reference in here.items()
            if project_id != home.id and project_id in known and reference.name
        ]


def _found(
    call: Call, transaction: Transaction, endpoint_id: str, project: str, preferred: dict[int, ReferenceBody]
) -> tuple[Project, ConnectionRecord]:
    """A connection that the caller sees, in the project that is named, or in the first that is preferred, or at all."""
    if project:
        home = call.project(transaction, project)
        if found := lookup.seen(transaction, home.id, endpoint_id, call.caller.guard):
            return home, found
    elif is_guid(endpoint_id):
        places = [project_id for project_id, _, _ in rows.places(transaction, endpoint_id.strip().lower())]
        for project_id in sorted(places, key=lambda one: (one not in preferred, one)):
            if found := lookup.seen(transaction, project_id, endpoint_id, call.caller.guard):
                return projects.get(transaction, project_id), found
    raise _missing(endpoint_id)


def _share(call: Call, endpoint_id: str, references: Sequence[ReferenceBody]) -> Response:
    store, now = call.caller.connections, call.caller.state.clock()
    with call.caller.database.read() as transaction:
        home, record = _found(call, transaction, endpoint_id, "", {})
        targets = [(call.project(transaction, one.project), one) for one in references_of(references)]
    if not targets:
        raise bad_argument("no project is named: give projectReference")
    for there, one in targets:
        name = one.name or record.name
        sharing.share(store, home.name, record.id, there.name, by=call.caller.name, at=now, local_name=name)
    return nothing()


def _delete(call: Call, project: str, endpoint_id: str) -> None:
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
    if not is_guid(endpoint_id):
        raise _missing(endpoint_id)
    try:
        call.caller.connections.delete(home.name, endpoint_id, by=call.caller.name)
    except NotFoundError:
        raise _missing(endpoint_id) from None


def _missing(endpoint_id: str) -> Problem:
    return not_found(f"Service connection {endpoint_id[:80]} does not exist.", "ServiceEndpointNotFoundException")


def _texts(joined: str) -> frozenset[str]:
    return frozenset(one.strip().casefold() for one in joined.split(",") if one.strip())
