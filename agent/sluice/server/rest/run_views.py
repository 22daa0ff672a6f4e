"""Runs, pipelines and timelines as the REST interface shows them, in both views: of pipelines, and of builds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sluice.runs.identifiers import shown
from sluice.runs.predefined import plan_id
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.projects import reference

if TYPE_CHECKING:
    from sluice.server.rest.call import Call
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project
    from sluice.storage.records import RecordRow
    from sluice.storage.runs import RunRow

_RUN_RESULTS = {"Succeeded": "succeeded", "SucceededWithIssues": "succeeded", "Canceled": "canceled"}
_BUILD_RESULTS = {
    "Succeeded": "succeeded",
    "SucceededWithIssues": "partiallySucceeded",
    "Skipped": "succeeded",
    "Canceled": "canceled",
}
RECORD_RESULTS = {
    "Succeeded": "succeeded",
    "SucceededWithIssues": "succeededWithIssues",
    "Failed": "failed",
    "Canceled": "canceled",
    "Skipped": "skipped",
    "Abandoned": "abandoned",
}
"""Results of timeline records, as they are stored and as clients know them."""

_RECORD_STATES = {"pending": "pending", "waiting": "inProgress", "inProgress": "inProgress", "completed": "completed"}


def pipeline_view(call: Call, project: Project, pipeline: Pipeline, *, whole: bool = False) -> dict[str, Any]:
    """A pipeline; `whole` adds where its YAML lies."""
    url = f"{call.base}/{project.guid}/_apis/pipelines/{pipeline.id}?revision=1"
    found: dict[str, Any] = {
        "_links": {
            "self": {"href": url},
            "web": {"href": f"{call.base}/{quote(project.name)}/_build/definition?definitionId={pipeline.id}"},
        },
        "url": url,
        "id": pipeline.id,
        "revision": 1,
        "name": pipeline.name,
        "folder": "\\",
    }
    if whole:
        found["configuration"] = {"type": "yaml", "path": pipeline.source, "repository": {"type": "local"}}
    return found


def run_view(call: Call, project: Project, run: RunRow, *, plan_text: str | None = None) -> dict[str, Any]:
    """A run, in the view of pipelines."""
    base = f"{call.base}/{project.guid}/_apis/pipelines/{run.pipeline_id}"
    found: dict[str, Any] = {
        "_links": {
            "self": {"href": f"{base}/runs/{run.id}"},
            "web": {"href": results_page(call, project, run)},
            "pipeline": {"href": base},
            "pipeline.web": {
                "href": f"{call.base}/{quote(project.name)}/_build/definition?definitionId={run.pipeline_id}"
            },
        },
        "templateParameters": {},
        "variables": {},
        "pipeline": {
            "url": f"{base}?revision=1",
            "id": run.pipeline_id,
            "revision": 1,
            "name": run.pipeline,
            "folder": "\\",
        },
        "state": "completed" if run.state == "completed" else "canceling" if run.cancel_requested_by else "inProgress",
        "createdDate": as_date(run.created_at),
        "url": f"{base}/runs/{run.id}",
        "id": run.id,
        "name": run.name,
        "resources": {"repositories": {"self": _repository(run)}},
    }
    if run.state == "completed":
        found["result"] = _RUN_RESULTS.get(run.result, "failed")
        found["finishedDate"] = as_date(run.finished_at)
    return found


def _repository(run: RunRow) -> dict[str, Any]:
    options = run.options
    return {
        "repository": {"id": options.get("repository", ""), "type": "local"},
        "refName": options.get("branch", ""),
        "version": options.get("version", ""),
    }


def build_view(call: Call, project: Project, run: RunRow, *, waits: bool) -> dict[str, Any]:
    """A run, in the view of builds. `waits` says that it has not begun: its first stage waits for something."""
    base = f"{call.base}/{project.guid}/_apis/build"
    shown_project = reference(call, project)
    person = identity_ref(call.base, run.requested_by)
    status = "completed" if run.state == "completed" else "cancelling" if run.cancel_requested_by else "inProgress"
    found: dict[str, Any] = {
        "_links": {
            "self": {"href": f"{base}/Builds/{run.id}"},
            "web": {"href": results_page(call, project, run)},
            "timeline": {"href": f"{base}/builds/{run.id}/Timeline"},
            "badge": {"href": f"{base}/status/{run.pipeline_id}"},
        },
        "properties": {},
        "tags": [],
        "validationResults": [],
        "plans": [{"planId": plan_id(run.id)}],
        "triggerInfo": {},
        "id": run.id,
        "buildNumber": run.name,
        "buildNumberRevision": 1,
        "status": "notStarted" if waits and status == "inProgress" else status,
        "queueTime": as_date(run.created_at),
        "startTime": as_date(run.started_at or run.created_at),
        "url": f"{base}/Builds/{run.id}",
        "definition": {
            "drafts": [],
            "id": run.pipeline_id,
            "name": run.pipeline,
            "url": f"{base}/Definitions/{run.pipeline_id}?revision=1",
            "uri": f"vstfs:///Build/Definition/{run.pipeline_id}",
            "path": "\\",
            "type": "build",
            "queueStatus": "enabled",
            "revision": 1,
            "project": shown_project,
        },
        "project": shown_project,
        "uri": f"vstfs:///Build/Build/{run.id}",
        "sourceBranch": run.options.get("branch", ""),
        "sourceVersion": run.options.get("version", ""),
        "priority": "normal",
        "reason": "pullRequest" if run.options.get("untrusted") else "manual",
        "requestedFor": person,
        "requestedBy": person,
        "lastChangedDate": as_date(run.finished_at or run.created_at),
        "lastChangedBy": person,
        "parameters": json.dumps({}),
        "orchestrationPlan": {"planId": plan_id(run.id)},
        "logs": {"id": 0, "type": "Container", "url": f"{base}/builds/{run.id}/logs"},
        "repository": {"id": run.options.get("repository", ""), "type": "TfsGit", "url": None, "clean": None},
        "retainedByRelease": False,
    }
    if run.state == "completed":
        found["result"] = _BUILD_RESULTS.get(run.result, "failed")
        found["finishTime"] = as_date(run.finished_at)
    return found


def results_page(call: Call, project: Project, run: RunRow) -> str:
    """The page of a run."""
    return f"{call.base}/{quote(project.name)}/_build/results?buildId={run.id}"


def record_view(record: RecordRow, logs: Mapping[str, int], base: str) -> dict[str, Any]:
    """A timeline record; `logs` are the numbers of logs by record, `base` is the address of the run's logs."""
    log = logs.get(record.id)
    return {
        "previousAttempts": [],
        "id": record.id,
        "parentId": record.parent_id or None,
        "type": record.type,
        "name": record.name,
        "startTime": as_date(record.started_at),
        "finishTime": as_date(record.finished_at),
        "currentOperation": record.operation or None,
        "percentComplete": record.percent,
        "state": _RECORD_STATES.get(record.state, "inProgress"),
        "result": RECORD_RESULTS.get(record.result),
        "resultCode": record.message or None,
        "changeId": 1,
        "lastModified": as_date(record.finished_at or record.started_at) or "0001-01-01T00:00:00Z",
        "workerName": record.worker or None,
        "order": record.order,
        "details": None,
        "errorCount": record.error_count,
        "warningCount": record.warning_count,
        "url": None,
        "log": {"id": log, "type": "Container", "url": f"{base}/{log}"} if log else None,
        "task": None,
        "attempt": record.attempt,
        "identifier": shown(record.identifier),
        "issues": [_issue(issue) for issue in record.issues],
    }


def _issue(issue: Mapping[str, Any]) -> dict[str, Any]:
    data = issue.get("data") or {}
    return {
        "type": str(issue.get("type", "error")).lower(),
        "category": data.get("category", "General"),
        "message": issue.get("message", ""),
        "data": {str(key): str(value) for key, value in data.items()},
    }


def log_numbers(records: Sequence[RecordRow]) -> dict[str, int]:
    """The numbers of logs by record: steps count from 1 in the order in which they began, so that a number stays."""
    begun = [one for one in records if one.type == "Task" and one.started_at is not None]
    begun.sort(key=lambda one: (one.started_at or 0.0, one.id))
    return {record.id: number for number, record in enumerate(begun, start=1)}
