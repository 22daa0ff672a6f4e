"""Pipeline permissions."""

from __future__ import annotations

from sluice.storage import audit, permissions
from sluice.storage.engine import Database
from sluice.storage.permissions import ALL_PIPELINES, Resource

WEB = Resource(1, "web")


def test_nothing_is_permitted_at_first(database: Database) -> None:
    with database.read() as transaction:
        assert not permissions.permitted(transaction, WEB, 7)
        assert permissions.of_resource(transaction, WEB) == ()


def test_a_permit_is_for_that_pipeline_resource_type_and_project_only(database: Database) -> None:
    with database.write() as transaction:
        assert permissions.grant(transaction, WEB, 7, by="me", at=1.0)
        assert permissions.permitted(transaction, WEB, 7)
        assert not permissions.permitted(transaction, WEB, 8)
        assert not permissions.permitted(transaction, Resource(1, "other"), 7)
        assert not permissions.permitted(transaction, Resource(2, "web"), 7)
        assert not permissions.permitted(transaction, Resource(1, "web", "queue"), 7)


def test_open_access_is_for_every_pipeline(database: Database) -> None:
    with database.write() as transaction:
        permissions.grant(transaction, WEB, ALL_PIPELINES, by="me", at=1.0)
        assert permissions.permitted(transaction, WEB, 7)
        assert permissions.permitted(transaction, WEB, 8)


def test_revoking_ends_it_and_a_second_time_does_nothing(database: Database) -> None:
    with database.write() as transaction:
        permissions.grant(transaction, WEB, 7, by="me", at=1.0)
        assert not permissions.grant(transaction, WEB, 7, by="me", at=2.0)
        assert permissions.revoke(transaction, WEB, 7, by="me", at=3.0)
        assert not permissions.revoke(transaction, WEB, 7, by="me", at=4.0)
        assert not permissions.permitted(transaction, WEB, 7)
        actions = [link.entry.action for link in audit.entries(transaction)]
    assert actions == ["Pipelines.ResourceAuthorizedForPipeline", "Pipelines.ResourceUnauthorizedForPipeline"]


def test_open_access_is_audited_as_the_projects(database: Database) -> None:
    with database.write() as transaction:
        permissions.grant(transaction, WEB, ALL_PIPELINES, by="me", at=1.0)
        permissions.revoke(transaction, WEB, ALL_PIPELINES, by="me", at=1.0)
        texts = [audit.describe(link.entry) for link in audit.entries(transaction)]
    assert texts == [
        "Successfully authorized endpoint resource web for the project",
        "Successfully unauthorized endpoint resource web for the project",
    ]


def test_revoking_everywhere_takes_every_permit_of_the_resource(database: Database) -> None:
    with database.write() as transaction:
        permissions.grant(transaction, WEB, 7, by="me", at=1.0)
        permissions.grant(transaction, WEB, ALL_PIPELINES, by="me", at=1.0)
        permissions.grant(transaction, Resource(1, "other"), 7, by="me", at=1.0)
        assert len(permissions.revoke_everywhere(transaction, "web", by="me", at=2.0)) == 2
        assert permissions.of_resource(transaction, WEB) == ()
        assert permissions.permitted(transaction, Resource(1, "other"), 7)
