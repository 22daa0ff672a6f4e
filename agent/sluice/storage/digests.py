"""Digests of stored records, which the audit log keeps: an edit of any column by hand shows, even without a key.

What a rotation of the master key changes (its id, the wrapped data key) is left out: the seal itself vouches for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter

from sqlalchemy import Table, select

from sluice.storage.engine import Row, Transaction
from sluice.storage.replay import CONNECTION, SECURE_FILE, SETTINGS, SIGNING_KEY, VARIABLE_GROUP, Version
from sluice.storage.seals import joined
from sluice.storage.tables import connection_projects, connections, pipeline_settings, variable_groups
from sluice.storage.tables_federation import signing_keys
from sluice.storage.tables_secure_files import secure_files

_FORMAT = "1"
"""In front of every digest: a schema that knows more columns gets another number, and old digests stay comparable."""

_BATCH = 100
"""Records that are read at once; each may hold some MiB."""

_CHANGES = ("created_by", "created_at", "modified_by", "modified_at")
_SECRETS = ("secret_names", "secret_references", "sealed")
COLUMNS: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    CONNECTION: (
        connections,
        (
            *("id", "version", "type", "scheme", "url", "owner", "disabled", "parameters", "data"),
            *_SECRETS,
            *_CHANGES,
        ),
    ),
    VARIABLE_GROUP: (
        variable_groups,
        (
            *("id", "version", "number", "project_id", "name", "name_key", "description", "variables"),
            *_SECRETS,
            *_CHANGES,
        ),
    ),
    SETTINGS: (pipeline_settings, ("id", "version", "pipeline_id", "variables", "secret_names", "sealed")),
    SECURE_FILE: (
        secure_files,
        ("id", "version", "project_id", "name", "name_key", "size", "sealed", "created_by", "created_at"),
    ),
    SIGNING_KEY: (signing_keys, ("id", "version", "created_at", "active_from", "sealed")),
}
"""By kind of record: its table and the columns that count, the id and the version first."""

PLACES = ("connection_id", "project_id", "name", "name_key", "description")
"""The columns that count of the projects that a connection is in, the connection first."""

_PLACES = select(*(connection_projects.c[name] for name in PLACES)).order_by(*connection_projects.primary_key)


def of(transaction: Transaction, kind: str, ids: Iterable[str]) -> dict[str, str]:
    """The digests of these records as they are stored now, by id."""
    table, names = COLUMNS[kind]
    found: dict[str, str] = {}
    waiting = iter(ids)
    while some := list(islice(waiting, _BATCH)):
        rows = transaction.rows(select(*(table.c[name] for name in names)).where(table.c.id.in_(some)))
        found.update((record_id, digest) for record_id, _, digest in _digested(transaction, kind, rows))
    return found


def every(transaction: Transaction) -> Iterator[Version]:
    """Every record with its digest; read in batches, so that their number does not matter."""
    for kind, (table, names) in COLUMNS.items():
        query = select(*(table.c[name] for name in names)).order_by(table.c.id).limit(_BATCH)
        last = ""
        while rows := transaction.rows(query.where(table.c.id > last)):
            last = str(rows[-1][0])
            for record_id, version, digest in _digested(transaction, kind, rows):
                yield kind, record_id, version, digest


def _digested(transaction: Transaction, kind: str, rows: Sequence[Row]) -> Iterator[tuple[str, int, str]]:
    names = COLUMNS[kind][1]
    places: dict[str, list[object]] = {}
    if kind == CONNECTION:
        ids = [row[0] for row in rows]
        stored = transaction.rows(_PLACES.where(connection_projects.c.connection_id.in_(ids)))
        places = {key: [value for row in group for value in row] for key, group in groupby(stored, itemgetter(0))}
    for row in rows:
        yield row[0], row[1], _digest(names, row, places.get(row[0], ()))


def of_new(connection: Mapping[str, object], place: Mapping[str, object]) -> str:
    """The digest that a connection has once these columns are stored, in the one project that it is in."""
    names = COLUMNS[CONNECTION][1]
    return _digest(names, [connection[name] for name in names], [place[name] for name in PLACES])


def _digest(names: Sequence[str], values: Sequence[object], places: Sequence[object]) -> str:
    shown = [_short(value) if name == "sealed" else value for name, value in zip(names, values, strict=True)]
    return f"{_FORMAT}:{hashlib.sha256(joined([*shown, *places])).hexdigest()}"


def _short(sealed: object) -> str:
    content = sealed if isinstance(sealed, bytes) else joined([sealed])  # by hand, a text can be put there
    return hashlib.sha256(content).hexdigest()
