"""Variable groups: a page of each, and the form that makes and changes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from sluice.authorization.resources import VARIABLE_GROUP
from sluice.errors import SluiceError
from sluice.library.group import GroupDraft, GroupUpdate
from sluice.library.store import resource_of
from sluice.rights import Right
from sluice.runs.permitted import permitted
from sluice.secret import Secret
from sluice.server.problems import problem_of
from sluice.server.web.entry import text_of
from sluice.server.web.rendering import home_of, page
from sluice.server.web.resources import shown
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import policies, projects
from sluice.storage.permissions import Resource

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from sluice.library.group import VariableGroup
    from sluice.server.caller import Caller

router = APIRouter(include_in_schema=False)


MAX_ROWS = 2000
"""Variables that a form takes."""


@router.get("/{project}/_library/groups/new")
def new_group(request: Request, project: str, caller: Signed) -> Response:
    """The form of a new group."""
    return _group_form(request, caller, project, None)


@router.post("/{project}/_library/groups/new")
async def create_group(request: Request, project: str, caller: Signed) -> Response:
    """Store a new group."""
    form = await request.form(max_fields=MAX_ROWS * 4)
    return await run_in_threadpool(_create_group, request, caller, project, form)


@router.get("/{project}/_library/groups/{group}")
def group_page(request: Request, project: str, group: str, caller: Signed) -> Response:
    """A group: its variables; of secret ones only that there is a value."""
    return _group(request, caller, project, group)


@router.get("/{project}/_library/groups/{group}/edit")
def edit_group(request: Request, project: str, group: str, caller: Signed) -> Response:
    """The form with what is stored."""
    return _group_form(request, caller, project, caller.groups.get(project, group))


@router.post("/{project}/_library/groups/{group}/edit")
async def update_group(request: Request, project: str, group: str, caller: Signed) -> Response:
    """Change a group."""
    form = await request.form(max_fields=MAX_ROWS * 4)
    return await run_in_threadpool(_update_group, request, caller, project, group, form)


@router.post("/{project}/_library/groups/{group}/delete")
def delete_group(request: Request, project: str, group: str, caller: Signed) -> Response:
    """Delete a group and its permits."""
    try:
        caller.groups.delete(project, group, by=caller.name)
    except SluiceError as error:
        return _group(request, caller, project, group, error)
    return RedirectResponse(f"{home_of(caller, project)}/_library", 303)


def _rows(form: FormData) -> tuple[dict[str, str], dict[str, Secret], dict[str, str], set[str]]:
    """What a form says of variables: public ones, secrets, where to read secrets, and secrets that stay as they are."""
    public: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    references: dict[str, str] = {}
    kept: set[str] = set()
    for key in [key for key in form if key.startswith("name.")]:
        number = key.removeprefix("name.")
        name, value = text_of(form, key).strip(), text_of(form, f"value.{number}")
        if not name:
            continue
        kind = text_of(form, f"kind.{number}")
        if kind == "secret":
            if value:
                secrets[name] = Secret(value)
            else:
                kept.add(name)
        elif kind == "reference":
            references[name] = value.strip()
        else:
            public[name] = value
    return public, secrets, references, kept


def _create_group(request: Request, caller: Caller, project: str, form: FormData) -> Response:
    public, secrets, references, kept = _rows(form)
    draft = GroupDraft(
        name=text_of(form, "group"),
        description=text_of(form, "description"),
        variables=public,
        secrets=secrets | {name: Secret("") for name in kept},
        references=references,
    )
    try:
        made = caller.groups.create(project, draft, by=caller.name).group
    except SluiceError as error:
        return _group_form(request, caller, project, None, error, form)
    return RedirectResponse(f"{home_of(caller, project)}/_library/groups/{made.id}", 303)


def _update_group(request: Request, caller: Caller, project: str, group: str, form: FormData) -> Response:
    found = caller.groups.get(project, group)
    public, secrets, references, kept = _rows(form)
    left = {name.casefold() for name in (*public, *secrets, *references, *kept)}
    change = GroupUpdate(
        name=text_of(form, "group"),
        description=text_of(form, "description"),
        variables={name: value for name, value in public.items() if found.variables.get(name) != value},
        secrets=secrets,
        references={name: value for name, value in references.items() if found.references.get(name) != value},
        unset=tuple(name for name in found.names() if name.casefold() not in left),
    )
    try:
        caller.groups.update(project, found.id, change, by=caller.name)
        caller.groups.let_in(project, found.id, text_of(form, "untrusted") or "none", by=caller.name)
    except SluiceError as error:
        return _group_form(request, caller, project, found, error, form)
    return RedirectResponse(f"{home_of(caller, project)}/_library/groups/{found.id}", 303)


def _group(request: Request, caller: Caller, project: str, group: str, problem: SluiceError | None = None) -> Response:
    found = caller.groups.get(project, group)
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, VARIABLE_GROUP, found.id)
        permits = permitted(transaction, caller.guard, about.resource)
        require = caller.guard.require
        edit = why_not(lambda: require(transaction, Right.EDIT, about.resource, about.name))
        remove = why_not(lambda: require(transaction, Right.DELETE, about.resource, about.name))
    return page(
        request,
        "group.html",
        caller,
        project=about.project,
        active="library",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        about=about,
        tab="overview",
        group=found,
        permits=permits,
        edit=edit,
        remove=remove,
    )


def _group_form(
    request: Request,
    caller: Caller,
    project: str,
    group: VariableGroup | None,
    problem: SluiceError | None = None,
    form: FormData | None = None,
) -> Response:
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        right = Right.EDIT if group else Right.CREATE
        resource = resource_of(group) if group else Resource(home.id, "", VARIABLE_GROUP)
        caller.guard.require(transaction, right, resource, group.name if group else "")
        untrusted = policies.untrusted(transaction, resource) if group else "none"
    entered = _entered(form) if form is not None else _stored(group)
    return page(
        request,
        "group_form.html",
        caller,
        project=home.name,
        active="library",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        group=group,
        name=text_of(form, "group") if form is not None else group.name if group else "",
        description=text_of(form, "description") if form is not None else group.description if group else "",
        rows=entered,
        untrusted=untrusted,
    )


def _stored(group: VariableGroup | None) -> list[tuple[str, str, str]]:
    """Name, kind and value of each variable; a secret has none."""
    if group is None:
        return []
    return [
        (name, "secret", "")
        if name in group.secrets
        else (name, "reference", group.references[name])
        if name in group.references
        else (name, "plain", group.variables[name])
        for name in group.names()
    ]


def _entered(form: FormData) -> list[tuple[str, str, str]]:
    public, secrets, references, kept = _rows(form)
    return [
        *((name, "plain", value) for name, value in public.items()),
        *((name, "secret", "") for name in (*secrets, *kept)),
        *((name, "reference", value) for name, value in references.items()),
    ]
