"""Digests of records: every column counts, whatever the number of records."""

from __future__ import annotations

import pytest
import sqlalchemy

from sluice.storage import digests, projects
from sluice.storage.engine import Database
from sluice.storage.replay import CONNECTION
from sluice.storage.tables import connection_projects, connections

_LEFT_OUT = {"key_id", "wrapped_key", "code"}
"""What a rotation changes, and what vouches for the row itself."""


@pytest.mark.parametrize("kind", list(digests.COLUMNS))
def test_every_column_counts_but_those_that_a_rotation_changes(kind: str) -> None:
    table, names = digests.COLUMNS[kind]
    missing = {column.name for column in table.columns} - set(names) - _LEFT_OUT
    assert not missing, "count it from the next _FORMAT on"
    assert {column.name for column in connection_projects.columns} - _LEFT_OUT == set(digests.PLACES)


def _fill(database: Database, count: int) -> list[str]:
    ids = [f"{number:08}-0000-0000-0000-000000000001" for number in range(count)]
    with database.write() as transaction:
        project = projects.ensure(transaction, "default").id
        texts = ("type", "scheme", "url", "owner", "parameters", "data", "secret_names", "secret_references", "key_id")
        row: dict[str, object] = dict.fromkeys((*texts, "created_by", "modified_by"), "x") | {
            "disabled": False,
            "version": 1,
        }
        row |= {"wrapped_key": b"k", "sealed": b"s", "created_at": 1.5, "modified_at": 1.5}
        transaction.execute(sqlalchemy.insert(connections), [{"id": one, **row} for one in ids])
        places = [
            {"connection_id": one, "project_id": project, "name": one, "name_key": one, "description": ""}
            for one in ids
        ]
        transaction.execute(sqlalchemy.insert(connection_projects), places)
    return ids


def test_records_are_read_in_batches_and_none_is_left_out(database: Database) -> None:
    ids = _fill(database, 250)
    with database.read() as transaction:
        each = digests.of(transaction, CONNECTION, ids)
        every = {record_id: digest for _, record_id, _, digest in digests.every(transaction)}
    assert sorted(each) == ids
    assert every == each
    assert len(set(each.values())) == 250
