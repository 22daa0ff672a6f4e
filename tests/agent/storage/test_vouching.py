"""What vouches for permits, pipelines, runs and the log: attacks with write access to the database, and no key."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy

from sluice.errors import SealError
from sluice.storage import actions, audit, permissions, pipelines, projects, runs, schema
from sluice.storage.chain import Entry, Head, link_hash
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.vouching import Voucher

_PROD = permissions.Resource(1, "0d1f0a3e-0000-0000-0000-000000000001")


def _attack(home: Home, statement: str, values: Mapping[str, object] | None = None) -> None:
    connection = sqlite3.connect(home.database)
    connection.execute(statement, values or {})
    connection.commit()
    connection.close()


def _forge_entry(home: Home, entry: Entry, previous: str) -> None:
    """An entry at the end of the log, linked as well as somebody can who has no key."""
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    values |= {"previous": previous, "hash": link_hash(entry, previous)}
    names = ", ".join(values)
    _attack(home, f"INSERT INTO audit ({names}) VALUES ({', '.join(':' + name for name in values)})", values)


def _forge_permit(home: Home, pipeline: int) -> None:
    statement = (
        "INSERT INTO permissions (project_id, resource_type, resource_id, pipeline_id, authorized_by, authorized_at) "
        "VALUES (1, 'endpoint', :id, :pipeline, 'root', 1.0)"
    )
    _attack(home, statement, {"id": _PROD.id, "pipeline": pipeline})


def _grant(database: Database, pipeline: int = 7) -> None:
    with database.write() as transaction:
        permissions.grant(transaction, _PROD, pipeline, by="me", at=1.0)


def _permitted(database: Database, pipeline: int = 7) -> bool:
    with database.read() as transaction:
        return permissions.permitted(transaction, _PROD, pipeline)


def test_a_permit_that_was_written_by_hand_with_its_entry_permits_nothing(database: Database, home: Home) -> None:
    _grant(database, 3)
    noted = audit.noted_head(home)
    assert noted is not None
    details = {"PipelineId": 7, "ResourceId": _PROD.id, "ResourceType": "endpoint"}
    entry = Entry(
        sequence=2,
        at=2.0,
        actor="root",
        action=actions.AUTHORIZED_FOR_PIPELINE.id,
        category="Modify",
        project_id=1,
        resource_id=_PROD.id,
        resource_version=0,
        details=json.dumps(details, sort_keys=True, separators=(",", ":")),
    )
    _forge_entry(home, entry, noted.hash)
    _forge_permit(home, 7)
    assert not _permitted(database)
    assert _permitted(database, 3)
    with database.read() as transaction:
        assert [one.pipeline_id for one in permissions.of_resource(transaction, _PROD)] == [3]
        breaches = audit.verify(transaction).breaches
    assert [(one.sequence, one.what) for one in breaches] == [(2, "it was changed")]
    with pytest.raises(SealError, match="by somebody else"):
        _grant(database, 9)


def test_a_forged_permit_is_taken_away_and_told_when_somebody_relies_on_it(database: Database, home: Home) -> None:
    _forge_permit(home, 7)
    with database.write() as transaction:
        assert not permissions.permitted(transaction, _PROD, 7)
    with database.read() as transaction:
        (link,) = audit.newest(transaction, 9)
        assert link.entry.action == actions.PERMIT_VOID.id
        assert "by hand" in audit.describe(link.entry)
        assert audit.verify(transaction).breaches == ()
    _forge_permit(home, 7)
    _grant(database)
    assert _permitted(database)


@pytest.mark.parametrize("column", ["authorized_by = 'x'", "authorized_at = 9", "pipeline_id = 0", "sequence = 99"])
def test_a_permit_whose_row_was_edited_permits_nothing(database: Database, home: Home, column: str) -> None:
    _grant(database)
    _attack(home, f"UPDATE permissions SET {column}")
    assert not _permitted(database)


def test_a_revoked_permit_that_is_put_back_as_it_was_permits_nothing(database: Database, home: Home) -> None:
    _grant(database)
    connection = sqlite3.connect(home.database)
    row = connection.execute("SELECT * FROM permissions").fetchone()
    connection.close()
    with database.write() as transaction:
        permissions.revoke(transaction, _PROD, 7, by="me", at=2.0)
    connection = sqlite3.connect(home.database)
    connection.execute(f"INSERT INTO permissions VALUES ({', '.join('?' * len(row))})", row)
    connection.commit()
    connection.close()
    assert not _permitted(database)


def test_a_log_that_was_put_back_is_not_covered_up_by_its_next_entry(home: Home, tmp_path: Path) -> None:
    database = Database.open(home)
    _grant(database, 1)
    database.close()
    shutil.copy(home.database, tmp_path / "old.db")
    database = Database.open(home)
    with database.write() as transaction:
        permissions.revoke(transaction, _PROD, 1, by="me", at=2.0)
    database.close()
    shutil.copy(tmp_path / "old.db", home.database)
    database = Database.open(home)
    with pytest.raises(SealError, match="not the one that Sluice stored last") as caught:
        _grant(database, 2)
    assert "accept-head" in caught.value.do
    assert not _permitted(database, 2)
    with database.write() as transaction:
        noted, accepted = audit.accept_head(transaction, by="me", at=3.0)
    assert (noted.sequence if noted else 0, accepted.sequence) == (2, 1)
    _grant(database, 2)
    with database.read() as transaction:
        assert audit.verify(transaction, *filter(None, [audit.noted_head(home)])).breaches == ()
        assert audit.newest(transaction, 2)[0].entry.action == actions.HEAD_ACCEPTED.id
    database.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE sequence = 2",
        "DELETE FROM audit",
        "UPDATE audit SET hash = previous WHERE sequence = 2",
    ],
)
def test_a_log_whose_end_was_cut_off_or_edited_takes_no_entry(database: Database, home: Home, statement: str) -> None:
    _grant(database, 1)
    _grant(database, 2)
    _attack(home, statement)
    with pytest.raises(SealError):
        _grant(database, 3)


def test_the_noted_end_never_goes_back(database: Database, home: Home) -> None:
    _grant(database, 1)
    first = audit.noted_head(home)
    _grant(database, 2)
    second = audit.noted_head(home)
    assert first is not None
    audit._note_head(home, first)  # as by a process that was held up between its commit and its note
    assert audit.noted_head(home) == second


@pytest.mark.parametrize("column", ["source = '/evil.yml'", "name = 'prod'", "name_key = 'prod'", "project_id = 2"])
def test_a_pipeline_whose_record_was_edited_is_refused(database: Database, home: Home, column: str) -> None:
    with database.write() as transaction:
        project = projects.ensure(transaction, "default")
        projects.ensure(transaction, "other")
        made = pipelines.ensure(transaction, project, name="demo", source="/demo.yml", by="me", at=1.0)
    _attack(home, f"UPDATE pipelines SET {column}")
    with database.read() as transaction, pytest.raises(SealError, match="not as it was stored"):
        pipelines.get(transaction, made.id)


@pytest.mark.parametrize(
    "column", ["plan = '{\"evil\": 1}'", "options = '{}'", "pipeline_id = 2", "requested_by = 'root'"]
)
def test_a_run_whose_plan_or_options_were_edited_is_not_read(database: Database, home: Home, column: str) -> None:
    with database.write() as transaction:
        project = projects.ensure(transaction, "default")
        for name in ("a", "b"):
            pipelines.ensure(transaction, project, name=name, source=f"/{name}", by="me", at=1.0)
        run_id = runs.add(transaction, project_id=1, pipeline_id=1, requested_by="me", options={}, at=1.0)
        runs.set_plan(transaction, run_id, name="1", plan="{}", options={"file": "x"})
        runs.set_options(transaction, run_id, {"file": "y"})
        assert runs.plan(transaction, run_id) == "{}"
    _attack(home, f"UPDATE runs SET {column}")
    with database.write() as transaction:
        with pytest.raises(SealError, match="does not go on"):
            runs.plan(transaction, run_id)
        with pytest.raises(SealError, match="does not go on"):
            runs.set_options(transaction, run_id, {})


def test_the_key_is_its_owners_and_stays(home: Home) -> None:
    Database.open(home).close()
    before = home.audit_key.read_bytes()
    assert home.audit_key.stat().st_mode & 0o777 == 0o600
    Database.open(home).close()
    assert home.audit_key.read_bytes() == before
    home.audit_key.chmod(0o644)
    with pytest.raises(SealError, match="open to others"):
        Database.open(home)


def test_a_key_that_went_missing_is_not_replaced_until_somebody_accepts_that(home: Home) -> None:
    database = Database.open(home)
    _grant(database)
    database.close()
    home.audit_key.unlink()
    database = Database.open(home)
    with pytest.raises(SealError, match="key of the audit log is missing"):
        _grant(database, 8)
    assert not home.audit_key.exists()
    with database.write() as transaction:
        audit.accept_head(transaction, by="me", at=2.0)
    assert _permitted(database)
    with database.read() as transaction:
        assert audit.verify(transaction).breaches == ()
    _attack(home, "UPDATE audit SET actor = 'x' WHERE sequence = 2")
    with database.read() as transaction:
        assert audit.verify(transaction).breaches
    database.close()


def test_a_log_without_a_key_is_taken_over_by_the_next_version_and_stays_checked(home: Home) -> None:
    home.create()
    engine = sqlalchemy.create_engine(f"sqlite:///{home.database}")
    entry = Entry(
        sequence=1,
        at=1.0,
        actor="me",
        action=actions.AUTHORIZED_FOR_PIPELINE.id,
        category="Modify",
        project_id=1,
        resource_id=_PROD.id,
        resource_version=0,
        details=json.dumps({"PipelineId": 7, "ResourceId": _PROD.id, "ResourceType": "endpoint"}),
    )
    with engine.begin() as connection:
        schema.migrate(connection, "0004")
        connection.execute(sqlalchemy.text("INSERT INTO projects VALUES (1, 'guid', 'default', 'default')"))
    engine.dispose()
    _forge_entry(home, entry, Head().hash)
    _forge_permit(home, 7)
    database = Database.open(home)
    assert _permitted(database)
    _grant(database, 8)
    with database.read() as transaction:
        assert audit.verify(transaction).breaches == ()
    _attack(home, "UPDATE audit SET actor = 'x' WHERE sequence = 1")
    with database.read() as transaction:
        assert audit.verify(transaction).breaches
    database.close()


def test_codes_of_different_records_are_different() -> None:
    voucher = Voucher(None)
    assert voucher.code("a", "bc", "d") != voucher.code("a", "b", "cd")
    assert voucher.code("a", 1) != voucher.code("b", 1)
    assert not voucher.vouches("", "a", 1)
    assert not voucher.vouches("\N{SNOWMAN}", "a", 1)
    assert not voucher.vouches(None, "a", 1)
    assert voucher.vouches(voucher.code("a", 1), "a", 1)
