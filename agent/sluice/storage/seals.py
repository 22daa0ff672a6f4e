"""Every sealed row, whatever table it is in: what the rotation of the master key goes through."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain

import sqlalchemy
from sqlalchemy import Table, bindparam, select, tuple_

from sluice.storage.engine import Transaction
from sluice.storage.tables import connections, job_progress, pipeline_settings, variable_groups
from sluice.storage.tables_checks import check_secrets
from sluice.storage.tables_connections import deleted_connections, previous_secrets
from sluice.storage.tables_federation import signing_keys
from sluice.storage.tables_renewals import renewed_secrets
from sluice.storage.tables_secure_files import secure_file_chunks, secure_files
from sluice.values import dataclass

_LIBRARY = (
    (connections, "connection"),
    (deleted_connections, "deleted connection"),
    (previous_secrets, "previous secrets"),
    (renewed_secrets, "renewed secrets"),
    (variable_groups, "variable group"),
    (pipeline_settings, "pipeline settings"),
    (secure_files, "secure file"),
    (secure_file_chunks, "secure file chunk"),
    (signing_keys, "signing key"),
)
_TABLES = (*_LIBRARY, (check_secrets, "check settings"), (job_progress, "job progress"))

_LENGTH = struct.Struct(">I")

_BATCH = 50
"""Rows that are read at once; each may hold some MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRow:
    """The sealed side of a record; `recorded_version` is the newest one that the audit log knows of (0 for none).

    `version` and `public` are the public side as it is stored beside it (the latter made by `joined`).
    """

    key_id: str
    wrapped_key: bytes
    sealed: bytes
    version: int
    public: bytes
    recorded_version: int = 0


@dataclass(frozen=True, slots=True)
class SealKey:
    """A sealed row: the table's word for it and its primary key."""

    kind: str
    key: tuple[str | int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(str(part) for part in self.key)}"


@dataclass(frozen=True, slots=True)
class StoredSeal:
    """What is sealed in a row."""

    row: SealKey
    key_id: str
    wrapped_key: bytes
    sealed: bytes


def joined(values: Sequence[object]) -> bytes:
    """Values as one text, each part with its length in front, so that no two rows share a text."""
    parts = [str(value).encode("utf-8", "surrogatepass") for value in values]
    return b"".join(chain.from_iterable(zip(map(_LENGTH.pack, map(len, parts)), parts, strict=True)))


def not_under(transaction: Transaction, key_id: str) -> Iterator[StoredSeal]:
    """Every row that is sealed under another master key than this one."""
    for table, kind in _TABLES:
        primary = list(table.primary_key.columns)
        query = select(table.c.key_id, table.c.wrapped_key, table.c.sealed, *primary).where(table.c.key_id != key_id)
        query = query.order_by(*primary).limit(_BATCH)
        rows = transaction.rows(query)
        while rows:
            for row in rows:
                yield StoredSeal(SealKey(kind, tuple(row[3:])), row[0], row[1], row[2])
            rows = transaction.rows(query.where(tuple_(*primary) > tuple_(*rows[-1][3:])))


def rewrap(transaction: Transaction, wrapped: list[tuple[SealKey, str, bytes]]) -> None:
    """Store new wrapped data keys: row, master key's id, wrapped data key."""
    for table, kind in _TABLES:
        rows = [(row.key, key_id, key) for row, key_id, key in wrapped if row.kind == kind]
        if rows:
            primary = [column.name for column in table.primary_key.columns]
            transaction.execute(
                _statement(table),
                [
                    {
                        **{f"old_{name}": part for name, part in zip(primary, key, strict=True)},
                        "k": key_id,
                        "w": data_key,
                    }
                    for key, key_id, data_key in rows
                ],
            )


def key_ids(transaction: Transaction) -> frozenset[str]:
    """The ids of the master keys that something is sealed under."""
    found: set[str] = set()
    for table, _ in _TABLES:
        found.update(row[0] for row in transaction.rows(select(table.c.key_id).distinct()))
    return frozenset(found)


def a_key_id(transaction: Transaction, *, library: bool = True) -> str | None:
    """The id of a master key that something is sealed with; None when there is nothing yet.

    With `library` only connections, variable groups, settings, secure files and signing keys count, not what is left of runs.
    """
    for table, _ in _LIBRARY if library else _TABLES:
        if (found := transaction.value(select(table.c.key_id).limit(1))) is not None:
            return str(found)
    return None


def _statement(table: Table) -> sqlalchemy.Update:
    statement = sqlalchemy.update(table).values(key_id=bindparam("k"), wrapped_key=bindparam("w"))
    for column in table.primary_key.columns:
        statement = statement.where(column == bindparam(f"old_{column.name}"))
    return statement
