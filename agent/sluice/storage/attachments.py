"""Gateway of attachments: files that steps have added to their timeline records."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from sluice.storage import tables_artifacts
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables_artifacts.attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRow:
    """An attachment of a step's record; `type` is `DistributedTask.Core.Summary`, say."""

    run_id: int
    record_id: str
    type: str
    name: str
    manifest: str
    size: int
    created_at: float


_COLUMNS = tuple(column.name for column in fields(AttachmentRow))


def of_run(tx: Transaction, run_id: int, kind: str = "") -> list[AttachmentRow]:
    """The attachments of a run, or those of one type, in the order in which they came."""
    query = select(*(_TABLE.c[name] for name in _COLUMNS)).where(_TABLE.c.run_id == run_id)
    if kind:
        query = query.where(_TABLE.c.type == kind)
    return [AttachmentRow(**dict(row)) for row in tx.execute(query.order_by(_TABLE.c.id)).mappings()]


def put(tx: Transaction, row: AttachmentRow) -> None:
    """Store an attachment, in place of one of the same step, type and name."""
    same = [_TABLE.c[name] == getattr(row, name) for name in ("run_id", "record_id", "type", "name")]
    tx.execute(delete(_TABLE).where(*same))
    tx.execute(insert(_TABLE).values({name: getattr(row, name) for name in _COLUMNS}))


def manifests(tx: Transaction) -> set[str]:
    """The manifests of all attachments."""
    return set(tx.execute(select(_TABLE.c.manifest)).scalars())
