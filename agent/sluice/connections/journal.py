"""What the audit log says of connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sluice.connections.connection import ConnectionRecord, Key
from sluice.secret import Secret
from sluice.storage import actions, audit, projects, usage
from sluice.storage.action import Action
from sluice.storage.secret_leases import LeaseRow
from sluice.storage.vouching import Voucher


def changed(
    action: Action,
    record: ConnectionRecord,
    project: projects.Project,
    *,
    by: str,
    at: float,
    more: Mapping[str, object] | None = None,
    digest: str = "",
) -> audit.Event:
    """A change of a connection, as it is after it; `digest` is that of the record, where it is known already."""
    return audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=project.id,
        resource_id=record.id,
        resource_version=record.version,
        details={**_named(record, project), **(more or {})},
        digest=digest,
    )


def value_codes(voucher: Voucher, record: ConnectionRecord, values: Mapping[Key, str | Secret]) -> dict[str, object]:
    """Keyed hashes of values, by field: they tell whether two changes entered the same one, and never which.

    They are of this connection and field alone: the same value elsewhere has another.
    """
    found = {
        key[1]: voucher.code("value", record.id, *key, value.reveal() if isinstance(value, Secret) else value)[:32]
        for key, value in values.items()
    }
    return {"ValueHashes": found} if found else {}


def released(record: ConnectionRecord, project: projects.Project, use: usage.Use, *, at: float) -> audit.Event:
    """A connection's secrets leave the store."""
    return changed(actions.CONNECTION_EXECUTED, record, project, by=use.actor, at=at, more=_of_use(use))


def resolved(
    record: ConnectionRecord,
    project: projects.Project,
    use: usage.Use,
    secrets: Mapping[Key, Secret],
    voucher: Voucher,
    *,
    leases: int,
    at: float,
) -> audit.Event:
    """What the references of a connection name was read; keyed hashes tell whether two uses got the same, never what."""
    named = {key[1]: record.references[key] for key in secrets}
    more = {**_of_use(use), "References": named, **value_codes(voucher, record, secrets), "Leases": leases}
    event = changed(actions.SECRETS_RESOLVED, record, project, by=use.actor, at=at, more=more)
    # it is no word on what is stored: the connection may have been changed or deleted while another machine was asked
    return replace(event, resource_version=0)


def lease_ended(row: LeaseRow, *, revoked: bool, at: float) -> audit.Event:
    """A leased secret was given back, or has ended by itself."""
    details = {
        "ConnectionName": row.connection,
        "ConnectionId": row.connection_id,
        "RunId": row.run_id,
        "StageName": row.stage,
        "JobName": row.job,
        "Source": row.source,
        "Lease": row.lease,
        "Revoked": revoked,
    }
    return audit.Event(
        action=actions.SECRET_LEASE_ENDED,
        actor="sluice",
        at=at,
        project_id=row.project_id,
        resource_id=row.connection_id,
        details=details,
    )


def token_issued(
    record: ConnectionRecord, project: projects.Project, use: usage.Use, token_id: str, *, at: float
) -> audit.Event:
    """An identity token for a connection leaves."""
    more = {**_of_use(use), "TokenId": token_id}
    return changed(actions.IDENTITY_TOKEN_ISSUED, record, project, by=use.actor, at=at, more=more)


def renewed(
    record: ConnectionRecord, project: projects.Project, use: usage.Use, names: Sequence[str], *, at: float
) -> audit.Event:
    """Tokens of a connection were renewed for a use of it."""
    more = {**_of_use(use), "Renewed": sorted(names)}
    return changed(actions.CONNECTION_RENEWED, record, project, by=use.actor, at=at, more=more)


def modification(before: ConnectionRecord, after: ConnectionRecord, changes: Sequence[str]) -> Action:
    """The action that an update is recorded as."""
    if set(changes) <= {"name", "description"}:
        return actions.CONNECTION_FOR_PROJECT_MODIFIED
    if before.disabled != after.disabled and set(changes) == {"disabled"}:
        return actions.CONNECTION_PROPERTY_CHANGED
    return actions.CONNECTION_MODIFIED


def _of_use(use: usage.Use) -> dict[str, object]:
    return {
        "PipelineId": use.pipeline_id,
        "RunId": use.run_id,
        "StageName": use.stage,
        "JobName": use.job,
        "StepId": use.step_id,
        "TaskName": use.task,
    }


def _named(record: ConnectionRecord, project: projects.Project) -> dict[str, object]:
    return {
        "ConnectionName": record.name,
        "ConnectionId": record.id,
        "ConnectionType": record.type,
        "ProjectName": project.name,
    }
