"""Approvals and checks of a resource: what has to pass before a stage may use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from sluice.connections import lookup
from sluice.errors import SluiceError, UsageError
from sluice.rights import Right
from sluice.runs.check_configuring import Entered
from sluice.server.problems import problem_of
from sluice.server.web import entry, words
from sluice.server.web.entry import text_of
from sluice.server.web.rendering import page
from sluice.server.web.resources import shown
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.values import dataclass

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from sluice.hooks.checks import CheckType
    from sluice.server.caller import Caller
    from sluice.storage.check_configurations import ConfigurationRow

router = APIRouter(include_in_schema=False)

_SAID = {
    "added": "The check is added. Runs whose stage waits already are not concerned.",
    "updated": "The check is changed, for the checkpoints that begin from now on.",
    "removed": "The check is gone. Checkpoints that ask it already go on doing so.",
    "enabled": "The check is enabled.",
    "disabled": "The check is left out from now on.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """A check as the list shows it."""

    row: ConfigurationRow
    label: str
    summary: str
    settings: tuple[tuple[str, str], ...]


@router.get("/{project}/_resources/{kind}/{resource}/checks")
def checks_page(request: Request, project: str, kind: str, resource: str, caller: Signed, said: str = "") -> Response:
    """The checks of a resource."""
    return _show(request, caller, project, kind, resource, said=_SAID.get(said, ""))


@router.get("/{project}/_resources/{kind}/{resource}/checks/new/{check_kind}")
def new_form(request: Request, project: str, kind: str, resource: str, check_kind: str, caller: Signed) -> Response:
    """The form of a kind of check."""
    return _form(request, caller, project, kind, resource, caller.orchestrator.kinds().get(check_kind), None)


@router.post("/{project}/_resources/{kind}/{resource}/checks/new/{check_kind}")
async def add(request: Request, project: str, kind: str, resource: str, check_kind: str, caller: Signed) -> Response:
    """Put a check on it."""
    form = await request.form()

    def act() -> Response:
        found = caller.orchestrator.kinds().get(check_kind)

        def store() -> None:
            caller.configurations.add(project, kind, resource, found, _entered(form, found))

        return _stored(request, caller, project, kind, resource, found, None, form, store, "added")

    return await run_in_threadpool(act)


@router.get("/{project}/_resources/{kind}/{resource}/checks/{number}/edit")
def edit_form(request: Request, project: str, kind: str, resource: str, number: int, caller: Signed) -> Response:
    """The form with what is stored; secret settings by name only."""
    row = _row(caller, project, number)
    return _form(request, caller, project, kind, resource, caller.orchestrator.kinds().get(row.kind), row)


@router.post("/{project}/_resources/{kind}/{resource}/checks/{number}/edit")
async def update(request: Request, project: str, kind: str, resource: str, number: int, caller: Signed) -> Response:
    """Change a check."""
    form = await request.form()

    def act() -> Response:
        row = _row(caller, project, number)
        found = caller.orchestrator.kinds().get(row.kind)

        def store() -> None:
            caller.configurations.update(project, number, _entered(form, found))

        return _stored(request, caller, project, kind, resource, found, row, form, store, "updated")

    return await run_in_threadpool(act)


@router.post("/{project}/_resources/{kind}/{resource}/checks/{number}/{action}")
def change(
    request: Request, project: str, kind: str, resource: str, number: int, action: str, caller: Signed
) -> Response:
    """Enable, disable or remove a check."""
    try:
        if action == "remove":
            caller.configurations.remove(project, number)
        elif action in {"enable", "disable"}:
            caller.configurations.set_disabled(project, number, disabled=action == "disable")
        else:
            raise UsageError(f"a check cannot be told to '{words.plain(action)}'")
    except SluiceError as error:
        return _show(request, caller, project, kind, resource, problem=error)
    return _back(caller, project, kind, resource, f"{action.removesuffix('e')}ed")


def _row(caller: Caller, project: str, number: int) -> ConfigurationRow:
    with caller.database.read() as transaction:
        return caller.configurations.get(transaction, project, number)[0]


def _entered(form: FormData, kind: CheckType) -> Entered:
    filled = entry.filled(form, kind.fields)
    return Entered(
        settings={key: value for key, value in filled.values.items() if value},
        secrets=filled.secrets,
        unset=tuple(key for key, value in filled.values.items() if not value),
        timeout=_minutes(text_of(form, "timeout")),
        retry_interval=_minutes(text_of(form, "retry")),
    )


def _minutes(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 8):
        raise UsageError(f"'{words.plain(text)}' is no number of minutes")
    return int(text)


def _stored(
    request: Request,
    caller: Caller,
    project: str,
    kind: str,
    resource: str,
    found: CheckType,
    row: ConfigurationRow | None,
    form: FormData,
    store: Callable[[], None],
    said: str,
) -> Response:
    try:
        store()
    except SluiceError as error:
        return _form(request, caller, project, kind, resource, found, row, form=form, problem=error)
    return _back(caller, project, kind, resource, said)


def _back(caller: Caller, project: str, kind: str, resource: str, said: str) -> Response:
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, kind, resource)
    return RedirectResponse(f"{about.tabs[2].path}?said={said}", 303)


def _show(
    request: Request,
    caller: Caller,
    project: str,
    kind: str,
    resource: str,
    *,
    said: str = "",
    problem: SluiceError | None = None,
) -> Response:
    kinds = caller.orchestrator.kinds()
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, kind, resource)
        refusal = why_not(lambda: caller.guard.require(transaction, Right.MANAGE_CHECKS, about.resource, about.name))
    rows = caller.configurations.listed(project, kind=kind, name=about.resource.id)
    views = [_view(caller, project, row, kinds.find(row.kind)) for row, _ in rows]
    return page(
        request,
        "resource_checks.html",
        caller,
        project=about.project,
        active=about.area[0],
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        said=said,
        about=about,
        tab="checks",
        checks=views,
        kinds=sorted(kinds, key=lambda one: one.label),
        refusal=refusal,
    )


def _view(caller: Caller, project: str, row: ConfigurationRow, kind: CheckType | None) -> CheckView:
    labels = {one.key: one for one in kind.fields} if kind else {}
    settings = []
    for key, value in row.settings.items():
        declared = labels.get(key)
        told = value
        if declared is not None and declared.kind == "connection":
            told = _name_of(caller, project, value)
        if told and (declared is None or told != declared.default):
            settings.append((declared.label if declared else key, words.plain(told)))
    settings += [(labels[key].label if key in labels else key, "a value is stored") for key in row.secret_names]
    return CheckView(
        row=row,
        label=kind.label if kind else f"{row.kind} (no plugin offers it)",
        summary=kind.summary if kind else "",
        settings=tuple(settings),
    )


def _name_of(caller: Caller, project: str, connection_id: str) -> str:
    try:
        return caller.connections.get(project, connection_id).name
    except SluiceError:
        return "a connection that you do not see"


def _form(
    request: Request,
    caller: Caller,
    project: str,
    kind: str,
    resource: str,
    check: CheckType,
    row: ConfigurationRow | None,
    *,
    form: FormData | None = None,
    problem: SluiceError | None = None,
) -> Response:
    values = _values(caller, project, check, row, form)
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, kind, resource)
        caller.guard.require(transaction, Right.MANAGE_CHECKS, about.resource, about.name)
        names: dict[str, tuple[str, ...]] = {}
        for one in lookup.listed(transaction, about.resource.project_id, caller.guard):
            names[one.type.casefold()] = (*names.get(one.type.casefold(), ()), one.name)
            names[""] = (*names.get("", ()), one.name)
    fields = entry.shown(
        check.fields, values, stored=row.secret_names if row else (), told=str(problem or ""), names=names
    )
    return page(
        request,
        "check_form.html",
        caller,
        project=about.project,
        active=about.area[0],
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        about=about,
        tab="checks",
        check=check,
        row=row,
        fields=fields,
        timeout=(text_of(form, "timeout") if form else "") or (row.timeout if row else check.timeout),
        retry=(text_of(form, "retry") if form else "") or (row.retry_interval if row else check.retry_interval),
    )


def _values(
    caller: Caller, project: str, check: CheckType, row: ConfigurationRow | None, form: FormData | None
) -> dict[str, Any]:
    values = dict(row.settings) if row else {}
    for one in check.fields:
        if one.kind == "connection" and values.get(one.key):
            values[one.key] = _name_of(caller, project, values[one.key])
    return values | (dict(entry.filled(form, check.fields).values) if form else {})
