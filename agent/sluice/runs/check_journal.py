"""What the audit log tells of the requests of runs and of their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.authorization.checks.model import Check, Suite
from sluice.authorization.texts import CHECKS, STEP_WAITS, TYPE_LABELS
from sluice.storage import actions, audit, projects
from sluice.storage.action import Action

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow


def asked_event(run: RunRow, request: RequestRow, now: float) -> audit.Event:
    """A run waits: for a permit, for a check, or at a step of an agentless job."""
    details: dict[str, Any] = {
        "StageName": request.stage,
        "RunId": run.id,
        "ResourceType": request.resource_type,
        "ResourceName": request.resource_name,
        "PipelineName": run.pipeline,
    }
    action = actions.PERMISSION_REQUESTED
    if request.resource_type in STEP_WAITS:
        action = actions.STEP_WAITS
    elif request.resource_type in CHECKS:
        action = actions.CHECK_REQUESTED
        details |= {
            "Check": f"{TYPE_LABELS[request.resource_type].lower()} {request.resource_name}",
            "CheckId": request.resource_id,
        }
    return audit.Event(
        action=action,
        actor=run.requested_by,
        at=now,
        project_id=run.project_id,
        resource_id=request.resource_id,
        details=details,
    )


def completed_event(transaction: Transaction, run: RunRow, suite: Suite, now: float) -> audit.Event:
    """The checks of a checkpoint have come to their end."""
    details = {
        "StageName": suite.stage,
        "RunId": run.id,
        "RunName": run.name,
        "PipelineName": run.pipeline,
        "ProjectName": projects.get(transaction, run.project_id).name,
        "CheckSuiteStatus": str(suite.state),
        "CheckSuiteId": suite.id,
        "Attempt": suite.attempt,
        "Checks": [
            {"CheckId": check.id, "Kind": check.label, "ResourceName": check.resource.name, "State": str(check.state)}
            for check in suite.checks
        ],
    }
    return audit.Event(
        action=actions.CHECKS_COMPLETED, actor="sluice", at=now, project_id=run.project_id, details=details
    )


def decided_event(
    action: Action, run: RunRow, suite: Suite, check: Check, *, by: str, at: float, more: dict[str, Any]
) -> audit.Event:
    """Somebody decided about a check of a run."""
    details: dict[str, Any] = {
        "StageName": suite.stage,
        "RunId": run.id,
        "PipelineName": run.pipeline,
        "CheckId": check.id,
        "Kind": check.label,
        "ResourceType": TYPE_LABELS.get(check.resource.kind, check.resource.kind),
        "ResourceName": check.resource.name,
        **more,
    }
    return audit.Event(
        action=action, actor=by, at=at, project_id=run.project_id, resource_id=check.resource.id, details=details
    )
