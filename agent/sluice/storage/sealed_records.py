"""Every sealed row with what its seal vouches for: what a check of all seals goes through."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table, select, tuple_

from sluice.storage import (
    connections,
    deleted,
    pipeline_settings,
    previous,
    renewed,
    secure_files,
    signing_keys,
    variable_groups,
)
from sluice.storage.engine import Transaction
from sluice.storage.replay import CONNECTION, SECURE_FILE, SETTINGS, SIGNING_KEY, VARIABLE_GROUP
from sluice.storage.seals import SealedRow, SealKey, joined
from sluice.storage.tables import connections as connections_table
from sluice.storage.tables import job_progress
from sluice.storage.tables import pipeline_settings as settings_table
from sluice.storage.tables import variable_groups as groups_table
from sluice.storage.tables_checks import check_secrets
from sluice.storage.tables_connections import deleted_connections, previous_secrets
from sluice.storage.tables_federation import signing_keys as keys_table
from sluice.storage.tables_renewals import renewed_secrets
from sluice.storage.tables_secure_files import secure_file_chunks
from sluice.storage.tables_secure_files import secure_files as files_table
from sluice.values import dataclass

JOB_PROGRESS = "job progress"
SECURE_FILE_CHUNK = "secure file chunk"
CHECK_SETTINGS = "check settings"

_BATCH = 50
"""Rows that are read at once; each may hold some MiB."""

_SEALED = ("key_id", "wrapped_key", "sealed")
_TABLES: tuple[tuple[str, Table, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (CONNECTION, connections_table, "version", ("id",), connections.VOUCHED),
    (deleted.DELETED_CONNECTION, deleted_connections, "version", ("id",), deleted.VOUCHED),
    (previous.PREVIOUS_SECRETS, previous_secrets, "version", ("connection_id",), ()),
    (renewed.RENEWED_SECRETS, renewed_secrets, "version", ("connection_id",), ()),
    (VARIABLE_GROUP, groups_table, "version", ("id",), variable_groups.VOUCHED),
    (SETTINGS, settings_table, "version", ("id",), pipeline_settings.VOUCHED),
    (SECURE_FILE, files_table, "version", ("id",), secure_files.VOUCHED),
    (SECURE_FILE_CHUNK, secure_file_chunks, "number", ("file_id", "number"), ()),
    (SIGNING_KEY, keys_table, "version", ("id",), signing_keys.VOUCHED),
    (CHECK_SETTINGS, check_secrets, "version", ("configuration_id",), ()),
    (JOB_PROGRESS, job_progress, "step", ("run_id", "job_id", "step"), ()),
)


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A sealed row and its key (a record's id; or run, job and step)."""

    key: SealKey
    row: SealedRow


def every(transaction: Transaction) -> Iterator[SealedRecord]:
    """Every sealed row; read in batches, so that their number does not matter."""
    for kind, table, version, key, vouched in _TABLES:
        columns = [table.c[name] for name in key]
        names = (*key, *_SEALED, version, *vouched)
        query = select(*(table.c[name].label(f"column{at}") for at, name in enumerate(names)))
        query = query.order_by(*columns).limit(_BATCH)
        rows = transaction.rows(query)
        while rows:
            for row in rows:
                key_id, wrapped_key, sealed, number, *public = row[len(key) :]
                yield SealedRecord(
                    SealKey(kind, tuple(row[: len(key)])),
                    SealedRow(
                        key_id=str(key_id),
                        wrapped_key=_bytes(wrapped_key),
                        sealed=_bytes(sealed),
                        version=number,
                        public=joined(public),
                    ),
                )
            rows = transaction.rows(query.where(tuple_(*columns) > tuple_(*rows[-1][: len(key)])))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else joined([value])  # by hand, a text can be put there
