"""The service connections of a project: the list, what was deleted, and the gallery of types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from sluice.connections import expiry, lookup
from sluice.errors import SluiceError
from sluice.rights import Right
from sluice.server.problems import problem_of
from sluice.server.web import words
from sluice.server.web.rendering import home_of, page
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import expiries, permissions, projects, usage
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.server.caller import Caller
    from sluice.storage.deleted import Deleted

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A connection in the list; `expires` are words where it does, `soon` that they are urgent."""

    record: ConnectionRecord
    label: str
    used: float | None
    expires: str
    soon: bool
    gone: bool


@router.get("/{project}/_settings/adminservices")
def connections_page(request: Request, project: str, caller: Signed) -> Response:
    """The list, with when each was used last and when it expires."""
    now = caller.state.clock()
    catalogue = caller.connections.catalogue
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        records = lookup.listed(transaction, home.id, caller.guard)
        ends = expiries.of(transaction, [record.id for record in records])
        used = usage.last_uses(transaction, home.id)
        require = caller.guard.require
        refusal = why_not(lambda: require(transaction, Right.CREATE, Resource(home.id, "")))
    rows = []
    for record in records:
        first = min((one.at for one in ends.get(record.id, ())), default=None)
        kind = catalogue.find(record.type)
        rows.append(
            Row(
                record=record,
                label=kind.label if kind else record.type,
                used=used.get(record.id),
                expires=expiry.phrase(first, now) if first is not None else "",
                soon=first is not None and first - now < expiry.SOON_DAYS * expiry.DAY,
                gone=kind is None,
            )
        )
    return page(
        request, "connections.html", caller, project=home.name, active="connections", rows=rows, refusal=refusal
    )


@router.get("/{project}/_settings/adminservices/deleted")
def deleted_page(request: Request, project: str, caller: Signed) -> Response:
    """What was deleted and can be put back."""
    return _deleted(request, project, caller)


@router.post("/{project}/_settings/adminservices/deleted/{connection}/restore")
def restore(request: Request, project: str, connection: str, caller: Signed) -> Response:
    """Put a deleted connection back."""
    try:
        record = caller.connections.restore(project, connection, by=caller.name)
    except SluiceError as error:
        return _deleted(request, project, caller, error)
    return RedirectResponse(f"{home_of(caller, project)}/_settings/adminservices/{record.id}?said=restored", 303)


def _deleted(request: Request, project: str, caller: Caller, problem: SluiceError | None = None) -> Response:
    found = caller.connections.deleted(project)
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)

        def may(one: Deleted) -> bool:
            resource, require = Resource(home.id, one.row.id), caller.guard.require
            return why_not(lambda: require(transaction, Right.DELETE, resource, one.row.name)) is None

        rows = [(one, may(one)) for one in found]
    status = problem_of(problem).status if problem else 200
    return page(
        request,
        "connections_deleted.html",
        caller,
        project=home.name,
        active="connections",
        deleted=rows,
        problem=problem,
        status=status,
    )


@router.get("/{project}/_settings/adminservices/new")
def gallery(request: Request, project: str, caller: Signed) -> Response:
    """Every type that a plugin or an installed extension offers."""
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        caller.guard.require(transaction, Right.CREATE, Resource(home.id, "", permissions.ENDPOINT))
    kinds = sorted(caller.connections.catalogue.all(), key=lambda kind: words.plain(kind.label).casefold())
    return page(request, "gallery.html", caller, project=home.name, active="connections", kinds=kinds)
