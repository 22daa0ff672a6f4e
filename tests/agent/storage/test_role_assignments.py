"""Roles as they are stored: found again, and refused when somebody else wrote them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from sluice.errors import SealError
from sluice.storage import role_assignments, vouched
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.permissions import PIPELINE, Resource
from sluice.storage.role_assignments import Changed, Given

ID = "11111111-2222-4333-8444-555555555555"
PLACES = [Resource(1, ID), Resource(0, ID), Resource(1, ""), Resource(1, "7", PIPELINE), Resource(1, "", PIPELINE)]
ANN = Changed(subject="ann-id", subject_name="ann", role="Reader")


@pytest.fixture
def stored(database: Database) -> Database:
    with database.write() as transaction:
        for place in PLACES:
            role_assignments.write(
                transaction, place, Given({"ann-id": "Reader"}, False), [ANN], name="x", by="me", at=1
            )
    return database


def attack(home: Home, statement: str) -> None:
    connection = sqlite3.connect(home.database)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("place", PLACES)
def test_roles_are_found_where_they_were_given(stored: Database, place: Resource) -> None:
    with stored.read() as transaction:
        assert role_assignments.read(transaction, place) == Given({"ann-id": "Reader"}, False)
        assert role_assignments.read(transaction, Resource(2, place.id, place.type)) is None


def test_all_of_a_type_are_read_at_once(stored: Database) -> None:
    with stored.read() as transaction:
        found = role_assignments.of_type(transaction, 1, PIPELINE)
    given = {place: one for place, one in found.items() if one}
    assert given == {
        Resource(1, "7", PIPELINE): Given({"ann-id": "Reader"}, False),
        Resource(1, "", PIPELINE): Given({"ann-id": "Reader"}, False),
    }


def test_a_place_that_is_reset_is_as_if_it_was_never_changed(stored: Database) -> None:
    place = PLACES[0]
    with stored.write() as transaction:
        role_assignments.reset(transaction, place, name="x", by="me", at=2)
        role_assignments.reset(transaction, Resource(2, ID), name="x", by="me", at=2)
        given = role_assignments.read(transaction, place)
        assert role_assignments.read(transaction, Resource(2, ID)) is None
    assert given is not None
    assert given.inherit
    assert "ann-id" not in given.roles


def rows(database: Database) -> Iterator[str]:
    with database.read() as transaction:
        yield from vouched.broken(transaction)


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE role_assignments SET assignments = \'{"ann-id":"Administrator"}\'',
        "UPDATE role_assignments SET inherit = 1",
        "UPDATE role_assignments SET sequence = sequence + 1",
        "DELETE FROM role_assignments",
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_roles_written_by_hand_are_refused_and_named(
    stored: Database, home: Home, statement: str, place: Resource
) -> None:
    assert list(rows(stored)) == []
    attack(home, statement)
    with stored.read() as transaction:
        with pytest.raises(SealError):
            role_assignments.read(transaction, place)
        assert not any(role_assignments.of_type(transaction, 1, place.type).values())
    assert len(list(rows(stored))) == len(PLACES)


def test_an_older_row_is_refused(stored: Database, home: Home) -> None:
    attack(home, "CREATE TABLE old AS SELECT * FROM role_assignments")
    with stored.write() as transaction:
        gone = Changed(subject="ann-id", subject_name="ann")
        role_assignments.write(transaction, PLACES[0], Given({}, False), [gone], name="x", by="me", at=2)
    attack(home, "DELETE FROM role_assignments")
    attack(home, "INSERT INTO role_assignments SELECT * FROM old")
    with stored.read() as transaction, pytest.raises(SealError):
        role_assignments.read(transaction, PLACES[0])
