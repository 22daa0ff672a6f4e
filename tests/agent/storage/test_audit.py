"""The audit log in the database, and attacks on it."""

from __future__ import annotations

import json

import pytest
import sqlalchemy

from sluice.errors import StorageError
from sluice.storage import action_registry, actions, audit, permissions
from sluice.storage.chain import Head
from sluice.storage.engine import Database
from sluice.storage.home import Home

_RESOURCE = permissions.Resource(1, "0d1f0a3e-0000-0000-0000-000000000001")


def _fill(database: Database, count: int = 5) -> None:
    with database.write() as transaction:
        for number in range(1, count + 1):
            permissions.grant(transaction, _RESOURCE, number, by="me", at=float(number))


def _verdict(database: Database, *kept: Head) -> audit.Verdict:
    with database.read() as transaction:
        return audit.verify(transaction, *kept)


def _attack(database: Database, statement: str) -> None:
    with database.write() as transaction:
        transaction.execute(sqlalchemy.text(statement))


def test_an_untouched_log_is_whole_across_transactions(database: Database) -> None:
    _fill(database)
    with database.write() as transaction:
        permissions.revoke(transaction, _RESOURCE, 2, by="me", at=9.0)
    verdict = _verdict(database)
    assert verdict.breaches == ()
    assert verdict.head.sequence == 6


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'you' WHERE sequence = 3",
        "UPDATE audit SET details = '{}' WHERE sequence = 3",
        "UPDATE audit SET at = at + 1 WHERE sequence = 5",
        "DELETE FROM audit WHERE sequence = 1",
        "DELETE FROM audit WHERE sequence = 3",
        "DELETE FROM audit WHERE sequence = 5",
        "DELETE FROM audit",
        "UPDATE audit SET sequence = CASE sequence WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE sequence IN (2, 3)",
        "INSERT INTO permissions VALUES (1, 'endpoint', 'x', 0, 'me', 1.0, '', 0, '')",
        "DELETE FROM permissions WHERE pipeline_id = 4",
    ],
)
def test_an_edit_by_hand_is_found(database: Database, statement: str) -> None:
    _fill(database)
    _attack(database, statement)
    assert _verdict(database).breaches


def test_a_log_whose_end_was_cut_off_together_with_what_it_told_is_found_by_a_kept_head(database: Database) -> None:
    _fill(database)
    kept = _verdict(database).head
    _attack(database, "DELETE FROM audit WHERE sequence = 5")
    _attack(database, "DELETE FROM permissions WHERE pipeline_id = 5")
    assert not _verdict(database).breaches
    assert _verdict(database, kept).breaches


def test_the_end_of_the_log_is_noted_beside_the_keys_once_it_is_stored(database: Database, home: Home) -> None:
    assert audit.noted_head(home) is None
    _fill(database)
    assert audit.noted_head(home) == _verdict(database).head
    with database.write() as transaction:
        permissions.revoke(transaction, _RESOURCE, 1, by="me", at=1.0)
        transaction.abandon()
    assert audit.noted_head(home) == _verdict(database).head
    home.audit_head.write_text("nonsense")
    assert audit.noted_head(home) is None


def test_a_note_that_cannot_be_written_stops_nothing(database: Database, home: Home) -> None:
    home.audit_head.mkdir()
    _fill(database)
    assert _verdict(database).head.sequence == 5


def test_what_is_taken_back_leaves_no_entry(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as transaction:
            permissions.grant(transaction, _RESOURCE, 1, by="me", at=1.0)
            raise StorageError("x")

    with pytest.raises(StorageError):
        fail_half_way()
    assert _verdict(database) == audit.Verdict((), Head())


def test_newlines_and_quotes_in_details_stay_data(database: Database) -> None:
    name = 'x"\n2026 root Library.Forged {ConnectionType}'
    with database.write() as transaction:
        event = audit.Event(action=actions.CONNECTION_CREATED, actor="a\nb", at=1.0, details={"ConnectionName": name})
        audit.append(transaction, event)
    with database.read() as transaction:
        (link,) = audit.entries(transaction)
    assert json.loads(link.entry.details)["ConnectionName"] == name
    assert audit.describe(link.entry).count("\n") == 1
    assert _verdict(database).breaches == ()


def test_the_log_is_read_in_batches_and_in_order(database: Database) -> None:
    events = [
        audit.Event(action=actions.KEY_ROTATED, actor="me", at=float(number), details={"Count": number})
        for number in range(2500)
    ]
    with database.write() as transaction:
        assert audit.append_all(transaction, events) == 2500
    with database.read() as transaction:
        assert [link.entry.sequence for link in audit.entries(transaction)] == list(range(1, 2501))
        assert [link.entry.sequence for link in audit.entries(transaction, after=2498)] == [2499, 2500]
        assert len(list(audit.entries(transaction, limit=3))) == 3
        assert [link.entry.sequence for link in audit.newest(transaction, 2)] == [2499, 2500]


def test_the_newest_entries_of_one_resource_are_only_its_own(database: Database) -> None:
    _fill(database, 2)
    with database.read() as transaction:
        assert len(audit.newest(transaction, 10, resource_id=_RESOURCE.id)) == 2
        assert audit.newest(transaction, 10, resource_id="other") == ()


def test_every_action_of_ours_fills_its_sentence() -> None:
    assert action_registry.ACTIONS["Library.ServiceConnectionCreated"] is actions.CONNECTION_CREATED
    text = actions.CONNECTION_CREATED.describe({"ConnectionName": "web", "ConnectionType": "ssh"})
    assert text == 'Created Service Connection "web" of type ssh.'
    assert {action.category for action in action_registry.ACTIONS.values()} <= {
        "Access",
        "Create",
        "Execute",
        "Modify",
        "Remove",
        "Rename",
    }
