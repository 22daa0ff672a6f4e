"""Checks on resources, and what becomes of them at the checkpoints of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.authorization.checks.model import Check, Suite
from sluice.rights import Right
from sluice.runs import suites
from sluice.server.problems import bad_argument, not_found
from sluice.server.rest.bodies import Body, Number, choice
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.check_bodies import CheckBody, ResourceBody, entered, kind_of, settings_view
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.lookups import run_of
from sluice.server.rest.protected import by_id, find
from sluice.server.rest.routing import call_of, resource
from sluice.storage import check_configurations as rows
from sluice.storage.check_configurations import ConfigurationRow

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

router = resource("PipelinesChecks")
Here = Annotated[Call, Depends(call_of("86c8381e-5aee-4cde-8ae4-25c0c7f5eaea"))]
Queries = Annotated[Call, Depends(call_of("5f3d0e64-f943-4584-8811-77eb495e831e"))]
Suites = Annotated[Call, Depends(call_of("91282c1d-c183-444f-9554-1485bfb3879d"))]
Expand = Annotated[str, Query(alias="$expand")]

CONFIGURATIONS = "/{project}/_apis/pipelines/checks/configurations"
MAX_RESOURCES = 1000
_ACTIONS = ("rerun", "bypass", "defer")


class SuiteBody(Body):
    """What is to become of a check of a suite."""

    action: str | int | None = None
    checkId: str | None = None
    comment: str | None = None


@router.post(CONFIGURATIONS, summary="Put a check on a resource")
def add(call: Here, project: str, body: CheckBody) -> Response:
    """Put a check on a resource; it holds for checkpoints that begin from then on."""
    configurations = call.caller.configurations
    kinds = configurations.orchestrator.kinds()
    kind = kind_of(kinds, body)
    if body.resource is None or not body.resource.type:
        raise bad_argument("a check is on a resource: give resource.type and resource.id")
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        on = find(call, transaction, home, body.resource.type, body.resource.id or body.resource.name or "")
        asked = entered(transaction, home, kind, body)
    made = configurations.add(home.name, on.resource.type, on.resource.id, kind, asked)
    if body.isDisabled:
        made = configurations.set_disabled(home.name, made.id, disabled=True)
    return _reply(call, home, made)


@router.get(CONFIGURATIONS, summary="The checks on a resource")
def listed(call: Here, project: str, resourceType: str = "", resourceId: str = "", expand: Expand = "none") -> Response:
    """List the checks on a resource, or all that the caller sees."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        if resourceType or resourceId:
            on = find(call, transaction, home, resourceType, resourceId)
            found = rows.of_resource(transaction, on.resource)
        else:
            found = [
                row
                for row in rows.listed(transaction, home.id)
                if call.caller.guard.allows(transaction, Right.SEE, row.resource)
            ]
        return call.collection([_view(call, transaction, home, row, settings=_expands(expand)) for row in found])


@router.get(CONFIGURATIONS + "/{checkId}", summary="A check")
def get(call: Here, project: str, checkId: Number, expand: Expand = "none") -> Response:
    """Get a check by its number."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        row = _row(call, transaction, home, checkId)
        return call.reply(_view(call, transaction, home, row, settings=_expands(expand)))


@router.patch(CONFIGURATIONS + "/{checkId}", summary="Change a check")
def update(call: Here, project: str, checkId: Number, body: CheckBody) -> Response:
    """Change a check; a secret that is not sent stays, unless the address that it goes to changes."""
    configurations = call.caller.configurations
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        row = _row(call, transaction, home, checkId)
        kind = configurations.orchestrator.kinds().get(row.kind)
        asked = entered(transaction, home, kind, body, before=row) if body.settings is not None else None
    if asked is not None:
        row = configurations.update(home.name, row.id, asked)
    if body.isDisabled is not None:
        row = configurations.set_disabled(home.name, row.id, disabled=body.isDisabled)
    return _reply(call, home, row)


@router.delete(CONFIGURATIONS + "/{checkId}", summary="Remove a check")
def remove(call: Here, project: str, checkId: Number) -> Response:
    """Remove a check; checkpoints that have begun go on asking it."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        row = _row(call, transaction, home, checkId)
    call.caller.configurations.remove(home.name, row.id)
    return nothing()


@router.post("/{project}/_apis/pipelines/checks/queryconfigurations", summary="The checks on many resources")
def query(call: Queries, project: str, bodies: list[ResourceBody], expand: Expand = "none") -> Response:
    """List the checks on resources; those that there are not have none."""
    if len(bodies) > MAX_RESOURCES:
        raise bad_argument(f"at most {MAX_RESOURCES} resources at a time")
    found: list[ConfigurationRow] = []
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        for body in bodies:
            on = find(call, transaction, home, body.type or "", body.id or body.name or "")
            found.extend(rows.of_resource(transaction, on.resource))
        return call.collection([_view(call, transaction, home, row, settings=_expands(expand)) for row in found])


@router.get("/{project}/_apis/pipelines/checks/runs/{checkSuiteId}", summary="The checks of a checkpoint")
def suite(call: Suites, project: str, checkSuiteId: str) -> Response:
    """Get a suite: the checks of a checkpoint, and what has become of them."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        return call.reply(_suite(call, transaction, home, _suite_of(call, transaction, home, checkSuiteId)))


@router.patch("/{project}/_apis/pipelines/checks/runs/{checkSuiteId}", summary="Rerun or bypass a check")
def decide(call: Suites, project: str, checkSuiteId: str, body: SuiteBody) -> Response:
    """Ask a check once more, or let it count as passed."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = _suite_of(call, transaction, home, checkSuiteId)
    if found.check(body.checkId or "") is None:
        raise not_found(f"the suite has no check '{(body.checkId or '')[:80]}': it does not exist.")
    decisions, action = call.caller.check_decisions, choice(body.action, _ACTIONS)
    if action == "bypass":
        decisions.bypass(found.run_id, body.checkId or "", comment=body.comment or "")
    elif action == "rerun":
        decisions.rerun(found.run_id, body.checkId or "", comment=body.comment or "")
    else:
        raise bad_argument("'action' is 'rerun' or 'bypass'; an approval is deferred by the approval itself")
    call.caller.state.go_on(found.run_id)
    with call.caller.database.read() as transaction:
        return call.reply(_suite(call, transaction, home, _suite_of(call, transaction, home, checkSuiteId)))


def _reply(call: Call, home: Project, row: ConfigurationRow) -> Response:
    with call.caller.database.read() as transaction:
        return call.reply(_view(call, transaction, home, row, settings=True))


def _row(call: Call, transaction: Transaction, home: Project, number: int) -> ConfigurationRow:
    row = rows.get(transaction, home.id, number)
    if row is None or not call.caller.guard.allows(transaction, Right.SEE, row.resource):
        raise not_found(f"Check configuration {number} does not exist.")
    return row


def _expands(text: str) -> bool:
    return text.casefold() in {"settings", "1"}


def _view(
    call: Call, transaction: Transaction, home: Project, row: ConfigurationRow, *, settings: bool
) -> dict[str, Any]:
    kind = call.caller.configurations.orchestrator.kinds().find(row.kind)
    on = by_id(call, transaction, home, row.resource)
    url = f"{call.base}/{home.guid}/_apis/pipelines/checks/configurations/{row.id}"
    found: dict[str, Any] = {
        "createdBy": identity_ref(call.base, row.created_by),
        "createdOn": as_date(row.created_at),
        "modifiedBy": identity_ref(call.base, row.modified_by),
        "modifiedOn": as_date(row.modified_at),
        "timeout": row.timeout,
        "_links": {"self": {"href": url}},
        "id": row.id,
        "version": row.version,
        "isDisabled": row.disabled,
        "type": {"id": kind.type_id if kind else "", "name": kind.type_name if kind else row.kind},
        "url": url,
        "resource": {
            "type": row.resource_type,
            "id": on.shown if on else row.resource_id,
            "name": on.name if on else row.resource_id,
        },
    }
    if settings:
        found["settings"] = settings_view(transaction, kind, row)
    return found


def _suite_of(call: Call, transaction: Transaction, home: Project, suite_id: str) -> Suite:
    found = suites.get(transaction, suite_id.strip().casefold())
    if found is None or found.project_id != home.id:
        raise not_found(f"Check suite {suite_id[:80]} does not exist.")
    run_of(call, transaction, home, found.run_id)
    return found


def _suite(call: Call, transaction: Transaction, home: Project, found: Suite) -> dict[str, Any]:
    run = run_of(call, transaction, home, found.run_id)
    url = f"{call.base}/{home.guid}/_apis/pipelines/checks/runs/{found.id}"
    return {
        "id": found.id,
        "status": str(found.state),
        "message": found.message,
        "completedDate": as_date(found.completed_at),
        "checkRuns": [_check(call, home, one) for one in found.checks],
        "context": {
            "Project": {"Id": home.guid, "Name": home.name},
            "Pipeline": {"Id": run.pipeline_id, "Name": run.pipeline, "Owner": {"Id": run.id, "Name": run.name}},
            "GraphNode": {"Name": found.stage, "Attempt": found.attempt},
        },
        "_links": {"self": {"href": url}},
        "url": url,
    }


def _check(call: Call, home: Project, check: Check) -> dict[str, Any]:
    on: Sequence[str] = (check.resource.kind, check.resource.id, check.resource.name)
    configuration = f"{call.base}/{home.guid}/_apis/pipelines/checks/configurations/{check.configuration_id}"
    return {
        "id": check.id,
        "status": str(check.state),
        "resultMessage": check.message,
        "createdDate": as_date(check.created_at),
        "completedDate": as_date(check.completed_at),
        "evaluationOrder": check.category,
        "modifiedBy": identity_ref(call.base, check.decided_by) if check.decided_by else None,
        "resultUpdates": [],
        "checkConfigurationRef": {
            "id": check.configuration_id,
            "version": check.configuration_version,
            "type": {"name": check.label},
            "resource": {"type": on[0], "id": on[1], "name": on[2]},
            "url": configuration,
        },
    }
