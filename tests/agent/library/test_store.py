"""The store of variable groups: what is stored, who may open it, and what an attacker with the file gets."""

from __future__ import annotations

import dataclasses
import json

import pytest
import sqlalchemy

from sluice.connections.keys import FileKeys
from sluice.connections.rotation import rotate
from sluice.connections.sealing import Sealer
from sluice.errors import ConflictError, NotFoundError, SealError, StorageError
from sluice.library import lookup
from sluice.library.group import GroupDraft, GroupUpdate, OpenedGroup, VariableGroup
from sluice.library.store import VariableGroupStore, resource_of
from sluice.secret import Secret
from sluice.storage import actions, audit, permissions, usage
from sluice.storage.engine import Database
from sluice.storage.home import Home

SECRET = "hunter2-very-secret-0815"


def make(store: VariableGroupStore, name: str = "settings", secret: str = SECRET, **more: str) -> VariableGroup:
    draft = GroupDraft(name=name, variables={"Region": "north", **more}, secrets={"token": Secret(secret)})
    return store.create("default", draft, by="ann").group


def open_it(store: VariableGroupStore, name: str, use: usage.Use) -> OpenedGroup:
    with store.database.write() as transaction:
        group = lookup.get(transaction, 1, name)
        return store.open_in(transaction, group, store.fetch(group), use)


def values(opened: OpenedGroup) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in opened.variables.items()}


def attack(store: VariableGroupStore, statement: str, **parameters: object) -> None:
    with store.database.write() as transaction:
        transaction.execute(sqlalchemy.text(statement), parameters)


def rows_of(store: VariableGroupStore, table: str) -> list[dict[str, object]]:
    with store.database.read() as transaction:
        rows = transaction.rows(sqlalchemy.text(f"SELECT * FROM {table}"))
        return [dict(row._mapping) for row in rows]


def verdict(store: VariableGroupStore) -> list[str]:
    with store.database.read() as transaction:
        return [breach.what for breach in audit.verify(transaction).breaches]


def test_a_group_is_found_in_every_spelling_without_its_secrets(store: VariableGroupStore) -> None:
    made = make(store, "My Settings")
    for name in ("my settings", " MY SETTINGS ", made.id, made.id.upper()):
        assert store.get("default", name) == made
    assert (made.number, made.version, made.secrets) == (1, 1, frozenset({"token"}))
    assert made.variables == {"Region": "north"}
    assert store.list("default") == (made,)
    with pytest.raises(NotFoundError, match="did you mean 'My Settings'"):
        store.get("default", "my setings")


def test_opening_gives_every_variable_with_its_use_and_audit_recorded(
    store: VariableGroupStore, use: usage.Use
) -> None:
    made = make(store)
    opened = open_it(store, "settings", use)
    assert values(opened) == {"Region": "north", "token": SECRET}
    assert isinstance(opened.variables["token"], Secret)
    (record,) = store.history(made)
    assert (record.run_id, record.job, record.step_id, record.finished_at) == (3, "J", "job", None)
    with store.database.read() as transaction:
        entry = audit.newest(transaction, 1)[0].entry
    assert (entry.action, entry.resource_id, entry.resource_version) == ("Sluice.VariableGroupOpened", made.id, 1)
    assert "token" in entry.details
    assert SECRET not in entry.details


def test_a_reference_is_read_when_the_group_is_opened(
    store: VariableGroupStore, use: usage.Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("default", GroupDraft(name="refs", references={"key": "env:APP_TEST_KEY"}), by="ann")
    with pytest.raises(NotFoundError, match="APP_TEST_KEY"):
        open_it(store, "refs", use)
    monkeypatch.setenv("APP_TEST_KEY", "k-12345")
    for _ in range(2):
        assert values(open_it(store, "refs", use)) == {"key": "k-12345"}
    monkeypatch.setenv("APP_TEST_KEY", "k-67890")
    open_it(store, "refs", use)
    with store.database.read() as transaction:
        found = [json.loads(one.entry.details) for one in audit.newest(transaction, 3)]
    assert [one["References"] for one in found] == [{"key": "env:APP_TEST_KEY"}] * 3
    hashes = [one["ValueHashes"]["key"] for one in found]
    assert hashes[0] == hashes[1] != hashes[2]
    assert "k-12345" not in repr(found)


def test_what_was_fetched_for_another_version_does_not_open_it(store: VariableGroupStore, use: usage.Use) -> None:
    make(store)
    with store.database.write() as transaction, pytest.raises(ConflictError):
        store.open_in(transaction, lookup.get(transaction, 1, "settings"), {"key": Secret("x")}, use)


def test_names_are_taken_in_every_spelling_but_not_in_another_project(store: VariableGroupStore) -> None:
    make(store)
    with pytest.raises(ConflictError, match="exists already"):
        make(store, " SETTINGS ")
    other = store.create("shop", GroupDraft(name="settings"), by="ann").group
    assert other.project_id != 1
    with pytest.raises(NotFoundError):
        store.get("default", other.id)
    make(store, "two")
    with pytest.raises(ConflictError):
        store.update("default", "two", GroupUpdate(name="Settings"), by="ann")


def test_an_update_keeps_id_permits_and_the_other_secrets(store: VariableGroupStore, use: usage.Use) -> None:
    made = make(store)
    store.update("default", "settings", GroupUpdate(secrets={"second": Secret("another-1")}), by="bob")
    with store.database.write() as transaction:
        permissions.grant(transaction, resource_of(made), 7, by="ann", at=1.0)
    update = GroupUpdate(name="Renamed", variables={"region": "south"}, secrets={"second": Secret("another-2")})
    outcome = store.update("default", "settings", update, by="bob")
    assert outcome.changed == ("name", "Region", "second")
    assert (outcome.group.id, outcome.group.version, outcome.group.modified_by) == (made.id, 3, "bob")
    assert [one.pipeline_id for one in store.permissions(outcome.group)] == [7]
    assert values(open_it(store, "renamed", use)) == {"Region": "south", "token": SECRET, "second": "another-2"}
    assert verdict(store) == []


def test_an_update_that_changes_nothing_leaves_version_and_log_alone(store: VariableGroupStore) -> None:
    make(store)
    before = rows_of(store, "audit")
    outcome = store.update("default", "settings", GroupUpdate(name="settings", variables={"Region": "north"}), by="b")
    assert (outcome.changed, outcome.group.version) == ((), 1)
    assert rows_of(store, "audit") == before


def test_a_removed_secret_is_gone(store: VariableGroupStore, use: usage.Use) -> None:
    make(store)
    store.update("default", "settings", GroupUpdate(unset=("TOKEN",)), by="b")
    assert values(open_it(store, "settings", use)) == {"Region": "north"}


def test_deleting_takes_permits_and_secrets_and_leaves_the_history(store: VariableGroupStore, use: usage.Use) -> None:
    made = store.create("default", GroupDraft(name="g", variables={"a": "1"}), by="ann", all_pipelines=True).group
    open_it(store, "g", use)
    store.delete("default", "g", by="ann")
    assert rows_of(store, "variable_groups") == rows_of(store, "permissions") == []
    assert len(store.history(made)) == 1
    assert [entry["action"] for entry in rows_of(store, "audit")] == [
        actions.VARIABLE_GROUP_CREATED.id,
        actions.AUTHORIZED_FOR_PROJECT.id,
        actions.VARIABLE_GROUP_OPENED.id,
        actions.UNAUTHORIZED_FOR_PROJECT.id,
        actions.VARIABLE_GROUP_DELETED.id,
    ]
    assert verdict(store) == []


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE variable_groups SET variables = \'{"Region":"evil"}\' WHERE id = :one',
        "UPDATE variable_groups SET name = 'prod' WHERE id = :one",
        "UPDATE variable_groups SET secret_names = '[]' WHERE id = :one",
        'UPDATE variable_groups SET secret_references = \'{"x":"env:X"}\' WHERE id = :one',
        "UPDATE variable_groups SET version = version + 1 WHERE id = :one",
        "UPDATE variable_groups SET version = 0 WHERE id = :one",
        "UPDATE variable_groups SET key_id = 'other' WHERE id = :one",
        "UPDATE variable_groups SET wrapped_key = (SELECT wrapped_key FROM variable_groups WHERE id = :two)",
        "UPDATE variable_groups SET (sealed, wrapped_key) = (SELECT t.sealed, t.wrapped_key FROM variable_groups t WHERE id = :two) WHERE id = :one",
        "UPDATE variable_groups SET sealed = X'' WHERE id = :one",
        "UPDATE variable_groups SET variables = '[1]' WHERE id = :one",
        "UPDATE variable_groups SET secret_names = '7' WHERE id = :one",
    ],
)
def test_a_group_that_was_edited_by_hand_opens_no_more(
    store: VariableGroupStore, use: usage.Use, statement: str
) -> None:
    one, two = make(store), make(store, "two")
    attack(store, statement, one=one.id, two=two.id)
    with store.database.write() as transaction:
        with pytest.raises(SealError):
            store.open_in(transaction, lookup.get(transaction, 1, one.id), {}, use)
        assert usage.history(transaction, one.id, project_id=1) == ()


def test_an_older_row_put_back_as_a_whole_is_refused_and_found(store: VariableGroupStore, use: usage.Use) -> None:
    made = make(store)
    (old,) = rows_of(store, "variable_groups")
    store.update("default", "settings", GroupUpdate(secrets={"token": Secret("token-new-1")}), by="b")
    attack(store, f"UPDATE variable_groups SET {', '.join(f'{name} = :{name}' for name in old)}", **old)
    with pytest.raises(SealError, match="the audit log says 2"):
        open_it(store, "settings", use)
    assert verdict(store) == [f"variable group {made.id} is at version 1, the log says 2"]


def test_a_secret_of_an_older_version_put_back_alone_is_refused(store: VariableGroupStore, use: usage.Use) -> None:
    make(store)
    (old,) = rows_of(store, "variable_groups")
    store.update("default", "settings", GroupUpdate(secrets={"token": Secret("token-new-1")}), by="b")
    attack(store, "UPDATE variable_groups SET sealed = :s, wrapped_key = :w", s=old["sealed"], w=old["wrapped_key"])
    with pytest.raises(SealError):
        open_it(store, "settings", use)


def test_a_group_that_nobody_created_or_deleted_is_found(store: VariableGroupStore) -> None:
    made = make(store)
    attack(store, "UPDATE variable_groups SET id = 'other'")
    assert verdict(store) == [
        f"variable group {made.id} is gone, and nobody deleted it",
        "variable group other is there, and nobody created it",
    ]


@pytest.mark.parametrize("table", ["audit", "usage_history"])
def test_what_cannot_be_recorded_is_not_released(store: VariableGroupStore, use: usage.Use, table: str) -> None:
    make(store)
    attack(store, f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(FAIL, 'full'); END")
    with pytest.raises((StorageError, sqlalchemy.exc.IntegrityError)):
        open_it(store, "settings", use)


def test_rotation_covers_groups(store: VariableGroupStore, sealer: Sealer, home: Home, use: usage.Use) -> None:
    make(store)
    before = json.loads((home.keys / "master.json").read_text())["keys"].keys()
    rotation = rotate(store.database, sealer, by="ann", clock=lambda: 1.0)
    assert rotation.count == 1
    assert set(rotation.forgotten) == set(before)
    fresh = VariableGroupStore(store.database, Sealer(lambda: FileKeys(home.keys / "master.json")))
    assert values(open_it(fresh, "settings", use))["token"] == SECRET


def test_after_a_lost_key_every_secret_can_be_entered_again_and_permits_end(
    store: VariableGroupStore, database: Database, home: Home, use: usage.Use
) -> None:
    made = make(store)
    with database.write() as transaction:
        permissions.grant(transaction, resource_of(made), 7, by="ann", at=1.0)
    (home.keys / "master.json").unlink()
    fresh = VariableGroupStore(database, Sealer(lambda: FileKeys(home.keys / "master.json")))
    with pytest.raises(SealError):
        make(fresh, "two")
    with pytest.raises(SealError):
        fresh.update("default", "settings", GroupUpdate(variables={"Region": "south"}), by="ann")
    outcome = fresh.update("default", "settings", GroupUpdate(secrets={"token": Secret("again-123")}), by="ann")
    assert [one.pipeline_id for one in outcome.revoked] == [7]
    assert values(open_it(fresh, "settings", use))["token"] == "again-123"


def test_no_secret_is_in_any_file_of_the_installation_nor_in_a_text_of_it(
    store: VariableGroupStore, home: Home, use: usage.Use
) -> None:
    make(store, visible="plain-to-see")
    opened = open_it(store, "settings", use)
    store.update("default", "settings", GroupUpdate(secrets={"token": Secret(f"{SECRET}-2")}), by="b")
    assert SECRET not in repr((opened, dataclasses.astuple(store.get("default", "settings"))))
    content = b"".join(file.read_bytes() for file in home.root.rglob("*") if file.is_file())
    assert b"plain-to-see" in content
    for form in (SECRET.encode(), SECRET.encode().hex().encode(), SECRET.encode("utf-16-le")):
        assert form not in content
