"""Approvals: those that wait, what has become of one, and what people decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.authorization.checks.approval import Verdict, is_approval, required
from sluice.authorization.checks.kinds import APPROVAL
from sluice.authorization.checks.model import Check, Step, Suite
from sluice.errors import NotFoundError
from sluice.rights import Right
from sluice.runs import suites
from sluice.runs.pipelines import sees
from sluice.server.problems import bad_argument, not_found
from sluice.server.rest.bodies import Body, choice
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import results_page
from sluice.storage import people, runs
from sluice.storage.permissions import Resource
from sluice.storage.runs import RunRow

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

router = resource("approval")
Here = Annotated[Call, Depends(call_of("37794717-f36f-4d78-b2bf-4dc30d0cfbcd"))]
Expand = Annotated[str, Query(alias="$expand")]

_STATUSES = (
    "undefined",
    "uninitiated",
    "pending",
    "approved",
    "rejected",
    "skipped",
    "canceled",
    "timedOut",
)
_OF_STATE = {"queued": "uninitiated", "running": "pending", "failed": "rejected", "bypassed": "approved"}
MAX_DECISIONS = 100


class PersonBody(Body):
    """A user or a group."""

    id: str | None = None
    displayName: str | None = None
    uniqueName: str | None = None


class DecisionBody(Body):
    """What somebody decides about an approval."""

    approvalId: str
    status: str | int | None = None
    comment: str | None = None
    deferredTo: datetime | None = None
    assignedApprover: PersonBody | None = None
    reassignTo: PersonBody | None = None


_Found = tuple[RunRow, Suite, Check]


@router.get("/{project}/_apis/pipelines/approvals", summary="Approvals")
def query(
    call: Here,
    project: str,
    approvalIds: str = "",
    userIds: str = "",
    assignedTo: str = "",
    state: str = "",
    expand: Expand = "none",
    top: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """List the approvals that are named, or those that wait: for certain people, where these are named."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        if approvalIds:
            found = [one for text in approvalIds.split(",") if (one := _find(call, transaction, home, text))]
        else:
            found = list(_waiting(call, transaction, home, _who(transaction, userIds or assignedTo)))
        if state and state.casefold() != "all":
            found = [one for one in found if _status(one[2]).casefold() == state.casefold()]
        shown = [_view(call, home, *one, steps="steps" in expand.casefold()) for one in found[:top]]
    return call.collection(shown)


@router.get("/{project}/_apis/pipelines/approvals/{approvalId}", summary="An approval")
def get(call: Here, project: str, approvalId: str, expand: Expand = "none") -> Response:
    """Get an approval."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = _find(call, transaction, home, approvalId)
        if found is None:
            raise _missing(approvalId)
        return call.reply(_view(call, home, *found, steps="steps" in expand.casefold()))


@router.patch("/{project}/_apis/pipelines/approvals", summary="Approve, reject, defer or reassign")
def decide(call: Here, project: str, bodies: list[DecisionBody]) -> Response:
    """Decide about approvals, one after the other; each is decided once."""
    if not 0 < len(bodies) <= MAX_DECISIONS:
        raise bad_argument(f"between one and {MAX_DECISIONS} approvals at a time")
    shown = []
    for body in bodies:
        with call.caller.database.read() as transaction:
            home = call.project(transaction, project)
            found = _find(call, transaction, home, body.approvalId)
        if found is None:
            raise _missing(body.approvalId)
        run, _, check = found
        _decide(call, run.id, check.id, body)
        call.caller.state.go_on(run.id)
        with call.caller.database.read() as transaction:
            after = _find(call, transaction, home, body.approvalId) or found
            shown.append(_view(call, home, *after, steps=True))
    return call.collection(shown)


def _decide(call: Call, run_id: int, check_id: str, body: DecisionBody) -> None:
    decisions, comment = call.caller.check_decisions, body.comment or ""
    if body.reassignTo is not None:
        approver = _named(call, body.assignedApprover) if body.assignedApprover else call.caller.name
        decisions.reassign(run_id, check_id, approver, _named(call, body.reassignTo), comment=comment)
        return
    status = choice(body.status, (*_STATUSES, "deferred"))
    if status not in {"approved", "rejected", "deferred"}:
        raise bad_argument("'status' is 'approved' or 'rejected'")
    until = body.deferredTo.timestamp() if body.deferredTo else None
    verdict = Verdict.REJECT if status == "rejected" else Verdict.APPROVE
    decisions.decide(run_id, verdict, [check_id], comment=comment, deferred_to=until)


def _named(call: Call, person: PersonBody) -> str:
    text = person.id or person.uniqueName or person.displayName or ""
    with call.caller.database.read() as transaction:
        user = people.find(transaction, text)
    return user.name if user else text


def _find(call: Call, transaction: Transaction, home: Project, approval_id: str) -> _Found | None:
    """An approval by its id, for who sees its run or what it is on, or is an approver."""
    found = suites.of_check(transaction, approval_id.strip().casefold())
    check = found.check(approval_id.strip().casefold()) if found else None
    run = runs.get(transaction, found.run_id) if found else None
    if found is None or check is None or run is None or run.project_id != home.id or not is_approval(check):
        return None
    return (run, found, check) if _concerns(call, transaction, run, check) else None


def _concerns(call: Call, transaction: Transaction, run: RunRow, check: Check) -> bool:
    caller = call.caller
    on = Resource(run.project_id, check.resource.id, check.resource.kind)
    return (
        sees(transaction, caller.guard, run)
        or any(step.approver_id in caller.actor.subjects for step in check.steps)
        or caller.guard.allows(transaction, Right.SEE, on)
    )


def _waiting(call: Call, transaction: Transaction, home: Project, who: frozenset[str] | None) -> Iterator[_Found]:
    for one in suites.active(transaction, APPROVAL.name):
        run = runs.get(transaction, one.run_id)
        if run is None or run.project_id != home.id or run.state == "completed":
            continue
        for check in one.checks:
            mine = who is None or any(step.approver_id in who for step in check.steps)
            if is_approval(check) and mine and _concerns(call, transaction, run, check):
                yield run, one, check


def _who(transaction: Transaction, texts: str) -> frozenset[str] | None:
    """The ids of people, and of the groups that they are in; None for everybody."""
    from sluice.identity.actors import of_user

    wanted = [text.strip() for text in texts.split(",") if text.strip()]
    if not wanted:
        return None
    found: set[str] = set()
    for text in wanted:
        try:
            user = people.find(transaction, text)
        except NotFoundError:
            user = None
        found |= of_user(transaction, user).subjects if user else {text.casefold()}
    return frozenset(found)


def _view(call: Call, home: Project, run: RunRow, suite: Suite, check: Check, *, steps: bool) -> dict[str, Any]:
    page = results_page(call, home, run)
    return {
        "id": check.id,
        "steps": [_step(call, order, step) for order, step in enumerate(check.steps, start=1)] if steps else [],
        "status": _status(check),
        "createdOn": as_date(check.started_at or check.created_at),
        "lastModifiedOn": as_date(check.completed_at or check.started_at or check.created_at),
        "executionOrder": check.settings.get("executionOrder", "anyOrder"),
        "minRequiredApprovers": required(check),
        "instructions": check.settings.get("instructions", ""),
        "blockedApprovers": [],
        "pipeline": {
            "owner": {"_links": {"web": {"href": page}}, "id": run.id, "name": run.name},
            "id": str(run.pipeline_id),
            "name": run.pipeline,
        },
        "_links": {"self": {"href": f"{call.base}/{home.guid}/_apis/pipelines/approvals/{check.id}"}},
    }


def _step(call: Call, order: int, step: Step) -> dict[str, Any]:
    return {
        "assignedApprover": identity_ref(call.base, step.approver, identity=step.approver_id),
        "actualApprover": identity_ref(call.base, step.actual) if step.actual else None,
        "status": str(step.state),
        "comment": step.comment,
        "order": order,
        "initiatedOn": as_date(step.initiated_at),
        "lastModifiedOn": as_date(step.modified_at or step.initiated_at),
        "lastModifiedBy": identity_ref(call.base, step.actual or step.approver),
        "deferredTo": as_date(step.deferred_to),
        "history": [
            {
                "assignedTo": str(one.get("to", "")),
                "createdBy": str(one.get("by", "")),
                "comment": str(one.get("comment", "")),
            }
            for one in step.history
        ],
    }


def _status(check: Check) -> str:
    state = str(check.state)
    return _OF_STATE.get(state, state)


def _missing(approval_id: str) -> Exception:
    return not_found(f"Approval {approval_id[:80]} does not exist.")
