"""Deletes connections so that they can be put back for a while, puts them back, and forgets them when that is over.

A deleted connection is kept aside, sealed for being deleted: its secrets open for nobody until it is put back, not even
where its row is put back into its table by hand. Permits come back with it for pipelines that still exist; what was
permitted for all pipelines too. Roles and checks are kept by its id all the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections import expiry, journal, lookup, vault
from sluice.connections.connection import ConnectionRecord
from sluice.connections.sealing import Identity, Sealer
from sluice.connections.validation import check_name
from sluice.errors import ConflictError, NotFoundError, SealError
from sluice.storage import (
    actions,
    audit,
    check_configurations,
    deleted,
    expiries,
    permissions,
    pipelines,
    policies,
    previous,
)
from sluice.storage import connections as rows
from sluice.storage.deleted import DELETED_CONNECTION, Deleted
from sluice.storage.expiries import DECLARED, Expiry
from sluice.storage.permissions import Resource
from sluice.storage.seals import SealedRow

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

KEPT_DAYS = 30


def delete(
    transaction: Transaction, sealer: Sealer, record: ConnectionRecord, home: Project, *, by: str, at: float
) -> bool:
    """Take a connection out of the only project that has it; whether it can be put back.

    It cannot where its secrets do not open.
    """
    resource = Resource(home.id, record.id)
    permits = permissions.of_resource(transaction, resource)
    aside = _aside(transaction, sealer, record, permits, by=by, at=at)
    for permit in permits:
        permissions.revoke(transaction, resource, permit.pipeline_id, by=by, at=at)
    rows.remove(transaction, home.id, record.id)
    policies.forget(transaction, resource)
    more: dict[str, object] = {}
    if aside is not None:
        one, sealed = aside
        deleted.insert(transaction, one, sealed)
        more["PurgeAt"] = one.purge_at
    else:
        _remove_checks(transaction, resource, record.name, by=by, at=at)
    # the log knows a newer version from now on: the old row does not open where it is put back by hand
    gone = replace(record, version=record.version + 1)
    audit.append(transaction, journal.changed(actions.CONNECTION_DELETED, gone, home, by=by, at=at, more=more))
    return aside is not None


def restore(
    transaction: Transaction, sealer: Sealer, one: Deleted, home: Project, *, name: str = "", by: str, at: float
) -> ConnectionRecord:
    """Put a deleted connection back, under another name when one is given; its permits too.

    Raises `ConflictError` when the name is taken meanwhile, and `SealError` when the record was edited.
    """
    if rows.by_name(transaction, home.id, name or one.row.name) is not None:
        raise ConflictError(
            f"the service connection '{name or one.row.name}' exists by now", do="give another name with --name"
        )
    audit.check_head(transaction)
    what = f"the deleted service connection '{one.row.name}'"
    text = vault.open_text(sealer, DELETED_CONNECTION, one.row.id, deleted.seal_of(transaction, one), what)
    row = replace(one.row, name=check_name(name or one.row.name), version=one.row.version + 1)
    record = replace(lookup.to_record(row), modified_by=by, modified_at=at)
    row = lookup.to_row(record)
    deleted.remove(transaction, row.id)
    identity = Identity(vault.KIND, row.id, row.version, rows.public_text(row))
    rows.insert(transaction, [(row, vault.seal_text(sealer, sealer.provider.current(), identity, text))])
    audit.append(transaction, journal.changed(actions.CONNECTION_RESTORED, record, home, by=by, at=at))
    _bring_back(transaction, record, json.loads(one.kept), by=by, at=at)
    secrets = vault.open_secrets(transaction, sealer, record)
    found = expiry.read_all({**record.values(), **secrets})
    if declared := json.loads(one.kept).get("expires"):
        found = (*found, Expiry(float(declared), DECLARED, "declared"))
    expiries.replace(transaction, record.id, (), found)
    return record


def find(transaction: Transaction, project_id: int, name: str) -> Deleted:
    """The deleted connection that a name or an id means; raises `NotFoundError`."""
    if found := deleted.find(transaction, project_id, name):
        return found
    known = ", ".join(f"'{one.row.name}'" for one in deleted.listed(transaction, project_id)[:9])
    raise NotFoundError(
        f"there is no deleted service connection '{name.strip()}'",
        do=f"deleted and kept: {known}" if known else f"deleted ones are kept for {KEPT_DAYS} days",
    )


def purge(transaction: Transaction, *, at: float) -> int:
    """Forget the deleted connections whose time is over, and replaced secrets; answers how many connections."""
    previous.remove_over(transaction, at)
    count = 0
    for one in list(deleted.over(transaction, at)):
        forget(transaction, one, by="sluice", at=at)
        count += 1
    return count


def forget(transaction: Transaction, one: Deleted, *, by: str, at: float) -> None:
    """Forget a deleted connection for good, its checks with it."""
    resource = Resource(one.row.project_id, one.row.id)
    _remove_checks(transaction, resource, one.row.name, by=by, at=at)
    deleted.remove(transaction, one.row.id)
    event = audit.Event(
        action=actions.CONNECTION_PURGED,
        actor=by,
        at=at,
        project_id=one.row.project_id,
        resource_id=one.row.id,
        details={"ConnectionName": one.row.name, "ConnectionId": one.row.id, "ConnectionType": one.row.type},
    )
    audit.append(transaction, event)


def _remove_checks(transaction: Transaction, resource: Resource, name: str, *, by: str, at: float) -> None:
    change = check_configurations.Change(by=by, at=at, kind="", resource_type=resource.type, resource=name)
    check_configurations.remove_of_resource(transaction, resource, change)


def _aside(
    transaction: Transaction,
    sealer: Sealer,
    record: ConnectionRecord,
    permits: tuple[permissions.Permission, ...],
    *,
    by: str,
    at: float,
) -> tuple[Deleted, SealedRow] | None:
    """What is kept of a connection; None where its secrets do not open: it is deleted for good then."""
    try:
        secrets = vault.open_secrets(transaction, sealer, record)
    except SealError:
        return None
    resource = Resource(record.project_id, record.id)
    found = expiries.of(transaction, [record.id]).get(record.id, ())
    kept = {
        "permits": [{"pipeline": one.pipeline_id, "limits": one.limits} for one in permits],
        "untrusted": policies.untrusted(transaction, resource),
        "expires": next((one.at for one in found if one.field == DECLARED), None),
    }
    row = replace(lookup.to_row(record), version=record.version + 1)
    one = Deleted(
        row=row, kept=json.dumps(kept), deleted_by=by, deleted_at=float(at), purge_at=at + KEPT_DAYS * expiry.DAY
    )
    identity = Identity(DELETED_CONNECTION, row.id, row.version, one.public_text())
    return one, vault.seal_text(sealer, sealer.provider.current(), identity, vault.secrets_text(secrets))


def _bring_back(
    transaction: Transaction, record: ConnectionRecord, kept: Mapping[str, object], *, by: str, at: float
) -> None:
    resource = Resource(record.project_id, record.id)
    there = {permissions.ALL_PIPELINES, *(one.id for one in pipelines.listed(transaction, record.project_id))}
    permits = kept.get("permits")
    for one in permits if isinstance(permits, list) else ():
        if one["pipeline"] in there:
            permissions.grant(transaction, resource, one["pipeline"], by=by, at=at, limits=one["limits"])
    policies.let_in(transaction, resource, record.name, str(kept.get("untrusted", policies.NONE)), by=by, at=at)
