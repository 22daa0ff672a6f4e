"""The page of a run: banner and review, stages, jobs, steps, and the log of one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from sluice.authorization import texts
from sluice.authorization.trust import Trust
from sluice.errors import SealError
from sluice.runs.identifiers import attempted, record_id
from sluice.runs.left_behind import LeftBehind, left_behind
from sluice.runs.lock import is_driven
from sluice.runs.logs import STAMP_LENGTH
from sluice.runs.pipelines import no_run, require_queue, require_seen
from sluice.runs.predefined import origin_of
from sluice.server.web import words
from sluice.server.web.rendering import page
from sluice.server.web.reviews import banners, reviews, stage_words, why_not
from sluice.server.web.run_view import RunView, view_of
from sluice.server.web.signed import RunNumber, Signed
from sluice.storage import projects, requests

if TYPE_CHECKING:
    from sluice.errors import SluiceError
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction
    from sluice.storage.runs import RunRow

router = APIRouter(include_in_schema=False)

TAIL = 200
"""Lines of a log that the page itself shows, where no script does better."""

_TRUST = {Trust.FORK: "Run of a fork's code", Trust.PULL_REQUEST: "Run of a pull request"}


@router.get("/{project}/_build/results")
def run_page(
    request: Request,
    project: str,
    caller: Signed,
    run_id: Annotated[RunNumber, Query(alias="buildId")],
    step: Annotated[str, Query(alias="s", max_length=64)] = "",
    attempt: Annotated[int, Query(ge=0, le=10_000)] = 0,
    review: str = "",
) -> Response:
    """A run."""
    return show_run(request, caller, project, run_id, step=step, attempt=attempt, review_open=review == "1")


def run_of(transaction: Transaction, caller: Caller, project: str, run_id: int) -> RunRow:
    """A run of that project that the person sees; raises `NotFoundError`."""
    home = projects.find(transaction, project)
    run = require_seen(transaction, caller.guard, run_id)
    if run.project_id != home.id:
        raise no_run(run_id)
    return run


def show_run(
    request: Request,
    caller: Caller,
    project: str,
    run_id: int,
    *,
    step: str = "",
    attempt: int = 0,
    review_open: bool = False,
    problem: SluiceError | None = None,
    status: int = 200,
) -> Response:
    """A run's page, with what was refused at its top where something was."""
    with caller.database.read() as transaction:
        run = run_of(transaction, caller, project, run_id)
        context, problem = _context(transaction, caller, run, step, attempt, problem)
        project = projects.get(transaction, run.project_id).name
    return page(
        request,
        "run.html",
        caller,
        project=project,
        active="runs",
        status=status,
        problem=problem,
        review_open=review_open and not problem,
        **context,
    )


def _context(
    transaction: Transaction, caller: Caller, run: RunRow, step: str, attempt: int, problem: SluiceError | None
) -> tuple[dict[str, Any], SluiceError | None]:
    asked = requests.of_run(transaction, run.id, state="running")
    try:
        loaded = caller.orchestrator.load(transaction, run.id)
        names = {one.name: one.display_name for one in loaded.plan.stages if words.stage_name(one.name)}
        found = reviews(transaction, caller, run, asked, names)
        view = view_of(loaded.plan, loaded.situation.records, stage_words(found), wanted=step)
    except SealError as error:
        problem, found, view = problem or error, [], RunView.empty()
    driven = run.state != "completed" and is_driven(caller.state.home.locks, run.id)
    trust = origin_of(run.options, run.pipeline).trust
    variables = {name: value for name, value, _ in run.options.get("variables", ())}
    return {
        "run": run,
        "view": view,
        "look": words.run_look(run, waits=bool(asked), driven=driven),
        "driven": driven,
        "branch": words.branch(str(run.options.get("branch", ""))),
        "version": words.plain(str(run.options.get("version", ""))),
        "message": words.plain(variables.get("Build.SourceVersionMessage", "")),
        "trust": _TRUST.get(trust, ""),
        "reviews": found,
        "banners": banners(found),
        "left": left_behind(transaction, run.id) if run.whole else LeftBehind(),
        "not_queue": why_not(lambda: require_queue(transaction, caller.guard, run)),
        "attempt": attempt,
        "logged": (logged := _logged(view, attempt)),
        "tail": _tail(caller, run, logged),
        "texts": texts,
        "mark_of_run": "",
    }, problem


def _logged(view: RunView, attempt: int) -> str:
    """The record whose log is shown: of the chosen step, or of an earlier attempt of it; '' for none."""
    chosen = view.selected
    if chosen is None or not 0 < attempt < chosen.attempt:
        return chosen.id if chosen else ""
    return record_id(attempted(chosen.identifier, attempt))


def _tail(caller: Caller, run: RunRow, step_id: str) -> str:
    """The end of a log as plain text."""
    if not step_id:
        return ""
    found = caller.state.logs.of(caller.state.home.logs / str(run.id) / f"{step_id}.log").lines(0, TAIL)
    return "\n".join(words.plain(line[STAMP_LENGTH:].decode("utf-8", "replace")) for line in found.texts)
