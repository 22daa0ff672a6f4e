"""Rotation of a connection's secrets: tried, replaced, undone."""

from __future__ import annotations

import pytest

from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.renewal import UNDO_DAYS, rotate, undo
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, ConnectionInvalidError, NotFoundError, UsageError, VerificationError
from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.storage import audit, permissions, usage

NEW = {"apitoken": Secret("token-new-1234")}


@pytest.fixture
def record(store: ConnectionStore) -> ConnectionRecord:
    secrets = {"apitoken": Secret("token-1234"), "Certificate": Secret("-----BEGIN\nline\n")}
    draft = Draft(name="depot", type="depot", scheme="Token", url="https://one.example", secrets=secrets)
    record = store.create("default", draft, by="ann").record
    with store.database.write() as transaction:
        permissions.grant(transaction, permissions.Resource(1, record.id), 7, by="ann", at=1.0)
    return record


def works(connection: Connection) -> str:
    assert connection.secret("apitoken") == NEW["apitoken"]
    assert connection.secret("Certificate") == Secret("-----BEGIN\nline\n")
    return "logged in as depot"


def fails(connection: Connection) -> str:
    raise VerificationError("401")


def token(store: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> object:
    return store.open(1, record.id, use).parameters["apitoken"]


def test_a_secret_that_works_replaces_the_old_one_and_permits_stay(
    store: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    outcome, told = rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, verifiers={"depot": works})
    assert (outcome.changed, told) == (("apitoken",), "logged in as depot")
    assert token(store, record, use) == NEW["apitoken"]
    assert len(store.permissions(record)) == 1
    assert store.history(record)[-1].task == "verify"


def test_a_secret_that_does_not_work_leaves_the_old_one_in_place(
    store: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    with pytest.raises(VerificationError, match="401") as failed:
        rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, verifiers={"depot": fails})
    assert "nothing was replaced" in failed.value.do
    assert store.get("default", "depot") == record
    assert token(store, record, use) == Secret("token-1234")


def test_a_type_without_a_try_needs_that_to_be_said(store: ConnectionStore, record: ConnectionRecord) -> None:
    with pytest.raises(VerificationError, match="cannot be verified"):
        rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, verifiers={})
    outcome, told = rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, tried=False)
    assert (outcome.changed, told) == (("apitoken",), "")


def test_it_is_undone_once_within_a_week(store: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> None:
    rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, tried=False)
    store.update("default", "depot", Update(description="still the same secret"), by="ann")
    store.rotate_key(by="ann")
    assert undo(store, "default", "depot", by="bob", clock=lambda: 6.0).changed == ("apitoken",)
    assert token(store, record, use) == Secret("token-1234")
    with pytest.raises(NotFoundError, match="nothing is kept"):
        undo(store, "default", "depot", by="bob", clock=lambda: 7.0)
    rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, tried=False)
    with pytest.raises(NotFoundError, match="nothing is kept"):
        undo(store, "default", "depot", by="bob", clock=lambda: 5.0 + UNDO_DAYS * 86400)
    with store.database.read() as transaction:
        assert not audit.verify(transaction).breaches


def test_it_is_not_undone_over_a_later_change(store: ConnectionStore, record: ConnectionRecord) -> None:
    rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, tried=False)
    store.update("default", "depot", Update(secrets={"apitoken": Secret("third-1234")}), by="ann")
    with pytest.raises(ConflictError, match="changed again since"):
        undo(store, "default", "depot", by="bob", clock=lambda: 6.0)


def test_nothing_of_it_is_kept_where_the_connection_leads_elsewhere(
    store: ConnectionStore, record: ConnectionRecord
) -> None:
    rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, tried=False)
    change = Update(url="https://two.example", secrets={"apitoken": Secret("third-1234")})
    store.update("default", "depot", change, by="ann")
    with pytest.raises(NotFoundError):
        undo(store, "default", "depot", by="bob", clock=lambda: 6.0)


def test_a_change_while_it_is_tried_stops_it(store: ConnectionStore, record: ConnectionRecord) -> None:
    def meddles(connection: Connection) -> str:
        store.update("default", "depot", Update(values={"Region": "south"}), by="ann")
        return "fine"

    with pytest.raises(ConflictError, match="changed meanwhile"):
        rotate(store, "default", "depot", NEW, by="bob", clock=lambda: 5.0, verifiers={"depot": meddles})


def test_what_is_no_secret_of_the_type_is_refused_before_anything_is_tried(
    store: ConnectionStore, record: ConnectionRecord
) -> None:
    with pytest.raises(ConnectionInvalidError, match="has no field 'apitokn'"):
        rotate(store, "default", "depot", {"apitokn": Secret("x-12345")}, by="b", clock=lambda: 5.0, verifiers={})
    with pytest.raises(UsageError, match="no secret to rotate to"):
        rotate(store, "default", "depot", {}, by="b", clock=lambda: 5.0)
    assert store.history(record) == ()
