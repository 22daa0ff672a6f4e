"""The row of a pipeline's settings: the variables that stay, their public side and their sealed side."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage.engine import Transaction
from sluice.storage.seals import SealedRow, joined
from sluice.storage.tables import audit, pipeline_settings
from sluice.values import dataclass

_PIPELINE = pipeline_settings.c.pipeline_id == bindparam("pipeline")
_PUBLIC = ("id", "pipeline_id", "version", "variables", "secret_names")
VOUCHED = ("pipeline_id", "variables", "secret_names")
"""The columns that the seal vouches for."""

_SEALED = ("key_id", "wrapped_key", "sealed")
_RECORDED = (
    select(sqlalchemy.func.max(audit.c.resource_version))
    .where(audit.c.resource_id == pipeline_settings.c.id)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRow:
    """The settings of a pipeline, without what is sealed; `variables` and `secret_names` are JSON."""

    id: str
    pipeline_id: int
    version: int
    variables: str
    secret_names: str


def public_text(row: SettingsRow) -> bytes:
    """What the seal vouches for beside the secrets."""
    return joined([getattr(row, name) for name in VOUCHED])


def get(transaction: Transaction, pipeline_id: int) -> SettingsRow | None:
    """The settings of a pipeline, when it has any."""
    query = select(*(pipeline_settings.c[name] for name in _PUBLIC)).where(_PIPELINE)
    row = transaction.row(query, {"pipeline": pipeline_id})
    return None if row is None else SettingsRow(**dict(zip(_PUBLIC, row, strict=True)))


def seal_of(transaction: Transaction, pipeline_id: int) -> SealedRow | None:
    """The sealed side of a pipeline's settings."""
    columns = (*_SEALED, *_PUBLIC)
    query = select(*(pipeline_settings.c[name] for name in columns), _RECORDED.label("recorded")).where(_PIPELINE)
    row = transaction.row(query, {"pipeline": pipeline_id})
    if row is None:
        return None
    key_id, wrapped_key, sealed, *public, recorded = row
    stored = SettingsRow(**dict(zip(_PUBLIC, public, strict=True)))
    return SealedRow(
        key_id=key_id,
        wrapped_key=wrapped_key,
        sealed=sealed,
        version=stored.version,
        public=public_text(stored),
        recorded_version=recorded or 0,
    )


def put(transaction: Transaction, row: SettingsRow, sealed: SealedRow) -> None:
    """Store a pipeline's settings in place of earlier ones."""
    transaction.execute(sqlalchemy.delete(pipeline_settings).where(_PIPELINE), {"pipeline": row.pipeline_id})
    values = {name: getattr(row, name) for name in _PUBLIC} | {name: getattr(sealed, name) for name in _SEALED}
    transaction.execute(sqlalchemy.insert(pipeline_settings).values(**values))
