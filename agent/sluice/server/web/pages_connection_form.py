"""The form of a service connection: a new one, or a change; verified as it is entered, then stored."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from sluice.connections import lookup
from sluice.connections.catalogue import fields_of
from sluice.connections.connection import Draft, Update
from sluice.errors import SluiceError, TrustNeededError
from sluice.rights import Right
from sluice.server.problems import problem_of
from sluice.server.verifying import try_draft, try_update
from sluice.server.web import entry
from sluice.server.web.entry import Filled, text_of
from sluice.server.web.rendering import home_of, page
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import expiries, policies, projects
from sluice.storage.expiries import DECLARED
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import FormData

    from sluice.connections.connection import ConnectionRecord
    from sluice.hooks.declaration import ConnectionType, Field, Scheme
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction

router = APIRouter(include_in_schema=False)

VERIFY, SAVE, BOTH = "verify", "save", "verify-and-save"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """All that somebody entered. `trust` is the value that pins the far side, once a person has vouched for it."""

    name: str
    description: str
    url: str
    expires: str
    untrusted: str
    everybody: bool
    disabled: bool
    filled: Filled


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a form says when it is shown again."""

    problem: SluiceError | None = None
    said: str = ""
    trust: TrustNeededError | None = None
    entered: Entered | None = None
    warnings: tuple[str, ...] = field(default_factory=tuple)


@router.get("/{project}/_settings/adminservices/new/{type_name}")
def new_form(request: Request, project: str, type_name: str, caller: Signed, scheme: str = "") -> Response:
    """The form of a type; with several authentication methods the first one unless another is chosen."""
    kind = caller.connections.catalogue.get(type_name)
    return _new(request, caller, project, kind, _scheme(kind, scheme), _Told())


@router.post("/{project}/_settings/adminservices/new/{type_name}")
async def create(request: Request, project: str, type_name: str, caller: Signed) -> Response:
    """Verify what is entered, store it, or both."""
    form = await request.form()
    return await run_in_threadpool(_create, request, caller, project, type_name, form)


@router.get("/{project}/_settings/adminservices/{connection}/edit")
def edit_form(request: Request, project: str, connection: str, caller: Signed, scheme: str = "") -> Response:
    """The form with what is stored; of secrets only that they are."""
    record = caller.connections.get(project, connection)
    return _edit(request, caller, project, record, scheme or record.scheme, _Told())


@router.post("/{project}/_settings/adminservices/{connection}/edit")
async def update(request: Request, project: str, connection: str, caller: Signed) -> Response:
    """Verify a change as it is entered, store it, or both."""
    form = await request.form()
    return await run_in_threadpool(_update, request, caller, project, connection, form)


def _create(request: Request, caller: Caller, project: str, type_name: str, form: FormData) -> Response:
    store = caller.connections
    kind = store.catalogue.get(type_name)
    scheme = _scheme(kind, text_of(form, "scheme"))
    entered = _entered(form, kind, scheme)
    draft = Draft(
        name=entered.name,
        type=kind.name,
        scheme=scheme.name if scheme else "",
        url=entered.url,
        description=entered.description,
        values=entered.filled.values,
        secrets=entered.filled.secrets,
        references=entered.filled.references,
        untrusted=entered.untrusted,
        expires=entered.expires,
    )
    action = text_of(form, "action")
    try:
        said = try_draft(caller, project, draft) if action in {VERIFY, BOTH} else ""
        if action == VERIFY:
            return _new(request, caller, project, kind, scheme, _Told(entered=entered, said=f"It works: {said}"))
        made = store.create(project, draft, by=caller.name, all_pipelines=entered.everybody)
    except TrustNeededError as needed:
        return _new(request, caller, project, kind, scheme, _Told(entered=entered, trust=needed))
    except SluiceError as error:
        return _new(request, caller, project, kind, scheme, _Told(entered=entered, problem=error))
    done = "verified" if action == BOTH else "created"
    return RedirectResponse(f"{home_of(caller, project)}/_settings/adminservices/{made.record.id}?said={done}", 303)


def _update(request: Request, caller: Caller, project: str, connection: str, form: FormData) -> Response:
    store = caller.connections
    record = store.get(project, connection)
    kind = store.catalogue.get(record.type)
    scheme = _scheme(kind, text_of(form, "scheme") or record.scheme)
    entered = _entered(form, kind, scheme)
    known = {key: value for (_, key), value in record.references.items()}
    change = Update(
        name=entered.name,
        description=entered.description,
        scheme=scheme.name if scheme else None,
        url=entered.url if kind.url.entered else None,
        disabled=entered.disabled,
        values=_changed(record, entered.filled.values),
        secrets=entered.filled.secrets,
        references={key: value for key, value in entered.filled.references.items() if known.get(key) != value},
        untrusted=entered.untrusted,
        expires=entered.expires,
    )
    action, name = text_of(form, "action"), scheme.name if scheme else ""
    try:
        said = try_update(caller, record, change) if action in {VERIFY, BOTH} else ""
        if action == VERIFY:
            return _edit(request, caller, project, record, name, _Told(entered=entered, said=f"It works: {said}"))
        outcome = store.update(project, record.id, change, by=caller.name)
    except TrustNeededError as needed:
        return _edit(request, caller, project, record, name, _Told(entered=entered, trust=needed))
    except SluiceError as error:
        return _edit(request, caller, project, record, name, _Told(entered=entered, problem=error))
    done = "moved" if outcome.dropped or outcome.revoked else "changed" if outcome.changed else "same"
    return RedirectResponse(f"{home_of(caller, project)}/_settings/adminservices/{record.id}?said={done}", 303)


def _changed(record: ConnectionRecord, values: Mapping[str, str]) -> dict[str, str]:
    """The values that are not as they were stored; defaults that nobody stored are left alone."""
    before = {key: value for (_, key), value in record.values().items()}
    return {key: value for key, value in values.items() if before.get(key, "") != value}


def _scheme(kind: ConnectionType, name: str) -> Scheme | None:
    return (kind.scheme(name) if name else None) or (kind.schemes[0] if kind.schemes else None)


def _fields(kind: ConnectionType, scheme: Scheme | None) -> list[Field]:
    """In the order of the form: where it is, how one is let in, and what hardly anybody changes."""
    found = fields_of(kind, scheme)
    data = [one for (place, _), one in found.items() if place == "data"]
    fields = [
        *(one for one in data if not one.secret),
        *(scheme.parameters if scheme else ()),
        *(one for one in data if one.secret),
    ]
    return sorted(fields, key=lambda one: entry.is_advanced(one, fields))


def _entered(form: FormData, kind: ConnectionType, scheme: Scheme | None) -> Entered:
    filled = entry.filled(form, _fields(kind, scheme))
    if pinned := text_of(form, "trust.field"):
        filled = Filled(
            values={**filled.values, pinned: text_of(form, "trust.value")},
            secrets=filled.secrets,
            references=filled.references,
        )
    return Entered(
        name=text_of(form, "name"),
        description=text_of(form, "description"),
        url=text_of(form, "url").strip(),
        expires=text_of(form, "expires"),
        untrusted=text_of(form, "untrusted") or "none",
        everybody="everybody" in form,
        disabled="disabled" in form,
        filled=filled,
    )


def _new(
    request: Request, caller: Caller, project: str, kind: ConnectionType, scheme: Scheme | None, told: _Told
) -> Response:
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        hub = Resource(home.id, "")
        caller.guard.require(transaction, Right.CREATE, hub)
        require = caller.guard.require
        open_access = why_not(lambda: require(transaction, Right.OPEN_ACCESS, hub))
        names = _names(transaction, caller, home.id)
    entered = told.entered
    values = entered.filled.values if entered else {}
    references = entered.filled.references if entered else {}
    fields = entry.shown(
        _fields(kind, scheme), values, references=references, told=str(told.problem or ""), names=names
    )
    return _page(request, caller, home.name, kind, scheme, told, fields=fields, record=None, open_access=open_access)


def _edit(
    request: Request, caller: Caller, project: str, record: ConnectionRecord, scheme_name: str, told: _Told
) -> Response:
    kind = caller.connections.catalogue.get(record.type)
    scheme = _scheme(kind, scheme_name)
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        resource = Resource(home.id, record.id)
        require = caller.guard.require
        refusal = why_not(lambda: require(transaction, Right.EDIT, resource, record.name))
        if refusal is not None:
            require(transaction, Right.EDIT_PROJECT_FIELDS, resource, record.name)
        names = _names(transaction, caller, home.id, but=record.id)
        untrusted = policies.untrusted(transaction, resource)
        found = expiries.of(transaction, [record.id]).get(record.id, ())
    declared = next((one.at for one in found if one.field == DECLARED), None)
    entered = told.entered
    stored = {key: value for (_, key), value in record.values().items()}
    fields = entry.shown(
        _fields(kind, scheme),
        stored | (dict(entered.filled.values) if entered else {}),
        stored=[key for _, key in record.secrets],
        references={key: value for (_, key), value in record.references.items()}
        | (dict(entered.filled.references) if entered else {}),
        told=str(told.problem or ""),
        names=names,
    )
    return _page(
        request,
        caller,
        home.name,
        kind,
        scheme,
        told,
        fields=fields,
        record=record,
        untrusted=untrusted,
        declared=declared,
        limited=refusal,
    )


def _names(transaction: Transaction, caller: Caller, project_id: int, *, but: str = "") -> dict[str, tuple[str, ...]]:
    """The connections that the person sees, by their types: for fields that name another one."""
    found: dict[str, tuple[str, ...]] = {}
    for one in lookup.listed(transaction, project_id, caller.guard):
        key = one.type.casefold()
        if one.id != but:
            found[key] = (*found.get(key, ()), one.name)
    return found


def _page(
    request: Request,
    caller: Caller,
    project: str,
    kind: ConnectionType,
    scheme: Scheme | None,
    told: _Told,
    **context: Any,
) -> Response:
    status = problem_of(told.problem).status if told.problem else 200
    defaults = {"open_access": None, "untrusted": "none", "declared": None, "limited": None}
    return page(
        request,
        "connection_form.html",
        caller,
        project=project,
        active="connections",
        status=status,
        problem=told.problem,
        said=told.said,
        kind=kind,
        scheme=scheme,
        trust=told.trust,
        entered=told.entered,
        **(defaults | context),
    )
