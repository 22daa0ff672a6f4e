"""How service connections are shown: everything but their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.cli.installation import guard_of
from sluice.cli.output import as_time
from sluice.runs.permitted import permitted
from sluice.storage import expiries, permissions, policies

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore
    from sluice.storage.engine import Database


def as_json(record: ConnectionRecord) -> dict[str, Any]:
    """A connection for `--output json`; of a secret only that it is set, of a reference where it is read."""
    return {
        "id": record.id,
        "name": record.name,
        "description": record.description,
        "type": record.type,
        "scheme": record.scheme,
        "url": record.url,
        "owner": record.owner,
        "disabled": record.disabled,
        "version": record.version,
        "parameters": dict(record.parameters),
        "data": dict(record.data),
        "secrets": sorted(key for _, key in record.secrets),
        "references": {key: value for (_, key), value in record.references.items()},
        "createdBy": record.created_by,
        "createdOn": as_time(record.created_at),
        "modifiedBy": record.modified_by,
        "modifiedOn": as_time(record.modified_at),
    }


def as_fields(record: ConnectionRecord, pipelines: list[str]) -> dict[str, object]:
    """A connection as names and values below each other."""
    fields: dict[str, object] = {"name": record.name, "id": record.id, "type": record.type}
    optional = {"scheme": record.scheme, "url": record.url, "description": record.description}
    fields.update({name: value for name, value in optional.items() if value})
    if record.disabled:
        fields["state"] = "disabled"
    fields.update({key: short(value) for (_, key), value in record.values().items()})
    fields.update({key: "(secret, set)" for _, key in sorted(record.secrets)})
    fields.update({key: f"(secret, read from {value})" for (_, key), value in sorted(record.references.items())})
    fields["permitted"] = ", ".join(pipelines) or "no pipeline yet: the first run asks"
    fields["version"] = record.version
    fields["created"] = f"{as_time(record.created_at)} by {record.created_by}"
    fields["modified"] = f"{as_time(record.modified_at)} by {record.modified_by}"
    return fields


def terms_of(store: ConnectionStore, record: ConnectionRecord) -> dict[str, Any]:
    """Which untrusted runs a connection lets in, and what of it expires when."""
    resource = permissions.Resource(record.project_id, record.id)
    with store.database.read() as transaction:
        found = expiries.of(transaction, [record.id]).get(record.id, ())
        untrusted = policies.untrusted(transaction, resource)
    what = [{"field": one.field, "kind": one.kind, "at": as_time(one.at)} for one in found]
    return {"allowUntrusted": untrusted, "expires": what}


def permitted_pipelines(store: ConnectionStore, record: ConnectionRecord) -> list[str]:
    """The names of the pipelines that may use a connection; `all pipelines` for open access."""
    return pipelines_of(store.database, permissions.Resource(record.project_id, record.id))


def pipelines_of(database: Database, resource: permissions.Resource) -> list[str]:
    """The names of the pipelines that may use a resource, numbers of those not seen; `all pipelines` for open access."""
    with database.read() as transaction:
        return [str(one) for one in permitted(transaction, guard_of(database), resource)]


def short(value: str) -> str:
    """A value on one line."""
    lines = value.splitlines()
    return value if len(lines) < 2 else f"{lines[0]} ... ({len(lines)} lines)"  # one line or more
