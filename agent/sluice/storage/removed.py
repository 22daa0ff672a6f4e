"""Connections that are gone: their uses and what the audit log says of them stay, and are found by their last name."""

from __future__ import annotations

import json

from sqlalchemy import select

from sluice.storage import actions
from sluice.storage.engine import Transaction
from sluice.storage.names import is_guid, name_key
from sluice.storage.tables import audit

_BATCH = 1000
_QUERY = (
    select(audit.c.sequence, audit.c.resource_id, audit.c.details)
    .where(audit.c.action == actions.CONNECTION_DELETED.id)
    .order_by(audit.c.sequence.desc())
    .limit(_BATCH)
)


def newest_id(transaction: Transaction, project_id: int, name: str) -> str | None:
    """The id of the connection of that name (or id) that was deleted last from a project; None when there is none."""
    query = _QUERY.where(audit.c.project_id == project_id)
    rows = transaction.rows(query)
    while rows:
        for _, resource_id, details in rows:
            if is_guid(name):
                if resource_id == name.strip().lower():
                    return str(resource_id)
            elif name_key(_name(details)) == name_key(name):
                return str(resource_id)
        rows = transaction.rows(query.where(audit.c.sequence < rows[-1][0]))
    return None


def _name(details: str) -> str:
    try:
        return str(json.loads(details).get("ConnectionName", ""))
    except (ValueError, AttributeError):
        return ""  # an entry that was changed; the chain says so
