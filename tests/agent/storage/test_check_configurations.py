"""Checks as they are stored: every change audited, and what is edited by hand is found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy

from sluice.errors import SealError
from sluice.storage import audit, check_configurations, projects
from sluice.storage.check_configurations import Change, ConfigurationRow
from sluice.storage.permissions import Resource
from sluice.storage.tables_checks import check_configurations as table

if TYPE_CHECKING:
    from sluice.storage.engine import Database, Transaction

CHANGE = Change(by="root", at=1.0, kind="Gate", resource_type="environment", resource="production")
PLACE = Resource(1, "e-1", "environment")


def row(transaction: Transaction) -> ConfigurationRow:
    project = projects.ensure(transaction, "default")
    return ConfigurationRow(
        project_id=project.id,
        resource_type=PLACE.type,
        resource_id=PLACE.id,
        kind="gate",
        settings={"what": "Wetter, ä"},
        timeout=10,
        retry_interval=1,
        created_by="root",
        created_at=1.0,
        modified_by="root",
        modified_at=1.0,
    )


def actions(transaction: Transaction) -> list[str]:
    return [link.entry.action for link in audit.entries(transaction)]


def test_changes_are_audited_under_the_documented_ids(database: Database) -> None:
    with database.write() as transaction:
        made = check_configurations.add(transaction, row(transaction), CHANGE)
        changed = check_configurations.update(transaction, replace(made, timeout=20), CHANGE)
        assert check_configurations.of_resource(transaction, PLACE) == [changed]
        check_configurations.remove(transaction, changed, CHANGE)
        assert check_configurations.of_resource(transaction, PLACE) == []
        assert actions(transaction) == [
            "CheckConfiguration.Created",
            "CheckConfiguration.Updated",
            "CheckConfiguration.Deleted",
        ]
        (created, *_) = audit.entries(transaction)
        assert audit.describe(created.entry) == "Gate check has been added to environment production"


def test_an_older_state_that_was_put_back_is_found(database: Database) -> None:
    with database.write() as transaction:
        made = check_configurations.add(transaction, row(transaction), CHANGE)
        (before,) = transaction.rows(sqlalchemy.select(table))
        check_configurations.update(transaction, replace(made, timeout=20), CHANGE)
        transaction.execute(sqlalchemy.update(table).values(**before._mapping))  # SQLAlchemy's name
        with pytest.raises(SealError, match="not those that Sluice stored"):
            check_configurations.of_resource(transaction, PLACE)
        assert list(check_configurations.broken(transaction))


def test_a_deleted_check_that_was_put_back_is_found(database: Database) -> None:
    with database.write() as transaction:
        made = check_configurations.add(transaction, row(transaction), CHANGE)
        (before,) = transaction.rows(sqlalchemy.select(table))
        check_configurations.remove(transaction, made, CHANGE)
        transaction.execute(sqlalchemy.insert(table).values(**before._mapping))  # as above
        with pytest.raises(SealError):
            check_configurations.of_resource(transaction, PLACE)


def test_checks_of_a_resource_that_goes_away_go_with_it(database: Database) -> None:
    with database.write() as transaction:
        check_configurations.add(transaction, row(transaction), CHANGE)
        check_configurations.remove_of_resource(transaction, PLACE, CHANGE)
        assert check_configurations.of_resource(transaction, PLACE) == []
        assert list(check_configurations.broken(transaction)) == []
