"""Environments: what deployment jobs deploy to, and what is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.authorization.resources import ENVIRONMENT
from sluice.errors import SluiceError
from sluice.library import environments
from sluice.library.environments import EnvironmentStore
from sluice.rights import Right
from sluice.runs.permitted import permitted
from sluice.server.problems import problem_of
from sluice.server.web import words
from sluice.server.web.rendering import home_of, page
from sluice.server.web.resources import shown
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import environments as rows
from sluice.storage import projects
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction
    from sluice.storage.environments import Deployment, Environment

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=1024)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An environment in the list, with what was deployed to it last."""

    environment: Environment
    resources: int
    last: Deployment | None
    look: words.Look | None


@router.get("/{project}/_environments")
def environments_page(request: Request, project: str, caller: Signed) -> Response:
    """The environments of a project."""
    return _list(request, caller, project)


@router.post("/{project}/_environments")
def create(request: Request, project: str, caller: Signed, name: Text, description: Text = "") -> Response:
    """Make an environment."""
    try:
        with caller.database.write() as transaction:
            store = EnvironmentStore(caller.guard, clock=caller.state.clock)
            made = store.create(transaction, project, name, by=caller.name, description=description)
    except SluiceError as error:
        return _list(request, caller, project, error)
    return RedirectResponse(f"{home_of(caller, project)}/_environments/{made.id}", 303)


@router.get("/{project}/_environments/{environment}")
def environment_page(request: Request, project: str, environment: str, caller: Signed) -> Response:
    """What is in an environment, and what was deployed to it last."""
    return _show(request, caller, project, environment)


@router.post("/{project}/_environments/{environment}/resources")
def add_resource(
    request: Request, project: str, environment: str, caller: Signed, name: Text, kind: Text, tags: Text = ""
) -> Response:
    """Add a machine or a cluster."""
    listed = tuple(part.strip() for part in tags.split(",") if part.strip())

    def act(transaction: Transaction, store: EnvironmentStore) -> None:
        store.add_resource(transaction, project, environment, name, kind, by=caller.name, tags=listed)

    return _done(request, caller, project, environment, act)


@router.post("/{project}/_environments/{environment}/resources/remove")
def remove_resource(request: Request, project: str, environment: str, caller: Signed, name: Text) -> Response:
    """Take a machine or a cluster out."""

    def act(transaction: Transaction, store: EnvironmentStore) -> None:
        store.remove_resource(transaction, project, environment, name, by=caller.name)

    return _done(request, caller, project, environment, act)


@router.post("/{project}/_environments/{environment}/delete")
def delete(request: Request, project: str, environment: str, caller: Signed) -> Response:
    """Delete it, with its permits and its history."""
    try:
        with caller.database.write() as transaction:
            EnvironmentStore(caller.guard).delete(transaction, project, environment, by=caller.name)
    except SluiceError as error:
        return _show(request, caller, project, environment, error)
    return RedirectResponse(f"{home_of(caller, project)}/_environments", 303)


def _done(
    request: Request,
    caller: Caller,
    project: str,
    environment: str,
    act: Callable[[Transaction, EnvironmentStore], None],
) -> Response:
    try:
        with caller.database.write() as transaction:
            act(transaction, EnvironmentStore(caller.guard, clock=caller.state.clock))
    except SluiceError as error:
        return _show(request, caller, project, environment, error)
    return RedirectResponse(f"{home_of(caller, project)}/_environments/{environment}", 303)


def _list(request: Request, caller: Caller, project: str, problem: SluiceError | None = None) -> Response:
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        found = [_row(transaction, one) for one in environments.listed(transaction, home.id, caller.guard)]
        hub = Resource(home.id, "", ENVIRONMENT)
        refusal = why_not(lambda: caller.guard.require(transaction, Right.CREATE, hub))
    return page(
        request,
        "environments.html",
        caller,
        project=home.name,
        active="environments",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        rows=found,
        refusal=refusal,
    )


def _row(transaction: Transaction, environment: Environment) -> Row:
    newest = rows.history(transaction, environment, limit=1)
    last = newest[0] if newest else None
    look = None if last is None else words.result_look(last.result) if last.result else words.RUNNING
    return Row(environment=environment, resources=len(rows.resources(transaction, environment)), last=last, look=look)


def _show(
    request: Request, caller: Caller, project: str, environment: str, problem: SluiceError | None = None
) -> Response:
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, ENVIRONMENT, environment)
        found = environments.get(transaction, about.resource.project_id, about.resource.id, caller.guard)
        resources = rows.resources(transaction, found)
        permits = permitted(transaction, caller.guard, about.resource)
        row = _row(transaction, found)
        require = caller.guard.require
        edit = why_not(lambda: require(transaction, Right.EDIT, about.resource, about.name))
        remove = why_not(lambda: require(transaction, Right.DELETE, about.resource, about.name))
    return page(
        request,
        "environment.html",
        caller,
        project=about.project,
        active="environments",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        about=about,
        tab="overview",
        environment=found,
        resources=resources,
        permits=permits,
        row=row,
        edit=edit,
        remove=remove,
    )
