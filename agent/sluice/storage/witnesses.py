"""Rows that the audit log witnesses: each names the newest entry about it, so that neither an edit nor an older row passes.

A row that somebody writes into the database has no code; one that was valid once and is put back names an entry that is
not the newest any more; one that is taken out leaves its entries behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage.action import Action
from sluice.storage.engine import Transaction
from sluice.storage.tables import audit

_NEWEST = select(sqlalchemy.func.max(audit.c.sequence)).where(
    audit.c.resource_id == bindparam("resource"),
    audit.c.resource_version == 0,
    audit.c.project_id == bindparam("project"),
    audit.c.action.in_(bindparam("actions", expanding=True)),
)
_ALL = (
    select(audit.c.project_id, audit.c.resource_id, sqlalchemy.func.max(audit.c.sequence))
    .where(audit.c.resource_version == 0, audit.c.action.in_(bindparam("actions", expanding=True)))
    .group_by(audit.c.project_id, audit.c.resource_id)
)


def newest(transaction: Transaction, actions: Sequence[Action], resource_id: str, project_id: int = 0) -> int:
    """The number of the newest entry of these actions about something; 0 for none."""
    given = {"resource": resource_id, "project": project_id, "actions": [one.id for one in actions]}
    return transaction.value(_NEWEST, given) or 0


def every(transaction: Transaction, actions: Sequence[Action]) -> Mapping[tuple[int, str], int]:
    """The newest entries of these actions, by project and resource: for whoever looks at all of them at once."""
    rows = transaction.rows(_ALL, {"actions": [one.id for one in actions]})
    return {(project_id, resource_id): sequence for project_id, resource_id, sequence in rows}
