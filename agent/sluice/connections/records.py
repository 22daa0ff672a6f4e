"""The record of a connection: a new one, and one that was updated. Pure."""

from __future__ import annotations

import uuid
from dataclasses import replace

from sluice.connections.changes import Merged
from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.validation import Fitted, check_description, check_name

OWNER = "library"
"""What the product calls the owner of a connection that people keep."""


def new_record(project_id: int, draft: Draft, fitted: Fitted, *, by: str, at: float) -> ConnectionRecord:
    """The record of a draft that fits its type."""
    return ConnectionRecord(
        id=str(uuid.uuid4()),
        project_id=project_id,
        name=check_name(draft.name),
        description=check_description(draft.description),
        type=fitted.type,
        scheme=fitted.scheme,
        url=fitted.url,
        owner=OWNER,
        disabled=draft.disabled,
        version=1,
        parameters={key: value for (where, key), value in fitted.entered.values.items() if where == "parameters"},
        data={key: value for (where, key), value in fitted.entered.values.items() if where == "data"},
        secrets=frozenset(fitted.entered.secrets),
        references=dict(fitted.entered.references),
        created_by=by,
        created_at=at,
        modified_by=by,
        modified_at=at,
    )


def updated_record(record: ConnectionRecord, update: Update, merged: Merged, *, by: str, at: float) -> ConnectionRecord:
    """The record after an update that fits its type."""
    entered = merged.fitted.entered
    return replace(
        record,
        name=record.name if update.name is None else check_name(update.name),
        description=record.description if update.description is None else check_description(update.description),
        disabled=record.disabled if update.disabled is None else update.disabled,
        scheme=merged.fitted.scheme,
        url=merged.fitted.url,
        version=record.version + 1,
        parameters={key: value for (where, key), value in entered.values.items() if where == "parameters"},
        data={key: value for (where, key), value in entered.values.items() if where == "data"},
        secrets=frozenset(entered.secrets) | entered.kept,
        references=dict(entered.references),
        modified_by=by,
        modified_at=at,
    )


def renamed(record: ConnectionRecord, update: Update) -> tuple[str, ...]:
    """What of name, description and state an update changes."""
    names = []
    if update.name is not None and check_name(update.name) != record.name:
        names.append("name")
    if update.description is not None and check_description(update.description) != record.description:
        names.append("description")
    if update.disabled is not None and update.disabled != record.disabled:
        names.append("disabled")
    return tuple(names)
