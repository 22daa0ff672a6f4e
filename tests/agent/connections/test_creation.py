"""Many connections at once: each as whole as one that is made alone, and all of them or none."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sluice.connections.connection import Draft
from sluice.connections.creation import BATCH
from sluice.connections.document import Wanted, apply
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, ConnectionInvalidError, Location
from sluice.secret import Secret
from sluice.storage import audit, digests, usage
from sluice.storage.replay import CONNECTION

DRAFT = Draft(name="depot", type="depot", scheme="Token", url="https://depot.example")


def drafts(count: int) -> list[Draft]:
    return [
        replace(DRAFT, name=f"depot {number}", secrets={"apitoken": Secret(f"token-of-{number}")})
        for number in range(count)
    ]


def test_more_than_a_batch_is_stored_with_an_entry_and_the_digest_of_each(store: ConnectionStore) -> None:
    with store.database.write() as transaction:
        outcomes = store.create_in(transaction, "default", drafts(BATCH + 3), by="ann")
    with store.database.read() as transaction:
        assert audit.verify(transaction).breaches == ()
        told = {link.entry.resource_id: json.loads(link.entry.details) for link in audit.entries(transaction)}
        ids = [outcome.record.id for outcome in outcomes]
        stored = digests.of(transaction, CONNECTION, ids)
    assert len(stored) == BATCH + 3
    assert {one: told[one]["Digest"] for one in ids} == stored
    assert store.list("default") == tuple(sorted((one.record for one in outcomes), key=lambda record: record.name))


def test_each_of_many_opens_to_its_own_secret(store: ConnectionStore, use: usage.Use) -> None:
    apply(store, "default", [Wanted(draft=one) for one in drafts(BATCH + 3)], by="ann", at=1.0)
    for number in (0, BATCH - 1, BATCH, BATCH + 2):
        record = store.get("default", f"depot {number}")
        secret = store.open(1, record.id, use).parameters["apitoken"]
        assert secret == Secret(f"token-of-{number}")


def test_the_last_of_many_that_does_not_fit_is_named_by_its_place_and_nothing_is_stored(
    store: ConnectionStore,
) -> None:
    wanted = [Wanted(draft=one, where=Location("c.yml", line, 3)) for line, one in enumerate(drafts(BATCH + 3), 1)]
    wanted[-1] = replace(wanted[-1], draft=replace(wanted[-1].draft, url="no address"))
    with pytest.raises(ConnectionInvalidError) as refused:
        apply(store, "default", wanted, by="ann", at=1.0)
    assert refused.value.where == Location("c.yml", BATCH + 3, 3)
    assert store.list("default") == ()


def test_a_name_that_two_of_many_share_is_refused(store: ConnectionStore) -> None:
    with store.database.write() as transaction, pytest.raises(ConflictError, match="'DEPOT 3' exists already"):
        store.create_in(transaction, "default", [*drafts(101), replace(drafts(1)[0], name="DEPOT 3")], by="ann")


def test_new_ones_and_present_ones_may_stand_in_any_order(store: ConnectionStore) -> None:
    first, second, third = (Wanted(draft=one) for one in drafts(3))
    apply(store, "default", [second], by="ann", at=1.0)
    moved = replace(second, draft=replace(second.draft, secrets={}, values={"Serial": "7"}))
    changes = apply(store, "default", [first, moved, third], by="ann", at=1.0)
    assert [(one.name, one.action) for one in changes] == [
        ("depot 0", "create"),
        ("depot 1", "update"),
        ("depot 2", "create"),
    ]
    assert store.get("default", "depot 1").secrets
    with store.database.read() as transaction:
        assert audit.verify(transaction).breaches == ()
