"""Projects, and the newest runs of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from sluice.authorization.roles import PIPELINE
from sluice.errors import NotPermittedError
from sluice.rights import Right
from sluice.runs import pipelines
from sluice.runs.lock import is_driven
from sluice.server.web import words
from sluice.server.web.rendering import home_of, page
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import projects, requests, runs
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.errors import SluiceError
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

router = APIRouter(include_in_schema=False)

LIMIT = 50
MAX_LIMIT = 3200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A run in a list; `told` says for what it waits."""

    run: RunRow
    look: words.Look
    branch: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A project in the list of them."""

    name: str
    path: str
    told: str


@router.get("/")
def projects_page(request: Request, caller: Signed) -> Response:
    """The projects, with what waits in each."""
    with caller.database.read() as transaction:
        tiles = [_tile(transaction, caller, one) for one in projects.listed(transaction)]
    return page(request, "projects.html", caller, tiles=tiles)


@router.get("/{project}")
@router.get("/{project}/")
def project_page(project: str, caller: Signed) -> Response:
    """A project opens with its runs, and the organization with its projects."""
    if project.casefold() == caller.state.settings.organization.casefold():
        return RedirectResponse("/", 303)
    with caller.database.read() as transaction:
        found = projects.find(transaction, project)
    return RedirectResponse(f"{home_of(caller, found.name)}/_build", 303)


@router.get("/{project}/_build")
def runs_page(
    request: Request,
    project: str,
    caller: Signed,
    state: str = "",
    definition: Annotated[str, Query(alias="definitionId", max_length=18)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = LIMIT,
) -> Response:
    """The newest runs: all, or those of a pipeline, or those in a state."""
    return show_runs(request, caller, project, state=state, definition=definition, limit=limit)


def show_runs(
    request: Request,
    caller: Caller,
    project: str,
    *,
    state: str = "",
    definition: str = "",
    limit: int = LIMIT,
    problem: SluiceError | None = None,
    status: int = 200,
) -> Response:
    """The list, with what was refused at its top where something was."""
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        known = pipelines.listed(transaction, home.id, caller.guard)
        chosen = next((one for one in known if str(one.id) == definition), None)
        seen = caller.guard.seen(transaction, home.id, PIPELINE)
        found = [run for run in runs.newest(transaction, home.id, limit=limit) if seen(str(run.pipeline_id))]
        waiting = requests.of_runs(transaction, [run.id for run in found if run.state != "completed"])
        refusal = None
        if chosen is not None:
            place, require = pipelines.resource_of(chosen), caller.guard.require
            refusal = why_not(lambda: require(transaction, Right.USE, place, chosen.name))
    rows = [_row(caller, run, waiting.get(run.id, ())) for run in found]
    shown = [row for row in rows if (chosen is None or row.run.pipeline_id == chosen.id) and _fits(row, state)]
    return page(
        request,
        "runs.html",
        caller,
        project=home.name,
        active="runs",
        status=status,
        problem=problem,
        rows=shown,
        pipelines=known,
        pipeline=chosen,
        refusal=refusal,
        state=state,
        limit=limit,
        more=len(found) == limit < MAX_LIMIT,
    )


def _tile(transaction: Transaction, caller: Caller, project: projects.Project) -> Tile:
    newest = runs.newest(transaction, project.id, limit=1) if _sees_runs(transaction, caller, project.id) else []
    told = f"last run {words.ago(newest[0].created_at)}" if newest else "no runs yet"
    return Tile(name=project.name, path=f"{home_of(caller, project.name)}/_build", told=told)


def _sees_runs(transaction: Transaction, caller: Caller, project_id: int) -> bool:
    try:
        return caller.guard.allows(transaction, Right.SEE, Resource(project_id, "", PIPELINE))
    except NotPermittedError:
        return False


def _row(caller: Caller, run: RunRow, asked: Sequence[RequestRow]) -> Row:
    open_requests = [one for one in asked if one.state == "running"]
    driven = run.state != "completed" and is_driven(caller.state.home.locks, run.id)
    told = ", ".join(dict.fromkeys(words.plain(one.resource_name) for one in open_requests))
    branch = str(run.options.get("branch", ""))
    return Row(
        run=run,
        look=words.run_look(run, waits=bool(open_requests), driven=driven),
        branch=words.branch(branch),
        told=told,
    )


def _fits(row: Row, state: str) -> bool:
    if state == "waiting":
        return row.look.tone == "s-wait"
    if state == "running":
        return row.run.state != "completed" and row.look.tone != "s-wait"
    return row.run.result in {"Failed", "Abandoned"} if state == "failed" else True
