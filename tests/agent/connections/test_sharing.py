"""One connection in several projects: its name, permits and roles apart, what it is in common."""

from __future__ import annotations

import pytest

from sluice.connections import lookup, sharing
from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, ConnectionInvalidError, NotFoundError, SealError
from sluice.secret import Secret
from sluice.storage import audit, permissions, pipelines, projects, usage, vouched
from sluice.storage import connections as rows
from sluice.storage.engine import Database

TOKEN = "token-0123456789-original"


@pytest.fixture
def shop(database: Database) -> projects.Project:
    with database.write() as transaction:
        return projects.create(transaction, "shop", by="ann", at=1.0)


def make(store: ConnectionStore, name: str = "depot", **values: str) -> ConnectionRecord:
    draft = Draft(
        name=name,
        type="depot",
        scheme="Token",
        url="https://depot.example",
        description="of all",
        values=values,
        secrets={"apitoken": Secret(TOKEN)},
    )
    return store.create("default", draft, by="ann").record


def share(store: ConnectionStore, name: str = "depot", local_name: str = "") -> ConnectionRecord:
    return sharing.share(store, "default", name, "shop", by="ann", at=1000.0, local_name=local_name)


def is_whole(database: Database) -> bool:
    with database.read() as transaction:
        return audit.verify(transaction).breaches == () and not list(vouched.broken(transaction))


def test_a_shared_connection_has_the_projects_name_behind_its_own(
    store: ConnectionStore, shop: projects.Project
) -> None:
    record = make(store)
    shared = share(store)
    assert (shared.id, shared.name, shared.project_id) == (record.id, "depot-shop", shop.id)
    assert store.get("shop", record.id).name == "depot-shop"
    places, is_shared = sharing.places(store, record)
    assert [(one.project, one.name) for one in places] == [("default", "depot"), ("shop", "depot-shop")]
    assert is_shared
    assert is_whole(store.database)


def test_name_and_description_are_each_projects_own(store: ConnectionStore, shop: projects.Project) -> None:
    make(store)
    share(store, local_name="ours")
    store.update("shop", "ours", Update(name="mine", description="of the shop"), by="ann")
    assert [(one.name, one.description) for one in store.list("default")] == [("depot", "of all")]
    assert [(one.name, one.description) for one in store.list("shop")] == [("mine", "of the shop")]
    assert is_whole(store.database)


def test_what_a_connection_is_changes_everywhere(
    store: ConnectionStore, shop: projects.Project, use: usage.Use
) -> None:
    record = make(store)
    share(store)
    store.update("shop", record.id, Update(secrets={"apitoken": Secret("another-0123")}), by="ann")
    opened = store.open(1, record.id, use)
    assert isinstance(token := opened.parameters["apitoken"], Secret)
    assert token.reveal() == "another-0123"
    store.update("default", "depot", Update(disabled=True), by="ann")
    assert store.get("shop", record.id).disabled
    assert is_whole(store.database)


def test_permits_are_each_projects_own_and_a_new_address_ends_all(
    store: ConnectionStore, shop: projects.Project
) -> None:
    record = make(store)
    with store.database.write() as transaction:
        home = projects.find(transaction, "default")
        pipeline = pipelines.ensure(transaction, home, name="p", source="/p.yml", by="ann", at=1.0)
        permissions.grant(transaction, permissions.Resource(1, record.id), pipeline.id, by="ann", at=1.0)
    share(store)
    there = permissions.Resource(shop.id, record.id)
    with store.database.write() as transaction:
        assert permissions.of_resource(transaction, there) == ()
        permissions.grant(transaction, there, permissions.ALL_PIPELINES, by="ann", at=1.0)
    moved = store.update(
        "default",
        "depot",
        Update(url="https://new.example", secrets={"apitoken": Secret("another-0123")}),
        by="ann",
    )
    assert {one.resource.project_id for one in moved.revoked} == {1, shop.id}


def test_unsharing_takes_the_permits_there_and_leaves_the_rest(store: ConnectionStore, shop: projects.Project) -> None:
    record = make(store)
    share(store)
    there = permissions.Resource(shop.id, record.id)
    with store.database.write() as transaction:
        permissions.grant(transaction, there, permissions.ALL_PIPELINES, by="ann", at=1.0)
    assert sharing.unshare(store, "default", "depot", "shop", by="ann", at=1000.0).name == "depot-shop"
    assert store.list("shop") == ()
    assert store.get("default", "depot") == record
    share(store)
    with store.database.read() as transaction:
        assert permissions.of_resource(transaction, there) == ()
    assert is_whole(store.database)


def test_unsharing_takes_the_name_that_it_has_there_too(store: ConnectionStore, shop: projects.Project) -> None:
    make(store)
    share(store, local_name="ours")
    assert sharing.unshare(store, "default", "ours", "shop", by="ann", at=1000.0).name == "ours"
    with pytest.raises(NotFoundError):
        sharing.unshare(store, "default", "ours", "shop", by="ann", at=1000.0)


def test_deleting_takes_it_out_of_one_project_and_the_last_one_deletes_it(
    store: ConnectionStore, shop: projects.Project
) -> None:
    record = make(store)
    share(store)
    store.delete("default", "depot", by="ann")
    assert store.list("default") == ()
    assert store.get("shop", record.id).name == "depot-shop"
    assert is_whole(store.database)
    store.delete("shop", record.id, by="ann")
    with store.database.read() as transaction:
        assert rows.projects_of(transaction, record.id) == []
    assert is_whole(store.database)


def test_the_last_reference_is_deleted_not_unshared(store: ConnectionStore, shop: projects.Project) -> None:
    make(store)
    with pytest.raises(ConflictError, match="is in no other project"):
        sharing.unshare(store, "default", "depot", "default", by="ann", at=1000.0)


def test_it_is_shared_once_and_under_a_free_name(store: ConnectionStore, shop: projects.Project) -> None:
    make(store)
    make(store, "other")
    share(store, local_name="taken")
    with pytest.raises(ConflictError, match="is in the project 'shop' already"):
        share(store)
    with pytest.raises(ConflictError, match="has a service connection 'TAKEN' already"):
        share(store, "other", local_name="TAKEN")
    with pytest.raises(NotFoundError, match="there is no project 'nowhere'"):
        sharing.share(store, "default", "other", "nowhere", by="ann", at=1000.0)


def test_one_that_goes_through_another_stays_in_its_project(store: ConnectionStore, shop: projects.Project) -> None:
    make(store, "jump")
    make(store, Via="jump")
    with pytest.raises(ConnectionInvalidError, match="goes through 'jump' and cannot be in several projects"):
        share(store)
    share(store, "jump")
    make(store, "other")
    through = Update(values={"Via": "other"}, secrets={"apitoken": Secret("another-0123")})
    with pytest.raises(ConnectionInvalidError, match="cannot be in several projects"):
        store.update("default", "jump", through, by="ann")


def test_one_that_goes_through_another_by_its_id_is_shared_once_that_one_is(
    store: ConnectionStore, shop: projects.Project
) -> None:
    jump = make(store, "jump")
    make(store, Via=jump.id)
    with pytest.raises(ConnectionInvalidError, match="goes through 'jump', which is not in the project 'shop'"):
        share(store)
    share(store, "jump", local_name="way-in")
    shared = share(store)
    there = Draft(name="jump", type="depot", scheme="Token", url="https://x.invalid", secrets={"apitoken": Secret("x")})
    store.create("shop", there, by="eve")  # somebody else's: the name means nothing
    with store.database.read() as transaction:
        chain = lookup.chain(transaction, shared, store.catalogue)
    assert [(one.id, one.project_id) for one in chain][1] == (jump.id, shop.id)
    assert store.dependants(jump) == (shared.name.removesuffix("-shop"),)
    other = make(store, "other")
    through = Update(values={"Via": other.id}, secrets={"apitoken": Secret("another-0123")})
    with pytest.raises(ConnectionInvalidError, match="goes through 'other', which is not in the project 'shop'"):
        store.update("default", "depot", through, by="ann")


def test_a_project_that_was_written_by_hand_has_no_connection(
    store: ConnectionStore, shop: projects.Project, use: usage.Use
) -> None:
    record = make(store)
    import sqlite3

    home = store.database.home
    assert home is not None
    connection = sqlite3.connect(home.database)
    connection.execute(
        "INSERT INTO connection_projects VALUES (?, ?, 'stolen', 'stolen', '', 'no code')", (record.id, shop.id)
    )
    connection.commit()
    connection.close()
    with pytest.raises(SealError):
        store.open(shop.id, record.id, use)
    assert not is_whole(store.database)
