"""What people decide about manual validations: the run goes on, or the step fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sluice.authorization.texts import VALIDATION
from sluice.errors import NotPermittedError, UsageError
from sluice.runs import vouched_waits
from sluice.runs.decisions import Decisions, ResourceName, choose, require_in_time, run_of
from sluice.runs.pipelines import no_run, require_queue, sees
from sluice.runs.step_waits import wait_of, with_decision
from sluice.runtime.request import Outcome, StepAnswer
from sluice.storage import actions, audit, records, requests, runs

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

MAX_COMMENT = 2048


def respond(
    decisions: Decisions, run_id: int, *, approved: bool, comment: str = "", names: Sequence[str] = ()
) -> list[RequestRow]:
    """Resume (or reject) the manual validations that a run waits for: all of them, or those that are named.

    Answers what was decided. Raises `ConflictError` when it waits for none, `NotFoundError` for a name that it does not
    wait for, and `NotPermittedError` when the validation is for others to decide.
    """
    if len(comment) > MAX_COMMENT:
        raise UsageError(f"the comment is longer than {MAX_COMMENT} characters")
    with decisions.database.write() as transaction:
        run = run_of(transaction, run_id)
        if not (sees(transaction, decisions.guard, run) or _is_asked(transaction, decisions, run)):
            raise no_run(run_id)
        if not runs.is_whole(transaction, run_id):
            raise runs.tampered(run_id)
        wanted = [ResourceName(VALIDATION, name) for name in names]
        what = "waits for no manual validation"
        chosen = choose(transaction, run, wanted, of=lambda kind: kind == VALIDATION, what=what)
        require_queue(transaction, decisions.guard, run)
        require_in_time(run, chosen, decisions.clock())
        options = dict(run.options)
        for request in chosen:
            options = _decide(transaction, decisions, run, request, options, approved=approved, comment=comment.strip())
        runs.set_options(transaction, run_id, options)
    return chosen


def _is_asked(transaction: Transaction, decisions: Decisions, run: RunRow) -> bool:
    """Whether a validation that the run waits for names the person, who may not see the run."""
    for request in requests.of_run(transaction, run.id, state="running"):
        if request.resource_type == VALIDATION and (job := records.get(transaction, run.id, request.job_id)):
            vouched_waits.require(transaction, run.id, [job])
            wait = wait_of(job.details)
            if wait is not None and _approvers(wait.properties) & _names(decisions):
                return True
    return False


def _decide(
    transaction: Transaction,
    decisions: Decisions,
    run: RunRow,
    request: RequestRow,
    options: dict[str, Any],
    *,
    approved: bool,
    comment: str,
) -> dict[str, Any]:
    """Record a decision; answers the run's options with it."""
    job = records.get(transaction, run.id, request.job_id)
    vouched_waits.require(transaction, run.id, [job] if job is not None else [])
    wait = wait_of(job.details) if job is not None else None
    if job is None or wait is None or wait.step != request.step_id:
        return options  # it has been answered, by time or by its cancellation
    _require_approver(decisions, run, request, wait.properties)
    outcome = Outcome.APPROVED if approved else Outcome.REJECTED
    answer = StepAnswer(outcome=outcome, by=decisions.by, comment=comment)
    now = decisions.clock()
    requests.decide(transaction, request.id, state=str(outcome), by=decisions.by, at=now)
    event = audit.Event(
        action=actions.VALIDATION_APPROVED if approved else actions.VALIDATION_REJECTED,
        actor=decisions.by,
        at=now,
        project_id=run.project_id,
        resource_id=request.resource_id,
        details={
            "ResourceType": request.resource_type,
            "ResourceName": request.resource_name,
            "StageName": request.stage,
            "RunId": run.id,
            "PipelineName": run.pipeline,
            "Comment": comment,
        },
    )
    audit.append(transaction, event)
    return with_decision(options, job.id, wait.step, answer)


def _require_approver(decisions: Decisions, run: RunRow, request: RequestRow, properties: Mapping[str, str]) -> None:
    """Whether the step's own inputs let this person decide."""
    approvers = _approvers(properties)
    if approvers and not approvers & _names(decisions):
        raise NotPermittedError(
            f"the manual validation '{request.resource_name}' is for others to decide",
            do=f"ask one of: {', '.join(sorted(approvers))}",
        )
    if properties.get("ownRuns") == "false" and run.requested_by == decisions.by:
        raise NotPermittedError(
            f"who queued run {run.id} may not decide its manual validation '{request.resource_name}'",
            do="ask somebody else (allowApproversToApproveTheirOwnRuns is false)",
        )


def _approvers(properties: Mapping[str, str]) -> set[str]:
    """Whom the step's inputs name, in one spelling."""
    listed = [part.strip() for line in properties.get("approvers", "").splitlines() for part in line.split(",")]
    return {name.casefold() for name in listed if name}


def _names(decisions: Decisions) -> set[str]:
    """What the person is called, and the groups it is in, in one spelling."""
    actor = decisions.guard.actor
    return {name.casefold() for name in (decisions.by, actor.name, *actor.groups) if name}
