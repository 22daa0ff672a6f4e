"""What people do about a run: permit, deny, approve, reject, start, bypass, cancel, run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.authorization.checks.approval import Verdict
from sluice.authorization.texts import STAGE, VALIDATION
from sluice.errors import ConflictError, SluiceError
from sluice.runs.decisions import ResourceName, waiting_for
from sluice.runs.retrying import retry
from sluice.runs.validations import respond
from sluice.server.problems import problem_of
from sluice.server.web.pages_run import run_of, show_run
from sluice.server.web.rendering import home_of
from sluice.server.web.signed import Signed

if TYPE_CHECKING:
    from sluice.server.caller import Caller
    from sluice.storage.requests import RequestRow

router = APIRouter(include_in_schema=False)

Id = Annotated[str, Form(max_length=512)]
Comment = Annotated[str, Form(max_length=2048)]
Asked = Annotated[int, Form(alias="request", ge=0, lt=10**18)]
Version = Annotated[int, Form(ge=0, lt=10**18)]


@router.post("/{project}/_build/results/{run_id}/permit")
def permit(request: Request, project: str, run_id: int, caller: Signed, asked: Asked, version: Version = 0) -> Response:
    """Permit the pipeline to use what one request is about, in the version that the page showed."""

    def act() -> None:
        one = _request(caller, run_id, asked)
        if one.resource_version != version:
            raise ConflictError(
                f"'{one.resource_name}' was changed since you looked at it", do="look at what it is now, then permit it"
            )
        caller.decisions.permit(run_id, [ResourceName(one.resource_type, one.resource_id)])

    return _done(request, caller, project, run_id, act, review=True)


@router.post("/{project}/_build/results/{run_id}/deny")
def deny(request: Request, project: str, run_id: int, caller: Signed, asked: Asked) -> Response:
    """Refuse what one request is about: its stage is canceled."""

    def act() -> None:
        one = _request(caller, run_id, asked)
        caller.decisions.deny(run_id, [ResourceName(one.resource_type, one.resource_id)])

    return _done(request, caller, project, run_id, act)


@router.post("/{project}/_build/results/{run_id}/start")
def start(request: Request, project: str, run_id: int, caller: Signed, stage: Id) -> Response:
    """Start a stage that waits for a person."""
    return _done(request, caller, project, run_id, lambda: caller.decisions.start(run_id, [stage]))


@router.post("/{project}/_build/results/{run_id}/approve")
def approve(
    request: Request,
    project: str,
    run_id: int,
    caller: Signed,
    id: Id,
    verdict: Id,
    comment: Comment = "",
) -> Response:
    """Approve or reject one approval."""
    chosen = Verdict.APPROVE if verdict == "approve" else Verdict.REJECT

    def act() -> object:
        return caller.check_decisions.decide(run_id, chosen, [id], comment=comment.strip())

    return _done(request, caller, project, run_id, act, review=True)


@router.post("/{project}/_build/results/{run_id}/validate")
def validate(
    request: Request,
    project: str,
    run_id: int,
    caller: Signed,
    id: Id,
    verdict: Id,
    comment: Comment = "",
) -> Response:
    """Resume or reject one manual validation."""

    def act() -> object:
        return respond(caller.decisions, run_id, approved=verdict == "approve", comment=comment, names=[id])

    return _done(request, caller, project, run_id, act)


@router.post("/{project}/_build/results/{run_id}/bypass")
def bypass(request: Request, project: str, run_id: int, caller: Signed, id: Id) -> Response:
    """Let a check count as passed."""
    return _done(request, caller, project, run_id, lambda: caller.check_decisions.bypass(run_id, id), review=True)


@router.post("/{project}/_build/results/{run_id}/cancel")
def cancel(request: Request, project: str, run_id: int, caller: Signed) -> Response:
    """Cancel a run; once more ends it at once."""
    return _done(request, caller, project, run_id, lambda: caller.decisions.cancel(run_id))


@router.post("/{project}/_build/results/{run_id}/retry")
def retry_run(
    request: Request,
    project: str,
    run_id: int,
    caller: Signed,
    step: Annotated[str, Form(alias="from", max_length=1024)] = "",
) -> Response:
    """Run what failed again, or one job from a step on."""
    return _done(request, caller, project, run_id, lambda: retry(caller.orchestrator, run_id, from_step=step))


def _request(caller: Caller, run_id: int, number: int) -> RequestRow:
    """What a run waits for, by its own number: a page that is old finds it answered."""
    for one in waiting_for(caller.database, run_id):
        if one.id == number and one.resource_type not in {STAGE, VALIDATION}:
            return one
    raise ConflictError("somebody has decided this already, or the run does not wait for it any more")


def _done(
    request: Request,
    caller: Caller,
    project: str,
    run_id: int,
    act: Callable[[], object],
    *,
    review: bool = False,
) -> Response:
    """Do it, then show the run; what was refused stands at the top of its page."""
    with caller.database.read() as transaction:
        run_of(transaction, caller, project, run_id)
    try:
        act()
    except SluiceError as error:
        return show_run(request, caller, project, run_id, problem=error, status=problem_of(error).status)
    caller.state.go_on(run_id)
    more = review and any(True for _ in waiting_for(caller.database, run_id))
    path = f"{home_of(caller, project)}/_build/results?buildId={run_id}{'&review=1' if more else ''}"
    return RedirectResponse(path, 303)
