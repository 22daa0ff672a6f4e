"""The rows of secure files: their public side, their sealed side, and their content in sealed pieces."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.storage import permissions
from sluice.storage.engine import Row, Transaction
from sluice.storage.names import name_key
from sluice.storage.seals import SealedRow, joined
from sluice.storage.tables import audit
from sluice.storage.tables_secure_files import secure_file_chunks, secure_files
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A secure file as everybody may see it. `size` is in bytes; times are seconds since the epoch."""

    id: str
    project_id: int
    name: str
    version: int
    size: int
    created_by: str
    created_at: float


_SEALED = ("key_id", "wrapped_key", "sealed")
VOUCHED = ("project_id", "name", "size")
"""The columns that the seal vouches for."""

_PUBLIC = select(*(secure_files.c[name] for name in FileRow.__slots__))
_HERE = secure_files.c.project_id == bindparam("project")
_RECORDED = (
    select(sqlalchemy.func.max(audit.c.resource_version))
    .where(audit.c.resource_id == bindparam("id"))
    .scalar_subquery()
)
_SEAL = select(
    *(secure_files.c[name] for name in (*_SEALED, "version", *VOUCHED)), _RECORDED.label("recorded_version")
).where(secure_files.c.id == bindparam("id"))


def by_name(transaction: Transaction, project_id: int, name: str) -> FileRow | None:
    """The secure file of that name in a project; names are compared as `name_key` says."""
    query = _PUBLIC.where(_HERE, secure_files.c.name_key == bindparam("key"))
    return _public(transaction.row(query, {"project": project_id, "key": name_key(name)}))


def by_id(transaction: Transaction, project_id: int, file_id: str) -> FileRow | None:
    """The secure file of that id, if the project has it."""
    query = _PUBLIC.where(_HERE, secure_files.c.id == bindparam("id"))
    return _public(transaction.row(query, {"project": project_id, "id": file_id}))


def listed(transaction: Transaction, project_id: int) -> tuple[FileRow, ...]:
    """The secure files of a project, by name."""
    rows = transaction.rows(_PUBLIC.where(_HERE).order_by(secure_files.c.name_key), {"project": project_id})
    return tuple(row for row in map(_public, rows) if row)


def names(transaction: Transaction, project_id: int) -> list[str]:
    """The names of a project's secure files."""
    query = select(secure_files.c.name).where(_HERE).order_by(secure_files.c.name_key)
    return [row[0] for row in transaction.rows(query, {"project": project_id})]


def resource_of(row: FileRow) -> permissions.Resource:
    """The file as a protected resource."""
    return permissions.Resource(row.project_id, row.id, permissions.SECURE_FILE)


def public_text(row: FileRow) -> bytes:
    """What the seal vouches for beside the content: an edit of any of it by hand makes that unreadable."""
    return joined([getattr(row, name) for name in VOUCHED])


def seal_of(transaction: Transaction, file_id: str) -> SealedRow | None:
    """The sealed side of a secure file, without its pieces."""
    row = transaction.row(_SEAL, {"id": file_id})
    if row is None:
        return None
    key_id, wrapped_key, sealed, version, *vouched, recorded = row
    return SealedRow(
        key_id=key_id,
        wrapped_key=wrapped_key,
        sealed=sealed,
        version=version,
        public=joined(vouched),
        recorded_version=recorded or 0,
    )


def chunks_of(transaction: Transaction, file_id: str) -> list[SealedRow]:
    """The pieces of a secure file, in order; `version` is a piece's number."""
    query = (
        select(*(secure_file_chunks.c[name] for name in (*_SEALED, "number")))
        .where(secure_file_chunks.c.file_id == file_id)
        .order_by(secure_file_chunks.c.number)
    )
    return [
        SealedRow(key_id=key_id, wrapped_key=wrapped_key, sealed=sealed, version=number, public=b"")
        for key_id, wrapped_key, sealed, number in transaction.rows(query)
    ]


def insert(transaction: Transaction, row: FileRow, sealed: SealedRow, chunks: Iterable[SealedRow]) -> None:
    """Store a new secure file."""
    values = {name: getattr(row, name) for name in FileRow.__slots__} | _seal(sealed)
    transaction.execute(sqlalchemy.insert(secure_files).values(**values, name_key=name_key(row.name)))
    rows = [{"file_id": row.id, "number": chunk.version, **_seal(chunk)} for chunk in chunks]
    if rows:
        transaction.execute(sqlalchemy.insert(secure_file_chunks), rows)


def remove(transaction: Transaction, file_id: str) -> None:
    """Delete a secure file and its pieces."""
    transaction.execute(sqlalchemy.delete(secure_file_chunks).where(secure_file_chunks.c.file_id == file_id))
    transaction.execute(sqlalchemy.delete(secure_files).where(secure_files.c.id == file_id))


def _seal(sealed: SealedRow) -> dict[str, object]:
    return {name: getattr(sealed, name) for name in _SEALED}


def _public(row: Row | None) -> FileRow | None:
    return None if row is None else FileRow(**dict(zip(FileRow.__slots__, row, strict=True)))
