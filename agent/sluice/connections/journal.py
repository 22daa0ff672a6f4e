"""What the audit log says of connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluice.connections.connection import ConnectionRecord
from sluice.storage import actions, audit, projects, usage


def changed(
    action: actions.Action,
    record: ConnectionRecord,
    project: projects.Project,
    *,
    by: str,
    at: float,
    more: Mapping[str, object] | None = None,
) -> audit.Event:
    """A change of a connection, as it is after it."""
    return audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=project.id,
        resource_id=record.id,
        resource_version=record.version,
        details={**_named(record, project), **(more or {})},
    )


def released(record: ConnectionRecord, project: projects.Project, use: usage.Use, *, at: float) -> audit.Event:
    """A connection's secrets leave the store."""
    details = {
        "PipelineId": use.pipeline_id,
        "RunId": use.run_id,
        "StageName": use.stage,
        "JobName": use.job,
        "StepId": use.step_id,
        "TaskName": use.task,
    }
    return changed(actions.CONNECTION_EXECUTED, record, project, by=use.actor, at=at, more=details)


def modification(before: ConnectionRecord, after: ConnectionRecord, changes: Sequence[str]) -> actions.Action:
    """The action that an update is recorded as."""
    if set(changes) <= {"name", "description"}:
        return actions.CONNECTION_FOR_PROJECT_MODIFIED
    if before.disabled != after.disabled and set(changes) == {"disabled"}:
        return actions.CONNECTION_PROPERTY_CHANGED
    return actions.CONNECTION_MODIFIED


def _named(record: ConnectionRecord, project: projects.Project) -> dict[str, object]:
    return {
        "ConnectionName": record.name,
        "ConnectionId": record.id,
        "ConnectionType": record.type,
        "ProjectName": project.name,
    }
