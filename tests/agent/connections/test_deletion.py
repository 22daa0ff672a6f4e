"""Deleted connections: what is kept, what comes back, and what never opens."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from sluice.connections import deletion
from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.deletion import KEPT_DAYS
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, NotFoundError, SealError
from sluice.secret import Secret
from sluice.storage import actions, audit, expiries, permissions, pipelines, policies, projects, usage
from sluice.storage.vouched import broken

if TYPE_CHECKING:
    from sluice.storage.engine import Database
    from sluice.storage.home import Home

LIMITS = '{"stages":["Deploy"]}'


@pytest.fixture
def record(store: ConnectionStore) -> ConnectionRecord:
    draft = Draft(
        name="depot",
        type="depot",
        scheme="Token",
        url="https://one.example",
        secrets={"apitoken": Secret("token-1234")},
        untrusted="forks",
        expires="2027-01-31",
    )
    record = store.create("default", draft, by="ann").record
    with store.database.write() as transaction:
        home = projects.get(transaction, record.project_id)
        one = pipelines.ensure(transaction, home, name="one", source="/one", by="ann", at=1.0)
        resource = permissions.Resource(record.project_id, record.id)
        permissions.grant(transaction, resource, one.id, by="ann", at=1.0, limits=LIMITS)
        permissions.grant(transaction, resource, 999, by="ann", at=1.0)
    return record


def is_whole(database: Database) -> bool:
    with database.read() as transaction:
        return not audit.verify(transaction).breaches and not list(broken(transaction))


def test_it_comes_back_with_its_secrets_and_what_is_still_valid(
    store: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    store.delete("default", "depot", by="bob")
    assert is_whole(store.database)
    assert [(one.row.name, one.deleted_by) for one in store.deleted("default")] == [("depot", "bob")]
    back = store.restore("default", "DEPOT", by="ann")
    assert (back.id, back.version, back.url) == (record.id, record.version + 2, record.url)
    assert store.open(1, back.id, use).parameters["apitoken"] == Secret("token-1234")
    (permit,) = store.permissions(back)  # the other pipeline does not exist
    assert (permit.limits, permit.authorized_by) == (LIMITS, "ann")
    with store.database.read() as transaction:
        assert policies.untrusted(transaction, permit.resource) == "forks"
        assert [one.kind for one in expiries.of(transaction, [back.id])[back.id]] == ["declared"]
    assert store.deleted("default") == ()
    assert is_whole(store.database)


def test_its_name_is_free_at_once_and_it_comes_back_under_another(
    store: ConnectionStore, record: ConnectionRecord
) -> None:
    store.delete("default", "depot", by="bob")
    draft = Draft(
        name="depot", type="depot", scheme="Token", secrets={"apitoken": Secret("t-12345")}, url="https://b.c"
    )
    other = store.create("default", draft, by="bob").record
    with pytest.raises(ConflictError, match="exists by now"):
        store.restore("default", "depot", by="ann")
    assert store.restore("default", record.id.upper(), by="ann", new_name="old depot").name == "old depot"
    assert store.get("default", "depot") == other


def test_of_two_of_a_name_the_one_that_was_deleted_last_comes_back(
    store: ConnectionStore, record: ConnectionRecord
) -> None:
    now = [1000.0]
    catalogue = store.catalogue
    store = ConnectionStore(store.database, store.sealer, catalogue=lambda: catalogue, clock=lambda: now[0], sources={})
    store.delete("default", "depot", by="bob")
    now[0] += 1
    draft = Draft(
        name="depot", type="depot", scheme="Token", secrets={"apitoken": Secret("t-12345")}, url="https://b.c"
    )
    other = store.create("default", draft, by="bob").record
    store.delete("default", "depot", by="bob")
    assert store.restore("default", "depot", by="ann").id == other.id


def test_after_its_time_it_is_forgotten_and_told_so(store: ConnectionStore, record: ConnectionRecord) -> None:
    store.delete("default", "depot", by="bob")
    with store.database.write() as transaction:
        assert deletion.purge(transaction, at=1000.0 + KEPT_DAYS * 86400 - 1) == 0
        assert deletion.purge(transaction, at=1000.0 + KEPT_DAYS * 86400) == 1
        newest = audit.newest(transaction, 1)[0].entry
    assert newest.action == actions.CONNECTION_PURGED.id
    with pytest.raises(NotFoundError, match="no deleted service connection 'depot'"):
        store.restore("default", "depot", by="ann")
    assert is_whole(store.database)


def test_for_good_keeps_nothing(store: ConnectionStore, record: ConnectionRecord) -> None:
    store.delete("default", "depot", by="bob", for_good=True)
    assert store.deleted("default") == ()
    with pytest.raises(NotFoundError):
        store.forget("default", "depot", by="bob")


def _dump(home: Home, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(home.database) as database:
        return {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def _put(home: Home, table: str, rows: list[tuple[object, ...]]) -> None:
    with sqlite3.connect(home.database) as database:
        for row in rows:
            database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def test_its_rows_put_back_by_hand_open_for_nobody(
    home: Home, store: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    before = _dump(home, "connections", "connection_projects")
    store.delete("default", "depot", by="bob")
    for table, rows in before.items():
        _put(home, table, rows)
    with pytest.raises(SealError, match="cannot be opened"):
        store.open(1, record.id, use)
    assert not is_whole(store.database)


@pytest.mark.parametrize(
    "edit", ["name = 'other'", "url = 'https://evil.example'", "kept = '{\"permits\":[]}'", "purge_at = purge_at + 1"]
)
def test_a_record_that_was_edited_does_not_come_back(
    home: Home, store: ConnectionStore, record: ConnectionRecord, edit: str
) -> None:
    store.delete("default", "depot", by="bob")
    with sqlite3.connect(home.database) as database:
        database.execute(f"UPDATE deleted_connections SET {edit}")
    with pytest.raises(SealError):
        store.restore("default", record.id, by="ann")


def test_an_older_deletion_put_back_by_hand_does_not_come_back(
    home: Home, store: ConnectionStore, record: ConnectionRecord
) -> None:
    store.delete("default", "depot", by="bob")
    before = _dump(home, "deleted_connections")["deleted_connections"]
    store.restore("default", "depot", by="ann")
    store.update("default", "depot", Update(secrets={"apitoken": Secret("token-new")}), by="ann")
    store.delete("default", "depot", by="ann", for_good=True)
    _put(home, "deleted_connections", before)
    with pytest.raises(SealError, match="audit log says"):
        store.restore("default", "depot", by="ann")


def test_one_whose_secrets_do_not_open_can_still_be_deleted(
    home: Home, store: ConnectionStore, record: ConnectionRecord
) -> None:
    with sqlite3.connect(home.database) as database:
        database.execute("UPDATE connections SET url = 'https://evil.example'")
    store.delete("default", "depot", by="bob")
    assert store.deleted("default") == ()
    with pytest.raises(NotFoundError):
        store.get("default", "depot")
