"""Who may use a resource: permits of pipelines, and roles of people, on it or on all of a project's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.authorization.limits import Limits
from sluice.authorization.resources import ENDPOINT
from sluice.authorization.roles import Level, Role
from sluice.connections.guard import require_permit
from sluice.errors import NotFoundError, SluiceError, UsageError
from sluice.identity import assignments
from sluice.identity.assignments import Place
from sluice.rights import Right
from sluice.runs import pipelines
from sluice.runs.permitted import permitted
from sluice.server.problems import problem_of
from sluice.server.web import words
from sluice.server.web.rendering import home_of, page
from sluice.server.web.resources import AREAS, Shown, shown
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import permissions, projects
from sluice.storage.permissions import ALL_PIPELINES, Resource

if TYPE_CHECKING:
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction

router = APIRouter(include_in_schema=False)

Number = Annotated[int, Form(ge=0, lt=10**18)]
Text = Annotated[str, Form(max_length=1024)]

_SAID = {
    "permitted": "The pipeline may use it, in all waiting and future runs.",
    "opened": "Every pipeline of the project may use it.",
    "revoked": "The permit is gone: the next run asks again.",
    "role": "The role is changed.",
    "inheritance": "Inheritance is changed.",
}


@router.get("/{project}/_resources/{kind}/{resource}/security")
def security_page(request: Request, project: str, kind: str, resource: str, caller: Signed, said: str = "") -> Response:
    """Permits and roles of one resource."""
    return _show(request, caller, project, kind, resource, said=_SAID.get(said, ""))


@router.post("/{project}/_resources/{kind}/{resource}/security/permit")
def permit(
    request: Request,
    project: str,
    kind: str,
    resource: str,
    caller: Signed,
    pipeline: Number,
    stages: Text = "",
    branches: Text = "",
) -> Response:
    """Permit a pipeline to use it (0: all of them), within limits where some are given."""

    def act() -> None:
        with caller.database.write() as transaction:
            about = shown(transaction, caller, project, kind, resource)
            if pipeline != ALL_PIPELINES:
                pipelines.get(transaction, about.resource.project_id, str(pipeline), caller.guard)
            require_permit(caller.guard, transaction, about.resource, about.name, pipeline)
            limits = Limits.of(_listed(stages), _listed(branches)).text()
            at = caller.state.clock()
            permissions.grant(transaction, about.resource, pipeline, by=caller.name, at=at, limits=limits, replace=True)

    return _done(request, caller, project, kind, resource, act, "permitted" if pipeline else "opened")


@router.post("/{project}/_resources/{kind}/{resource}/security/revoke")
def revoke(request: Request, project: str, kind: str, resource: str, caller: Signed, pipeline: Number) -> Response:
    """Take the permit of a pipeline away (0: that of all)."""

    def act() -> None:
        with caller.database.write() as transaction:
            about = shown(transaction, caller, project, kind, resource)
            require_permit(caller.guard, transaction, about.resource, about.name, pipeline)
            permissions.revoke(transaction, about.resource, pipeline, by=caller.name, at=caller.state.clock())

    return _done(request, caller, project, kind, resource, act, "revoked")


@router.post("/{project}/_resources/{kind}/{resource}/security/role")
def role(
    request: Request,
    project: str,
    kind: str,
    resource: str,
    caller: Signed,
    subject: Text,
    role: Text,
    level: Text = "",
) -> Response:
    """Give a person or group a role; '' takes it away."""
    return _done(
        request,
        caller,
        project,
        kind,
        resource,
        lambda: _assign(caller, project, kind, resource, subject, role, level),
        "role",
    )


@router.post("/{project}/_resources/{kind}/{resource}/security/inherit")
def inherit(request: Request, project: str, kind: str, resource: str, caller: Signed, on: Text) -> Response:
    """Let the roles of the project hold here too, or not."""

    def act() -> None:
        with caller.database.write() as transaction:
            about = shown(transaction, caller, project, kind, resource)
            place = Place(about.resource, Level.PROJECT, about.name)
            assignments.set_inheritance(transaction, caller.guard, place, on=on == "true", at=caller.state.clock())

    return _done(request, caller, project, kind, resource, act, "inheritance")


@router.get("/{project}/_security/{kind}")
def hub_page(request: Request, project: str, kind: str, caller: Signed, said: str = "") -> Response:
    """The roles that hold for all resources of a kind."""
    return _show_hub(request, caller, project, kind, said=_SAID.get(said, ""))


@router.post("/{project}/_security/{kind}/role")
def hub_role(request: Request, project: str, kind: str, caller: Signed, subject: Text, role: Text) -> Response:
    """Give a person or group a role for all resources of a kind."""
    try:
        _assign(caller, project, kind, "", subject, role, "")
    except SluiceError as error:
        return _show_hub(request, caller, project, kind, problem=error)
    return RedirectResponse(f"{home_of(caller, project)}/_security/{kind}?said=role", 303)


def _assign(caller: Caller, project: str, kind: str, resource: str, subject: str, role: str, level: str) -> None:
    with caller.database.write() as transaction:
        home = projects.find(transaction, project)
        place = _place(transaction, caller, project, kind, resource, level)
        found = assignments.find_subject(transaction, home, subject)
        at = caller.state.clock()
        if not role:
            assignments.remove_role(transaction, caller.guard, place, found, at=at)
        elif role in set(Role):
            assignments.set_role(transaction, caller.guard, place, found, Role(role), at=at)
        else:
            raise UsageError(f"'{words.plain(role)}' is no role", do=f"roles are {', '.join(Role)}")


def _place(transaction: Transaction, caller: Caller, project: str, kind: str, resource: str, level: str) -> Place:
    if not resource:
        return _hub(transaction, project, kind)
    about = shown(transaction, caller, project, kind, resource)
    above = level == Level.ORGANIZATION and kind == ENDPOINT
    return Place(about.resource, Level.ORGANIZATION if above else Level.PROJECT, about.name)


def _hub(transaction: Transaction, project: str, kind: str) -> Place:
    if kind not in AREAS:
        raise NotFoundError(f"there is no kind of resource '{words.plain(kind)}'")
    return Place(Resource(projects.find(transaction, project).id, "", kind), Level.HUB)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _done(
    request: Request,
    caller: Caller,
    project: str,
    kind: str,
    resource: str,
    act: Callable[[], None],
    said: str,
) -> Response:
    try:
        act()
    except SluiceError as error:
        return _show(request, caller, project, kind, resource, problem=error)
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, kind, resource)
    return RedirectResponse(f"{about.tabs[3].path}?said={said}", 303)


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
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, kind, resource)
        place = Place(about.resource, Level.PROJECT, about.name)
        rows, inherits = assignments.listed(transaction, caller.guard, place)
        above: Any = ()
        if kind == ENDPOINT:
            above, _ = assignments.listed(
                transaction, caller.guard, Place(about.resource, Level.ORGANIZATION, about.name)
            )
        known = pipelines.listed(transaction, about.resource.project_id, caller.guard)
        permits = permitted(transaction, caller.guard, about.resource)
        rights = {right.name.lower(): _refusal(transaction, caller, about, right) for right in _RIGHTS}
    taken = {one.pipeline_id for one in permits}
    return page(
        request,
        "resource_security.html",
        caller,
        project=about.project,
        active=about.area[0],
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        said=said,
        about=about,
        tab="security",
        rows=rows,
        above=above,
        inherits=inherits,
        permits=[one for one in permits if one.pipeline_id],
        open_access=next((one for one in permits if not one.pipeline_id), None),
        pipelines=[one for one in known if one.id not in taken],
        roles=[str(one) for one in Role if one is not Role.CREATOR],
        rights=rights,
    )


_RIGHTS = (Right.PERMIT, Right.OPEN_ACCESS, Right.MANAGE_ROLES, Right.MANAGE_ORGANIZATION_ROLES)


def _refusal(transaction: Transaction, caller: Caller, about: Shown, right: Right) -> SluiceError | None:
    return why_not(lambda: caller.guard.require(transaction, right, about.resource, about.name))


def _show_hub(
    request: Request,
    caller: Caller,
    project: str,
    kind: str,
    *,
    said: str = "",
    problem: SluiceError | None = None,
) -> Response:
    with caller.database.read() as transaction:
        place = _hub(transaction, project, kind)
        rows, _ = assignments.listed(transaction, caller.guard, place)
        require = caller.guard.require
        refusal = why_not(lambda: require(transaction, Right.MANAGE_ROLES, place.resource))
    return page(
        request,
        "hub_security.html",
        caller,
        project=project,
        active=AREAS[kind][0],
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        said=said,
        kind=kind,
        area=AREAS[kind],
        rows=rows,
        roles=[str(one) for one in Role],
        refusal=refusal,
    )
