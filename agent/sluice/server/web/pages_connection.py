"""The page of a service connection: overview, verification, sharing, deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.authorization.resources import ENDPOINT
from sluice.connections import expiry, federation, lookup, sharing
from sluice.connections.catalogue import fields_of
from sluice.errors import SluiceError
from sluice.rights import Right
from sluice.runs.blast_radius import blast_radius
from sluice.runs.permitted import permitted
from sluice.server.problems import problem_of
from sluice.server.verifying import verify
from sluice.server.web import words
from sluice.server.web.rendering import home_of, page
from sluice.server.web.resources import shown
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import expiries, policies, projects, usage
from sluice.storage.permissions import Resource

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=512)]

_SAID = {
    "created": "The service connection is stored. A pipeline that names it waits until somebody permits it.",
    "verified": "It works, and is stored. A pipeline that names it waits until somebody permits it.",
    "changed": "The change is stored.",
    "same": "Nothing was different.",
    "moved": "The change is stored. It leads elsewhere now: stored secrets were dropped unless they were entered again, "
    "and permits were revoked.",
    "restored": "It is back, with its secrets and permits.",
    "shared": "It is shared. No pipeline there may use it yet.",
    "unshared": "It is taken out of that project.",
}

_UNTRUSTED = {"pull-requests": "pull requests of the repository", "forks": "pull requests, forks too"}


@router.get("/{project}/_settings/adminservices/{connection}")
def connection_page(request: Request, project: str, connection: str, caller: Signed, said: str = "") -> Response:
    """What a connection is, but for its secrets."""
    return _overview(request, caller, project, connection, said=_SAID.get(said, ""))


@router.post("/{project}/_settings/adminservices/{connection}/verify")
def verify_page(request: Request, project: str, connection: str, caller: Signed) -> Response:
    """Try it as it is stored, and those that it goes through."""
    store = caller.connections
    try:
        record = store.get(project, connection)
        with caller.database.read() as transaction:
            chain = lookup.chain(transaction, record, store.catalogue)
        told = [f"{one.name}: {verify(caller, one)}" for one in reversed(chain)]
    except SluiceError as error:
        return _overview(request, caller, project, connection, problem=error)
    return _overview(request, caller, project, connection, said="It works.\n" + "\n".join(map(words.plain, told)))


@router.post("/{project}/_settings/adminservices/{connection}/share")
def share(
    request: Request, project: str, connection: str, caller: Signed, target: Text, local_name: Text = ""
) -> Response:
    """Let it be in another project too."""

    def act() -> None:
        at = caller.state.clock()
        sharing.share(caller.connections, project, connection, target, by=caller.name, at=at, local_name=local_name)

    return _done(request, caller, project, connection, act, "shared")


@router.post("/{project}/_settings/adminservices/{connection}/unshare")
def unshare(request: Request, project: str, connection: str, caller: Signed, target: Text) -> Response:
    """Take it out of a project that it was shared with."""

    def act() -> None:
        sharing.unshare(caller.connections, project, connection, target, by=caller.name, at=caller.state.clock())

    return _done(request, caller, project, connection, act, "unshared")


@router.get("/{project}/_settings/adminservices/{connection}/delete")
def delete_form(request: Request, project: str, connection: str, caller: Signed) -> Response:
    """What a deletion would break, before it is done."""
    record = caller.connections.get(project, connection)
    caller.connections.require_delete(record)
    breaks = blast_radius(caller.connections, record)
    return page(
        request,
        "connection_delete.html",
        caller,
        project=project,
        active="connections",
        record=record,
        breaks=breaks,
    )


@router.post("/{project}/_settings/adminservices/{connection}/delete")
def delete(project: str, connection: str, caller: Signed) -> Response:
    """Delete it; for 30 days it can be put back."""
    caller.connections.delete(project, connection, by=caller.name)
    return RedirectResponse(f"{home_of(caller, project)}/_settings/adminservices/deleted", 303)


def _done(request: Request, caller: Caller, project: str, connection: str, act: Any, said: str) -> Response:
    try:
        act()
    except SluiceError as error:
        return _overview(request, caller, project, connection, problem=error)
    return RedirectResponse(f"{home_of(caller, project)}/_settings/adminservices/{connection}?said={said}", 303)


def _overview(
    request: Request,
    caller: Caller,
    project: str,
    connection: str,
    *,
    said: str = "",
    problem: SluiceError | None = None,
) -> Response:
    record = caller.connections.get(project, connection)
    places, is_shared = sharing.places(caller.connections, record)
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, ENDPOINT, record.id)
        facts = _facts(transaction, caller, record)
        permits = permitted(transaction, caller.guard, about.resource)
        used = usage.history(transaction, record.id, project_id=record.project_id, limit=1)
        others = [one.name for one in projects.listed(transaction) if one.id != record.project_id]
        rights = {
            right.name.lower(): why_not(_requiring(transaction, caller, record, right))
            for right in (Right.EDIT_PROJECT_FIELDS, Right.DELETE, Right.SHARE, Right.USE)
        }
    return page(
        request,
        "connection.html",
        caller,
        project=about.project,
        active="connections",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        said=said,
        about=about,
        tab="overview",
        record=record,
        facts=facts,
        permits=permits,
        used=used[0] if used else None,
        places=places,
        is_shared=is_shared,
        trusted=_trusted(caller, about.project, record),
        others=others,
        rights=rights,
    )


def _requiring(transaction: Transaction, caller: Caller, record: ConnectionRecord, right: Right) -> Any:
    return lambda: caller.guard.require(transaction, right, Resource(record.project_id, record.id), record.name)


def _trusted(caller: Caller, project: str, record: ConnectionRecord) -> list[tuple[str, str]]:
    """What to enter at the far side so that it trusts the connection's identity tokens; nothing for other schemes."""
    if record.scheme.casefold() != federation.SCHEME.casefold():
        return []
    try:
        issuer = caller.connections.federation.issuer
    except SluiceError as error:  # it is told where the address is looked for; what else there is to enter is known
        issuer = f"{error.what}: {error.do}"
    return [
        ("Issuer", issuer),
        ("Subject identifier", federation.subject(project, record.name)),
        ("Audience", federation.AUDIENCE),
    ]


def _facts(transaction: Transaction, caller: Caller, record: ConnectionRecord) -> list[tuple[str, str, str]]:
    """Label, value, and what kind of value: text, mono or secret. Of a secret only that it is there."""
    kind = caller.connections.catalogue.find(record.type)
    scheme = kind.scheme(record.scheme) if kind else None
    declared = fields_of(kind, scheme) if kind else {}
    labels = {key: one.label for (_, key), one in declared.items()}
    facts = [("Type", kind.label if kind else record.type, "text")]
    if record.url:
        facts.append((kind.url.label if kind else "Url", record.url, "mono"))
    if record.scheme:
        facts.append(("Authentication method", scheme.label if scheme else record.scheme, "text"))
    facts += [
        (labels.get(key, key), words.plain(value), "mono") for (_, key), value in record.values().items() if value
    ]
    facts += [(labels.get(key, key), "a value is stored", "secret") for _, key in sorted(record.secrets)]
    references = sorted(record.references.items())
    facts += [
        (labels.get(key, key), f"read from {words.plain(value)} at each use", "secret")
        for (_, key), value in references
    ]
    for one in expiries.of(transaction, [record.id]).get(record.id, ()):
        what = f"{one.kind}{f' in {labels.get(one.field, one.field)}' if one.field and one.kind != 'declared' else ''}"
        phrase = expiry.phrase(one.at, caller.state.clock())
        facts.append(("Expires", f"{words.day(one.at)}: {phrase} ({what})", "text"))
    untrusted = policies.untrusted(transaction, Resource(record.project_id, record.id))
    if untrusted in _UNTRUSTED:
        facts.append(("Runs of others' code", _UNTRUSTED[untrusted], "text"))
    return facts
