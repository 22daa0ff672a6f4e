"""Connections as code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.connections.connection import Draft, Update
from sluice.connections.document import Wanted, apply, export
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, ConnectionInvalidError, Location, SluiceError
from sluice.secret import Secret
from sluice.storage import audit

DRAFT = Draft(
    name="depot",
    type="depot",
    scheme="Token",
    url="https://depot.example",
    values={"Retries": "3"},
    references={"apitoken": "env:DEPOT"},
)
WANTED = Wanted(draft=DRAFT, description="", disabled=False, all_pipelines=True, where=Location("c.yml", 2, 5))


def actions(store: ConnectionStore, *wanted: Wanted, plan_only: bool = False) -> list[str]:
    return [one.action for one in apply(store, "default", wanted, by="ann", at=1.0, plan_only=plan_only)]


def length_of_log(store: ConnectionStore) -> int:
    with store.database.read() as transaction:
        return audit.verify(transaction).head.sequence


def test_a_second_time_changes_nothing(store: ConnectionStore) -> None:
    assert actions(store, WANTED) == ["create"]
    length, record = length_of_log(store), store.get("default", "depot")
    assert actions(store, WANTED) == ["unchanged"]
    assert (length_of_log(store), store.get("default", "depot")) == (length, record)


def test_what_differs_is_updated_and_named(store: ConnectionStore) -> None:
    apply(store, "default", [WANTED], by="ann", at=1.0)
    other = replace(WANTED, draft=replace(DRAFT, values={"Retries": "4"}), all_pipelines=False)
    (change,) = apply(store, "default", [other], by="ann", at=1.0)
    assert (change.action, change.details) == ("update", ("Retries", "allPipelines"))
    assert store.permissions(store.get("default", "depot")) == ()


def test_what_the_document_does_not_mention_stays(store: ConnectionStore) -> None:
    apply(store, "default", [WANTED], by="ann", at=1.0)
    store.update(
        "default", "depot", Update(secrets={"Certificate": Secret("cert-1234")}, values={"Serial": "7"}), by="b"
    )
    store.create("default", replace(DRAFT, name="another"), by="b")
    assert actions(store, replace(WANTED, description=None, disabled=None, all_pipelines=None)) == ["unchanged"]
    record = store.get("default", "depot")
    assert ("data", "Certificate") in record.secrets
    assert record.data["Serial"] == "7"
    assert store.get("default", "another")


def test_a_plan_changes_nothing(store: ConnectionStore) -> None:
    assert actions(store, WANTED, plan_only=True) == ["create"]
    assert store.list("default") == ()
    assert length_of_log(store) == 0


def test_all_or_nothing_and_the_error_carries_the_place(store: ConnectionStore) -> None:
    bad = replace(WANTED, draft=replace(DRAFT, name="bad", values={"Region": "west"}), where=Location("c.yml", 9, 3))
    with pytest.raises(ConnectionInvalidError) as caught:
        actions(store, WANTED, bad)
    assert str(caught.value).startswith("c.yml:9:3: ")
    assert store.list("default") == ()


def test_connections_may_name_others_that_stand_further_down(store: ConnectionStore) -> None:
    near = replace(WANTED, draft=replace(DRAFT, name="near", values={"Via": "far"}))
    far = replace(WANTED, draft=replace(DRAFT, name="far"))
    assert actions(store, near, far) == ["create", "create"]
    lost = replace(WANTED, draft=replace(DRAFT, name="lost", values={"Via": "nowhere"}))
    with pytest.raises(SluiceError, match=r"c\.yml:2:5: .*'nowhere' does not exist"):
        actions(store, lost)


def test_one_connection_twice_and_another_type_are_refused(store: ConnectionStore) -> None:
    with pytest.raises(ConflictError, match="described twice"):
        actions(store, WANTED, replace(WANTED, draft=replace(DRAFT, name="DEPOT ")))
    apply(store, "default", [WANTED], by="ann", at=1.0)
    ssh = Draft(name="depot", type="ssh", values={"Host": "x", "username": "u"})
    with pytest.raises(ConflictError, match="of type 'Depot', not 'ssh'"):
        actions(store, Wanted(draft=ssh))


def test_a_moved_connection_tells_what_was_dropped_and_revoked(store: ConnectionStore) -> None:
    apply(store, "default", [WANTED], by="ann", at=1.0)
    store.update("default", "depot", Update(secrets={"Certificate": Secret("cert-1234")}), by="b")
    moved = replace(WANTED, draft=replace(DRAFT, url="https://new.example"), all_pipelines=None)
    (change,) = apply(store, "default", [moved], by="ann", at=1.0)
    assert any("Certificate" in note for note in change.notes)
    assert any("permit" in note for note in change.notes)


def test_an_export_holds_references_and_no_secrets_and_applies_as_unchanged(store: ConnectionStore) -> None:
    apply(store, "default", [WANTED], by="ann", at=1.0)
    store.update("default", "depot", Update(secrets={"Certificate": Secret("cert-1234")}), by="b")
    record = store.get("default", "depot")
    document = export([record], store.catalogue, frozenset({record.id}), {})
    assert "cert-1234" not in str(document)
    (entry,) = document["connections"]
    assert entry["secrets"] == {"apitoken": "env:DEPOT"}
    assert entry["url"] == "https://depot.example"
    again = Draft(
        name=entry["name"],
        type=entry["type"],
        scheme=entry["scheme"],
        url=entry["url"],
        values=entry["values"],
        references=entry["secrets"],
    )
    assert actions(store, Wanted(draft=again, all_pipelines=entry["allPipelines"])) == ["unchanged"]


def test_a_url_that_is_made_of_fields_is_not_exported(store: ConnectionStore) -> None:
    record = store.create("default", Draft(name="s", type="ssh", values={"Host": "x", "username": "u"}), by="a").record
    assert "url" not in export([record], store.catalogue, frozenset(), {})["connections"][0]
