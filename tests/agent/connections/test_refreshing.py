"""Renewal of tokens: by one use at a time, stored before anybody uses it, and without another version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, SealError, SluiceError, VerificationError
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import Renewal
from sluice.secret import Secret
from sluice.storage import connections as rows
from sluice.storage import renewed, usage
from sluice.storage.engine import Database


class Far:
    """A far side that gives tokens, numbered."""

    def __init__(self) -> None:
        self.given = 0
        self.refuses = False
        self.meanwhile: Callable[[], None] = lambda: None

    def left(self, connection: Connection, now: float) -> float | None:
        ends = connection.text("ExpiresAt")
        return float(ends) - now if ends else 0

    def ask(self, connection: Connection, now: float) -> tuple[Mapping[str, Secret], float]:
        if self.refuses:
            raise VerificationError("the far side gives no token")
        self.given += 1
        self.meanwhile()
        return {"apitoken": Secret(f"token-number-{self.given}")}, now + 3600


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def renewing(store: ConnectionStore, far: Far) -> ConnectionStore:
    store.renewals = {"depot": Renewal(left=far.left, ask=far.ask)}
    return store


@pytest.fixture
def record(renewing: ConnectionStore) -> ConnectionRecord:
    secrets = {"apitoken": Secret("token-as-entered")}
    draft = Draft(name="west", type="Depot", scheme="Token", url="https://depot.example/", secrets=secrets)
    return renewing.create("default", draft, by="me").record


def opened(store: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> str:
    token = store.open(record.project_id, record.id, use, version=record.version).secret("apitoken")
    assert token is not None
    return token.reveal()


def test_a_token_is_stored_sealed_before_it_is_used(
    renewing: ConnectionStore, record: ConnectionRecord, use: usage.Use, database: Database, far: Far
) -> None:
    assert opened(renewing, record, use) == opened(renewing, record, use) == "token-number-1"
    with database.read() as transaction:
        stored = renewed.get(transaction, record.id, record.version)
        assert stored is not None
        assert b"token-number-1" not in stored.sealed
        row = rows.by_id(transaction, record.project_id, record.id)
        assert row is not None
        assert row.version == record.version
    assert far.given == 1


def test_another_store_of_the_installation_finds_it(
    renewing: ConnectionStore,
    record: ConnectionRecord,
    use: usage.Use,
    database: Database,
    make_store: Callable[[Database], ConnectionStore],
) -> None:
    opened(renewing, record, use)
    other = make_store(database)
    other.renewals = {}
    assert opened(other, record, use) == "token-number-1"


def test_a_connection_that_changes_meanwhile_keeps_nothing_of_it(
    renewing: ConnectionStore, record: ConnectionRecord, use: usage.Use, far: Far, database: Database
) -> None:
    update = Update(secrets={"apitoken": Secret("entered-meanwhile")})

    def change() -> None:
        renewing.update("default", "west", update, by="me")

    far.meanwhile = change
    with pytest.raises(ConflictError, match="was changed while its tokens were renewed"):
        opened(renewing, record, use)
    with database.read() as transaction:
        assert renewed.get(transaction, record.id, record.version) is None


def test_a_turn_is_over_when_asking_failed(
    renewing: ConnectionStore, record: ConnectionRecord, use: usage.Use, far: Far, database: Database
) -> None:
    far.refuses = True
    with pytest.raises(SluiceError, match="the far side gives no token"):
        opened(renewing, record, use)
    with database.write() as transaction:
        assert renewed.take_turn(transaction, record.id, "another", now=1000.0, until=1060.0)


def test_turns_are_taken_by_one_and_from_the_dead(record: ConnectionRecord, database: Database) -> None:
    with database.write() as transaction:
        assert renewed.take_turn(transaction, record.id, "one", now=1000.0, until=1060.0)
        assert not renewed.take_turn(transaction, record.id, "two", now=1059.0, until=1119.0)
        assert renewed.take_turn(transaction, record.id, "two", now=1061.0, until=1121.0)
        renewed.end_turn(transaction, record.id, "one")  # whose turn it is not any more
        assert not renewed.take_turn(transaction, record.id, "three", now=1062.0, until=1122.0)


def test_a_token_put_back_by_hand_does_not_open(
    renewing: ConnectionStore, record: ConnectionRecord, use: usage.Use, database: Database, tmp_path: Path
) -> None:
    opened(renewing, record, use)
    with database.write() as transaction:
        stored = renewed.get(transaction, record.id, record.version)
        assert stored is not None
        flipped = bytes([stored.sealed[0] ^ 1]) + stored.sealed[1:]
        values = {name: getattr(stored, name) for name in renewed.Renewed.__slots__}
        renewed.put(transaction, renewed.Renewed(**{**values, "sealed": flipped}))
    with pytest.raises(SealError):
        opened(renewing, record, use)
