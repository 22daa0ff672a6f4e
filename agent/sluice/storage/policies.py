"""Policies of resources: which untrusted runs a resource lets in. Vouched for and audited like permits."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage import actions, audit
from sluice.storage.engine import Transaction
from sluice.storage.permissions import Resource
from sluice.storage.tables import audit as audit_log
from sluice.storage.tables_connections import resource_policies

NONE = "none"
"""No untrusted run: what holds where nobody has said anything."""

_KIND = "policy"
_OF = (resource_policies.c.resource_type == bindparam("type")) & (
    resource_policies.c.resource_id == bindparam("resource")
)
_COLUMNS = tuple(resource_policies.c[name] for name in ("resource_type", "resource_id", "untrusted", "sequence"))
_NEWEST = select(sqlalchemy.func.max(audit_log.c.sequence)).where(
    audit_log.c.resource_id == bindparam("resource"),
    audit_log.c.action == actions.UNTRUSTED_RUNS_CHANGED.id,
)


def untrusted(transaction: Transaction, resource: Resource) -> str:
    """Which untrusted runs the resource lets in. A row that was written or put back by hand lets none in."""
    key = {"type": resource.type, "resource": resource.id}
    row = transaction.row(select(*_COLUMNS, resource_policies.c.code).where(_OF), key)
    if row is None:
        return NONE
    *columns, code = row
    newest = transaction.value(_NEWEST, {"resource": resource.id})
    whole = transaction.voucher.vouches(code, _KIND, *columns) and newest == row.sequence
    return str(row.untrusted) if whole else NONE


def let_in(transaction: Transaction, resource: Resource, name: str, allowed: str, *, by: str, at: float) -> bool:
    """Say which untrusted runs the resource lets in from now on; False when that was so already."""
    if untrusted(transaction, resource) == allowed:
        return False
    event = audit.Event(
        action=actions.UNTRUSTED_RUNS_CHANGED,
        actor=by,
        at=at,
        project_id=resource.project_id,
        resource_id=resource.id,
        details={"ResourceType": resource.type, "ResourceName": name, "Allowed": allowed},
    )
    sequence = audit.append(transaction, event)
    forget(transaction, resource)
    columns = (resource.type, resource.id, allowed, sequence)
    values = dict(zip((column.name for column in _COLUMNS), columns, strict=True))
    code = transaction.voucher.code(_KIND, *columns)
    transaction.execute(sqlalchemy.insert(resource_policies), {**values, "code": code})
    return True


def forget(transaction: Transaction, resource: Resource) -> None:
    """Drop the policy of a resource that is gone."""
    key = {"type": resource.type, "resource": resource.id}
    transaction.execute(sqlalchemy.delete(resource_policies).where(_OF), key)


def broken(transaction: Transaction) -> Iterator[str]:
    """The policies that are not as they were stored."""
    for *columns, code in transaction.rows(select(*_COLUMNS, resource_policies.c.code)):
        resource_type, resource_id, _, sequence = columns
        newest = transaction.value(_NEWEST, {"resource": resource_id})
        if not transaction.voucher.vouches(code, _KIND, *columns) or newest != sequence:
            yield f"which untrusted runs {resource_type} {resource_id} lets in was edited by hand"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for every policy that is stored: when the key is made."""
    for columns in transaction.rows(select(*_COLUMNS)):
        key = {"type": columns[0], "resource": columns[1]}
        code = transaction.voucher.code(_KIND, *columns)
        transaction.execute(sqlalchemy.update(resource_policies).where(_OF).values(code=code), key)
