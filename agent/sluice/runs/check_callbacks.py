"""Checks that a service answers later: what it is told to do so, and its answer (REST event `TaskCompleted`)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

from sluice.authorization.checks import callback
from sluice.authorization.checks.model import Check, Suite
from sluice.errors import NotFoundError, NotPermittedError
from sluice.hooks.checks import Callback, Decision
from sluice.runs import suites
from sluice.runs.check_journal import decided_event
from sluice.secret import Secret
from sluice.storage import actions, audit, runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.storage.engine import Database

Result = Literal["succeeded", "failed"]

HUB: Final = "build"
_ACTOR: Final = "the service of the check"


def issue(check: Check, now: float) -> tuple[Check, Secret]:
    """The check with a new token that may answer it, and the token: it is shown to the service and nobody else."""
    token = Secret(secrets.token_urlsafe(32))
    return callback.expect(check, token, now), token


def callback_of(suite: Suite, check: Check, token: Secret, *, server: str, project_id: str, plan_id: str) -> Callback:
    """What the service is told. Without a `server` it cannot reach us, and hands its answer to a person with the token.

    `JobId` is the suite's id and `TaskInstanceId` the check's, as the timeline has them.
    """
    told = {
        "PlanUrl": server,
        "ProjectId": project_id,
        "HubName": HUB,
        "PlanId": plan_id,
        "JobId": suite.id,
        "TaskInstanceId": check.id,
    }
    path = f"{project_id}/_apis/distributedtask/hubs/{HUB}/plans/{plan_id}/events"
    url = f"{server.rstrip('/')}/{path}" if server else ""
    return Callback(url=url, token=token, headers={name: value for name, value in told.items() if value})


def complete(
    database: Database,
    clock: Callable[[], float],
    check_id: str,
    token: Secret,
    result: Result,
    *,
    run_id: int | None = None,
) -> Suite:
    """Record a service's answer, and answer the suite of the check as it is then; the run has to be advanced after it.

    Raises `NotFoundError` for a check that there is not (in that run), `NotPermittedError` for a token that may not
    answer it: another's, one that was used, or one that is too old.
    """
    with database.write() as transaction:
        now = clock()
        suite = suites.of_check(transaction, check_id)
        check = suite.check(check_id) if suite else None
        run = runs.get(transaction, suite.run_id) if suite else None
        if suite is None or check is None or run is None or run_id not in {None, suite.run_id}:
            where = f" of run {run_id}" if run_id is not None else ""
            raise NotFoundError(f"there is no check '{check_id}'{where}")
        if reason := callback.refusal(suite, check, token, now):
            raise NotPermittedError("the check is not answered", where=check.label, why=reason)
        decision = (
            Decision.approved("the service says so")
            if result == "succeeded"
            else Decision.rejected("the service says that it failed")
        )
        after = callback.answered(suite, check, decision, now)
        suites.save(transaction, [after])
        event = decided_event(actions.CHECK_ANSWERED, run, suite, check, by=_ACTOR, at=now, more={"Result": result})
        audit.append(transaction, event)
    return after
