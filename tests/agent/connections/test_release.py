"""Releasing secrets: checked, audited, and refused when anybody has touched the record."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy

from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, NotFoundError, NotPermittedError, SealError, StorageError
from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.storage import audit, permissions, usage
from sluice.storage.engine import Transaction


def make(store: ConnectionStore, name: str, secret: str = "token-1234", via: str = "") -> ConnectionRecord:
    draft = Draft(
        name=name,
        type="depot",
        scheme="Token",
        url=f"https://{name}.example",
        values={"Via": via} if via else {},
        secrets={"apitoken": Secret(secret)},
    )
    return store.create("default", draft, by="ann").record


def attack(store: ConnectionStore, statement: str, **parameters: object) -> None:
    with store.database.write() as transaction:
        transaction.execute(sqlalchemy.text(statement), parameters)


def rows_of(store: ConnectionStore, table: str) -> list[dict[str, object]]:
    with store.database.read() as transaction:
        rows = transaction.rows(sqlalchemy.text(f"SELECT * FROM {table}"))
        return [dict(row._mapping) for row in rows]


def token_of(connection: Connection) -> str:
    secret = connection.secret("apitoken")
    assert secret
    return secret.reveal()


def test_a_release_is_in_the_usage_history_and_the_audit_log(store: ConnectionStore, use: usage.Use) -> None:
    record = make(store, "one")
    assert token_of(store.open(1, record.id, use)) == "token-1234"
    (entry,) = store.history(record)
    assert (entry.run_id, entry.task, entry.finished_at) == (3, "Depot@1", None)
    with store.database.read() as transaction:
        last = audit.newest(transaction, 1)[0].entry
    assert last.action == "Library.ServiceConnectionExecuted"
    assert (last.resource_id, last.resource_version, last.actor) == (record.id, 1, "me")


def test_linked_connections_come_along_each_recorded(store: ConnectionStore, use: usage.Use) -> None:
    far, middle = make(store, "far", "far-token"), make(store, "middle", "middle-token", via="far")
    near = make(store, "near", "near-token", via="MIDDLE")
    connection = store.open(1, near.id, use)
    assert token_of(connection.linked["Via"].linked["Via"]) == "far-token"
    assert {secret.reveal() for secret in connection.secrets()} == {"far-token", "middle-token", "near-token"}
    assert all(len(store.history(record)) == 1 for record in (far, middle, near))


def test_the_check_is_asked_for_each_and_a_refusal_releases_nothing(store: ConnectionStore, use: usage.Use) -> None:
    make(store, "far")
    near = make(store, "near", via="far")
    asked: list[str] = []

    def check(transaction: Transaction, record: ConnectionRecord) -> None:
        asked.append(record.name)
        assert not permissions.permitted(transaction, permissions.Resource(1, record.id), 7)
        if record.name == "far":
            raise NotPermittedError("no")

    with pytest.raises(NotPermittedError):
        store.open(1, near.id, use, check=check)
    assert asked == ["near", "far"]
    assert store.history(near) == ()


def test_a_decision_about_another_version_opens_nothing(store: ConnectionStore, use: usage.Use) -> None:
    record = make(store, "one")
    store.update("default", "one", Update(secrets={"apitoken": Secret("token-new-1")}), by="b")
    with pytest.raises(ConflictError, match="at version 2"):
        store.open(1, record.id, use, version=1)
    assert token_of(store.open(1, record.id, use, version=2)) == "token-new-1"


def test_a_disabled_connection_is_not_released_nor_one_that_goes_through_it(
    store: ConnectionStore, use: usage.Use
) -> None:
    make(store, "far")
    near = make(store, "near", via="far")
    store.update("default", "far", Update(disabled=True), by="b")
    with pytest.raises(NotPermittedError, match="'far' is disabled"):
        store.open(1, near.id, use)
    store.update("default", "far", Update(disabled=False), by="b")
    assert store.open(1, near.id, use)


def test_a_deleted_or_foreign_id_is_not_found(store: ConnectionStore, use: usage.Use) -> None:
    record = make(store, "one")
    with pytest.raises(NotFoundError):
        store.open(2, record.id, use)
    store.delete("default", "one", by="b")
    with pytest.raises(NotFoundError):
        store.open(1, record.id, use)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE connections SET url = 'https://evil.example' WHERE id = :one",
        "UPDATE connections SET disabled = 1 - disabled, version = version WHERE id = :one",
        'UPDATE connections SET data = \'{"Proxy":"evil"}\' WHERE id = :one',
        "UPDATE connections SET scheme = 'Basic' WHERE id = :one",
        "UPDATE connections SET type = 'ssh' WHERE id = :one",
        "UPDATE connections SET secret_names = '{}' WHERE id = :one",
        'UPDATE connections SET secret_references = \'{"data":{"Certificate":"file:/etc/passwd"}}\' WHERE id = :one',
        "UPDATE connections SET version = version + 1 WHERE id = :one",
        "UPDATE connections SET version = 1 WHERE id = :two",
        "UPDATE connections SET parameters = 'nonsense' WHERE id = :one",
        "UPDATE connections SET parameters = '[1]' WHERE id = :one",
        "UPDATE connections SET key_id = 'file-0' WHERE id = :one",
        "UPDATE connections SET sealed = zeroblob(60) WHERE id = :one",
        "UPDATE connections SET wrapped_key = (SELECT wrapped_key FROM connections WHERE id = :two) WHERE id = :one",
        "UPDATE connections SET sealed = (SELECT sealed FROM connections WHERE id = :two) WHERE id = :one",
        "UPDATE connections SET (sealed, wrapped_key) = (SELECT sealed, wrapped_key FROM connections WHERE id = :two)",
        "UPDATE connections SET parameters = '{\"username\": 7}' WHERE id = :one",
        "UPDATE connections SET secret_references = '{\"data\": 7}' WHERE id = :one",
    ],
)
def test_a_record_that_was_edited_by_hand_opens_no_more(store: ConnectionStore, use: usage.Use, statement: str) -> None:
    one, two = make(store, "one", "token-one"), make(store, "two", "token-two")
    store.update("default", "two", Update(secrets={"apitoken": Secret("token-two-2")}), by="b")
    attack(
        store,
        statement,
        **{name: record.id for name, record in (("one", one), ("two", two)) if f":{name}" in statement},
    )
    touched = one if ":one" in statement or "(sealed" in statement else two
    with pytest.raises((SealError, NotPermittedError)) as caught:
        store.open(1, touched.id, use)
    assert "token-" not in str(caught.value)
    assert store.history(touched) == ()


def test_an_older_row_put_back_as_a_whole_is_refused(store: ConnectionStore, use: usage.Use) -> None:
    record = make(store, "one", "token-old")
    (old,) = rows_of(store, "connections")
    store.update("default", "one", Update(secrets={"apitoken": Secret("token-new-1")}), by="b")
    columns = ", ".join(f"{name} = :{name}" for name in old)
    attack(store, f"UPDATE connections SET {columns} WHERE id = :id", **old)
    with pytest.raises(SealError, match="audit log says 2"):
        store.open(1, record.id, use)


def test_secrets_of_an_older_version_put_back_alone_are_refused(store: ConnectionStore, use: usage.Use) -> None:
    record = make(store, "one", "token-old")
    (old,) = rows_of(store, "connections")
    store.update("default", "one", Update(secrets={"apitoken": Secret("token-new-1")}), by="b")
    attack(
        store,
        "UPDATE connections SET sealed = :sealed, wrapped_key = :wrapped WHERE id = :id",
        sealed=old["sealed"],
        wrapped=old["wrapped_key"],
        id=record.id,
    )
    with pytest.raises(SealError):
        store.open(1, record.id, use)


def test_a_record_moved_to_another_id_is_refused(store: ConnectionStore, use: usage.Use) -> None:
    one, two = make(store, "one", "token-one"), make(store, "two", "token-two")
    attack(store, "PRAGMA defer_foreign_keys = ON")
    with store.database.write() as transaction:
        transaction.execute(sqlalchemy.text("PRAGMA defer_foreign_keys = ON"))
        for before, after in ((one.id, "x"), (two.id, one.id), ("x", two.id)):
            transaction.execute(
                sqlalchemy.text("UPDATE connections SET id = :after WHERE id = :before"),
                {"before": before, "after": after},
            )
    for record in (one, two):
        with pytest.raises(SealError):
            store.open(1, record.id, use)


@pytest.mark.parametrize("table", ["audit", "usage_history"])
def test_what_cannot_be_recorded_is_not_released(store: ConnectionStore, use: usage.Use, table: str) -> None:
    record = make(store, "one")
    attack(
        store,
        f"CREATE TRIGGER blocked BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'the writer is blocked'); END",
    )
    with pytest.raises((StorageError, sqlalchemy.exc.IntegrityError)):
        store.open(1, record.id, use)
    attack(store, "DROP TRIGGER blocked")
    assert store.history(record) == ()


def test_a_permit_that_ends_while_many_steps_start_lets_nothing_out_afterwards(
    store: ConnectionStore, use: usage.Use
) -> None:
    record = make(store, "one")
    resource = permissions.Resource(1, record.id)
    with store.database.write() as transaction:
        permissions.grant(transaction, resource, 1, by="ann", at=1.0)

    def check(transaction: Transaction, asked: ConnectionRecord) -> None:
        if not permissions.permitted(transaction, permissions.Resource(1, asked.id), 1):
            raise NotPermittedError("no")

    outcomes: list[str] = []

    def start() -> None:
        try:
            store.open(1, record.id, use, check=check)
            outcomes.append("released")
        except NotPermittedError:
            outcomes.append("refused")

    threads = [threading.Thread(target=start) for _ in range(12)]
    for index, thread in enumerate(threads):
        thread.start()
        if index == 5:
            with store.database.write() as transaction:
                permissions.revoke(transaction, resource, 1, by="ann", at=2.0)
    for thread in threads:
        thread.join()
    with store.database.read() as transaction:
        actions = [link.entry.action for link in audit.entries(transaction)]
    revoked = actions.index("Pipelines.ResourceUnauthorizedForPipeline")
    assert "Library.ServiceConnectionExecuted" not in actions[revoked:]
    assert outcomes.count("released") == actions.count("Library.ServiceConnectionExecuted")
    assert "refused" in outcomes


def test_a_reference_that_reads_nothing_says_what_is_missing(store: ConnectionStore, use: usage.Use) -> None:
    draft = Draft(
        name="one",
        type="depot",
        scheme="Token",
        url="https://one.example",
        references={"apitoken": "env:APP_TEST_UNSET"},
    )
    record = store.create("default", draft, by="ann").record
    with pytest.raises(NotFoundError, match="APP_TEST_UNSET"):
        store.open(1, record.id, use)
