"""The approvals that wait: for the person, or for anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.authorization.checks import approval
from sluice.authorization.checks.approval import Verdict
from sluice.errors import SluiceError
from sluice.runs.checkpoints import asked_as
from sluice.runs.pipelines import sees
from sluice.server.problems import problem_of
from sluice.server.web import words
from sluice.server.web.rendering import home_of, page
from sluice.server.web.signed import Signed
from sluice.storage import projects
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runs.check_decisions import Awaited
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=2048)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An approval in the list."""

    run_id: int
    run: str
    pipeline: str
    stage: str
    check: str
    on: str
    waits_for: str
    told: str
    instructions: str
    requester: str
    until: float | None
    asked: float | None
    sees_run: bool
    mine: bool


@router.get("/{project}/_approvals")
def approvals_page(request: Request, project: str, caller: Signed, all: str = "", said: str = "") -> Response:
    """What waits for the person; with `all` also what waits for others."""
    told = {"approve": "Approved.", "reject": "Rejected: the stage fails."}.get(said, "")
    return _show(request, caller, project, everybody=all == "1", said=told)


@router.post("/{project}/_approvals/{run_id}/{check}")
def decide(
    request: Request, project: str, run_id: int, check: str, caller: Signed, verdict: Text, comment: Text = ""
) -> Response:
    """Approve or reject one: it is decided by its own id, which is never used again."""
    chosen = Verdict.APPROVE if verdict == "approve" else Verdict.REJECT
    try:
        caller.check_decisions.decide(run_id, chosen, [check], comment=comment.strip())
        caller.state.go_on(run_id)
    except SluiceError as error:
        return _show(request, caller, project, problem=error)
    said = "approve" if chosen is Verdict.APPROVE else "reject"
    return RedirectResponse(f"{home_of(caller, project)}/_approvals?said={said}", 303)


def _show(
    request: Request,
    caller: Caller,
    project: str,
    *,
    everybody: bool = False,
    said: str = "",
    problem: SluiceError | None = None,
) -> Response:
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
    found = caller.check_decisions.awaited(home.id, mine=not everybody)
    with caller.database.read() as transaction:
        rows = [_row(transaction, caller, one) for one in found]
    return page(
        request,
        "approvals.html",
        caller,
        project=home.name,
        active="approvals",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        said=said,
        rows=rows,
        everybody=everybody,
    )


def _row(transaction: Transaction, caller: Caller, one: Awaited) -> Row:
    check = one.check
    given, wanted = sum(bool(step.actual) for step in check.steps), approval.required(check)
    return Row(
        run_id=one.run.id,
        run=one.run.name,
        pipeline=one.run.pipeline,
        stage=words.stage_name(one.suite.stage),
        check=check.id,
        on=words.plain(asked_as(check)),
        waits_for=words.plain(" or ".join(approval.waits_for(check))),
        told=f"{given} of {wanted} approved" if wanted > 1 else "",
        instructions=words.plain(check.settings.get("instructions", "")),
        requester=one.run.requested_by,
        until=check.expires_at,
        asked=check.started_at,
        sees_run=sees(transaction, caller.guard, one.run),
        mine=caller.check_decisions.may_decide(transaction, one.run, check),
    )
