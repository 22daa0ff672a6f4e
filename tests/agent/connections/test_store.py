"""The store: what is kept, what is dropped, who is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.connections import lookup
from sluice.connections.connection import Draft, Update
from sluice.connections.creation import Outcome
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, ConnectionInvalidError, NotFoundError, SealError
from sluice.secret import Secret
from sluice.storage import audit, permissions, pipelines, projects, usage
from sluice.storage.engine import Database
from sluice.storage.home import Home

TOKEN = "token-0123456789-original"


def draft(name: str = "depot", **changes: object) -> Draft:
    fields: dict[str, object] = {
        "name": name,
        "type": "depot",
        "scheme": "Token",
        "url": "https://depot.example",
        "values": {"Serial": "found-1"},
        "secrets": {"apitoken": Secret(TOKEN), "Certificate": Secret("-----BEGIN\nline\n")},
    }
    return Draft(**{**fields, **changes})  # type: ignore[arg-type]  # a test's short way to write drafts


@pytest.fixture
def depot_made(store: ConnectionStore) -> Outcome:
    return store.create("default", draft(), by="ann", all_pipelines=True)


def secrets_of(store: ConnectionStore, record_id: str, use: usage.Use) -> dict[str, str]:
    connection = store.open(1, record_id, use)
    values = {**connection.parameters, **connection.data}
    return {key: value.reveal() for key, value in values.items() if isinstance(value, Secret)}


def actions_of(database: Database) -> list[str]:
    with database.read() as transaction:
        assert audit.verify(transaction).breaches == ()
        return [link.entry.action for link in audit.entries(transaction)]


def test_a_connection_is_found_again_without_its_secrets(store: ConnectionStore, depot_made: Outcome) -> None:
    record = store.get("default", "depot")
    assert record == depot_made.record
    assert record.secrets == {("parameters", "apitoken"), ("data", "Certificate")}
    assert record.data == {"Region": "north", "Serial": "found-1"}
    assert (record.version, record.created_by, record.created_at) == (1, "ann", 1000.0)
    assert TOKEN not in repr(record)
    assert store.list("default") == (record,)


def test_its_secrets_come_out_by_opening_it(store: ConnectionStore, depot_made: Outcome, use: usage.Use) -> None:
    assert secrets_of(store, depot_made.record.id, use) == {
        "apitoken": TOKEN,
        "Certificate": "-----BEGIN\nline\n",
    }


@pytest.mark.parametrize("name", ["depot", "DEPOT", " Depot\n", "{id}", "{ID}"])
def test_every_spelling_of_name_and_id_finds_the_same_connection(
    store: ConnectionStore, depot_made: Outcome, name: str
) -> None:
    record = depot_made.record
    assert store.get("default", name.format(id=record.id, ID=record.id.upper())).id == record.id


@pytest.mark.parametrize("name", ["dep\u043et", "depot\u200b", "de pot", "depot/", "%", "' OR 1=1 --", ""])
def test_what_merely_looks_like_a_name_finds_nothing(store: ConnectionStore, depot_made: Outcome, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.get("default", name)


def test_the_nearest_name_is_offered(store: ConnectionStore, depot_made: Outcome) -> None:
    with pytest.raises(NotFoundError, match="did you mean 'depot'"):
        store.get("default", "deopt")
    with store.database.read() as transaction:
        assert lookup.nearest_name(transaction, 1, "Deopt") == "depot"
        assert lookup.nearest_name(transaction, 1, "zzz") == ""


@pytest.mark.parametrize("name", ["depot", "DEPOT ", "De\u0301pot"])
def test_a_name_is_taken_in_every_spelling_but_not_in_another_project(store: ConnectionStore, name: str) -> None:
    store.create("default", draft("depot"), by="ann")
    store.create("default", draft("Dépot"), by="ann")
    with pytest.raises(ConflictError, match="exists already"):
        store.create("default", draft(name), by="ann")
    store.create("other", draft(name), by="ann")


def test_a_connection_of_another_project_is_not_found_by_its_id_either(
    store: ConnectionStore, depot_made: Outcome
) -> None:
    store.create("other", draft("elsewhere"), by="ann")
    with pytest.raises(NotFoundError):
        store.get("other", depot_made.record.id)


def test_updating_one_secret_keeps_id_permits_and_the_others(
    store: ConnectionStore, depot_made: Outcome, use: usage.Use
) -> None:
    outcome = store.update("default", "depot", Update(secrets={"APIToken": Secret("token-new-1")}), by="bob")
    assert outcome.record.id == depot_made.record.id
    assert outcome.record.version == 2
    assert (outcome.changed, outcome.dropped, outcome.revoked) == (("apitoken",), (), ())
    assert secrets_of(store, outcome.record.id, use) == {"apitoken": "token-new-1", "Certificate": "-----BEGIN\nline\n"}
    assert len(store.permissions(outcome.record)) == 1
    assert outcome.record.modified_by == "bob"
    assert outcome.record.created_by == "ann"


@pytest.mark.parametrize(
    "change",
    [
        Update(url="https://evil.example"),
        Update(url="https://depot.example:8443"),
        Update(values={"Proxy": "evil.example:3128"}),
    ],
)
def test_another_address_drops_the_secrets_and_revokes_the_permits(
    store: ConnectionStore, use: usage.Use, change: Update
) -> None:
    made = store.create("default", draft(scheme="Basic", secrets={"password": Secret(TOKEN)}), by="ann")
    with store.database.write() as transaction:
        home = projects.find(transaction, "default")
        pipeline = pipelines.ensure(transaction, home, name="ci", source="/ci.yml", by="ann", at=1.0)
        resource = permissions.Resource(home.id, made.record.id)
        permissions.grant(transaction, resource, pipeline.id, by="ann", at=1.0)
    outcome = store.update("default", "depot", change, by="mallory")
    assert outcome.dropped == ("password",)
    assert [one.pipeline_id for one in outcome.revoked] == [pipeline.id]
    assert outcome.record.secrets == frozenset()
    assert "Serial" not in outcome.record.data  # it was found out about the old far side
    assert secrets_of(store, outcome.record.id, use) == {}
    assert store.permissions(outcome.record) == ()
    assert "Pipelines.ResourceUnauthorizedForPipeline" in actions_of(store.database)


def test_a_reference_is_dropped_with_the_address_like_a_stored_secret(store: ConnectionStore) -> None:
    store.create("default", draft(scheme="Basic", secrets={}, references={"password": "env:X"}), by="ann")
    outcome = store.update("default", "depot", Update(url="https://evil.example"), by="mallory")
    assert outcome.dropped == ("password",)
    assert outcome.record.references == {}


def test_a_required_secret_has_to_be_entered_again_with_the_new_address(
    store: ConnectionStore, depot_made: Outcome, use: usage.Use
) -> None:
    with pytest.raises(ConnectionInvalidError, match=r"apitoken.*enter them again in the same update"):
        store.update("default", "depot", Update(url="https://new.example"), by="bob")
    assert store.get("default", "depot").version == 1
    change = Update(url="https://new.example", secrets={"apitoken": Secret("token-new-1")})
    outcome = store.update("default", "depot", change, by="bob")
    assert outcome.dropped == ("Certificate",)
    assert len(outcome.revoked) == 1
    assert secrets_of(store, outcome.record.id, use) == {"apitoken": "token-new-1"}


def test_changing_back_and_forth_does_not_bring_secrets_back(store: ConnectionStore, use: usage.Use) -> None:
    made = store.create("default", draft(scheme="Basic", secrets={"password": Secret(TOKEN)}), by="ann")
    store.update("default", "depot", Update(url="https://evil.example"), by="mallory")
    store.update("default", "depot", Update(url="https://depot.example"), by="mallory")
    assert secrets_of(store, made.record.id, use) == {}


def test_an_update_that_changes_nothing_leaves_version_and_log_alone(
    store: ConnectionStore, depot_made: Outcome
) -> None:
    before = actions_of(store.database)
    outcome = store.update("default", "depot", Update(url="https://depot.example", values={"region": "North"}), by="b")
    assert outcome.changed == ()
    assert store.get("default", "depot") == depot_made.record
    assert actions_of(store.database) == before


def test_a_secret_that_is_entered_again_counts_as_changed_so_that_guesses_are_not_confirmed(
    store: ConnectionStore, depot_made: Outcome
) -> None:
    assert store.update("default", "depot", Update(secrets={"apitoken": Secret(TOKEN)}), by="b").changed
    assert store.update("default", "depot", Update(secrets={"apitoken": Secret("guess-1")}), by="b").changed


def test_an_empty_value_removes_a_field_or_a_secret(
    store: ConnectionStore, depot_made: Outcome, use: usage.Use
) -> None:
    change = Update(values={"Serial": ""}, secrets={"Certificate": Secret("")})
    outcome = store.update("default", "depot", change, by="bob")
    assert "Serial" not in outcome.record.data
    assert secrets_of(store, outcome.record.id, use) == {"apitoken": TOKEN}


def test_a_reference_takes_the_place_of_a_value_and_the_other_way_round(
    store: ConnectionStore, depot_made: Outcome, use: usage.Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPOT_TOKEN", "token-from-env")
    outcome = store.update("default", "depot", Update(references={"apitoken": "env:DEPOT_TOKEN"}), by="bob")
    assert outcome.record.secrets == {("data", "Certificate")}
    assert secrets_of(store, outcome.record.id, use)["apitoken"] == "token-from-env"
    outcome = store.update("default", "depot", Update(secrets={"apitoken": Secret("token-new-1")}), by="bob")
    assert outcome.record.references == {}
    assert secrets_of(store, outcome.record.id, use)["apitoken"] == "token-new-1"


def test_renaming_keeps_id_and_permits_and_frees_the_old_name(store: ConnectionStore, depot_made: Outcome) -> None:
    outcome = store.update("default", "depot", Update(name="Lager"), by="bob")
    assert outcome.record.id == depot_made.record.id
    assert store.get("default", "lager").name == "Lager"
    assert len(store.permissions(outcome.record)) == 1
    store.create("default", draft("depot"), by="bob")
    with pytest.raises(ConflictError):
        store.update("default", "lager", Update(name="DEPOT"), by="bob")
    assert store.update("default", "lager", Update(name="LAGER"), by="bob").record.name == "LAGER"


def test_another_scheme_takes_its_own_parameters_and_leaves_the_old_ones_behind(
    store: ConnectionStore, depot_made: Outcome, use: usage.Use
) -> None:
    change = Update(scheme="basic", values={"username": "u"}, secrets={"password": Secret("pass-1234")})
    outcome = store.update("default", "depot", change, by="bob")
    assert outcome.record.scheme == "Basic"
    assert secrets_of(store, outcome.record.id, use) == {"password": "pass-1234", "Certificate": "-----BEGIN\nline\n"}


def test_deleting_takes_permits_and_secrets_and_leaves_the_history(
    store: ConnectionStore, depot_made: Outcome, use: usage.Use
) -> None:
    store.open(1, depot_made.record.id, use)
    store.delete("default", "Depot", by="bob")
    with pytest.raises(NotFoundError):
        store.get("default", "depot")
    assert store.permissions(depot_made.record) == ()
    assert len(store.history(depot_made.record)) == 1
    assert actions_of(store.database)[-1] == "Library.ServiceConnectionDeleted"
    again = store.create("default", draft(), by="bob").record
    assert again.id != depot_made.record.id
    assert store.permissions(again) == ()


def test_every_change_is_in_the_audit_log(store: ConnectionStore, depot_made: Outcome) -> None:
    store.update("default", "depot", Update(name="lager"), by="b")
    store.update("default", "lager", Update(disabled=True), by="b")
    store.update("default", "lager", Update(values={"Retries": "2"}), by="b")
    assert actions_of(store.database) == [
        "Library.ServiceConnectionCreated",
        "Pipelines.ResourceAuthorizedForProject",
        "Library.ServiceConnectionForProjectModified",
        "Library.ServiceConnectionPropertyChanged",
        "Library.ServiceConnectionModified",
    ]


def test_a_failed_change_leaves_no_trace(store: ConnectionStore, depot_made: Outcome) -> None:
    before = actions_of(store.database)
    with pytest.raises(ConnectionInvalidError):
        store.update("default", "depot", Update(values={"Region": "west"}), by="b")
    with pytest.raises(NotFoundError):
        store.create("default", draft("two", values={"Via": "nowhere"}), by="b")
    with pytest.raises(ConnectionInvalidError):
        store.create("default", draft("bad\nname"), by="b")
    assert actions_of(store.database) == before
    assert len(store.list("default")) == 1


def test_connections_must_not_go_round_in_a_circle(store: ConnectionStore) -> None:
    store.create("default", draft("one"), by="a")
    store.create("default", draft("two", values={"Via": "ONE"}), by="a")
    change = Update(values={"Via": "two"}, secrets={"apitoken": Secret(TOKEN)})
    with pytest.raises(ConnectionInvalidError, match="'one' -> 'two' -> 'one'"):
        store.update("default", "one", change, by="a")
    with pytest.raises((ConnectionInvalidError, NotFoundError)):
        store.create("default", draft("three", values={"Via": "four"}), by="a")


def test_a_linked_connection_has_to_be_of_the_right_type(store: ConnectionStore) -> None:
    jump = Draft(name="jump", type="ssh", values={"Host": "j", "username": "u"})
    store.create("default", jump, by="a")
    with pytest.raises(ConnectionInvalidError, match="must name a connection of type 'Depot'"):
        store.create("default", draft("two", values={"Via": "jump"}), by="a")


def test_many_are_stored_at_once_or_none(store: ConnectionStore) -> None:
    drafts = [draft(f"depot-{number}") for number in range(150)]
    with store.database.write() as transaction:
        assert len(store.create_in(transaction, "default", drafts, by="a")) == 150

    def twice() -> None:
        with store.database.write() as transaction:
            store.create_in(transaction, "default", [draft("new"), draft("NEW")], by="a")

    with pytest.raises(ConflictError):
        twice()
    assert len(store.list("default")) == 150
    actions_of(store.database)


def test_no_secret_is_in_any_file_of_the_installation(store: ConnectionStore, home: Home, use: usage.Use) -> None:
    made = store.create("default", draft(), by="ann")
    store.open(1, made.record.id, use)
    store.update("default", "depot", Update(secrets={"apitoken": Secret("token-second-987")}), by="bob")
    content = b"".join((Path(folder) / file).read_bytes() for folder, _, files in os.walk(home.root) for file in files)
    assert b"depot.example" in content
    for secret in (TOKEN, "token-second-987", "-----BEGIN"):
        assert secret.encode() not in content
        assert secret.encode("utf-16-le") not in content


def test_two_stores_that_change_one_connection_lose_no_update(
    store: ConnectionStore, depot_made: Outcome, home: Home, make_store: Callable[[Database], ConnectionStore]
) -> None:
    other = make_store(Database.open(home))
    store.update("default", "depot", Update(values={"Retries": "1"}), by="a")
    other.update("default", "depot", Update(values={"Strict": "true"}), by="b")
    record = store.get("default", "depot")
    assert (record.version, record.data["Retries"], record.data["Strict"]) == (3, "1", "true")
    other.database.close()


def test_after_a_lost_key_every_secret_can_be_entered_again_and_permits_end(
    store: ConnectionStore, depot_made: Outcome, home: Home, use: usage.Use
) -> None:
    (home.keys / "master.json").unlink()
    with pytest.raises(SealError):
        store.open(1, depot_made.record.id, use)
    with pytest.raises(SealError):
        store.update("default", "depot", Update(secrets={"apitoken": Secret("token-new-1")}), by="b")
    change = Update(secrets={"apitoken": Secret("token-new-1"), "Certificate": Secret("cert-new-1")})
    outcome = store.update("default", "depot", change, by="b")
    assert len(outcome.revoked) == 1
    assert secrets_of(store, outcome.record.id, use) == {"apitoken": "token-new-1", "Certificate": "cert-new-1"}


def test_a_lost_key_file_is_told_before_a_new_key_takes_its_place(
    database: Database, make_store: Callable[[Database], ConnectionStore], home: Home
) -> None:
    draft = Draft(
        name="first",
        type="Depot",
        scheme="Token",
        url="https://a.example",
        secrets={"apitoken": Secret("s3cr3t-token")},
    )
    make_store(database).create("default", draft, by="ann")
    (home.keys / "master.json").unlink()
    with pytest.raises(SealError, match="master key"):
        make_store(database).create("default", replace(draft, name="second"), by="ann")
    assert not (home.keys / "master.json").exists()
