"""What people decide, when somebody with write access to the database has been there before."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from sluice.connections.connection import Update
from sluice.errors import ConflictError, SealError
from sluice.storage import permissions
from sluice.storage.usage import Use

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

PIPELINE = """
steps:
- checkout: none
- task: Deliver@1
  inputs: {depot: prod}
"""


def _attack(bench: Bench, statement: str, *values: object) -> None:
    connection = sqlite3.connect(bench.home.database)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def test_a_connection_that_moved_while_the_run_waited_is_not_permitted_unseen(bench: Bench) -> None:
    record = bench.connection("prod")
    run = bench.run_pipeline(PIPELINE).run
    bench.store.update("default", "prod", Update(url="https://elsewhere.invalid"), by="other")
    with pytest.raises(ConflictError, match="lead elsewhere"):
        bench.decisions.permit(run.id)
    with bench.database.read() as transaction:
        assert permissions.of_resource(transaction, permissions.Resource(1, record.id)) == ()
    assert [one.resource_name for one in bench.decisions.permit(run.id)] == ["prod"]
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_request_that_was_pointed_at_another_connection_is_not_permitted(bench: Bench) -> None:
    bench.connection("prod")
    other = bench.connection("crown-jewels")
    run = bench.run_pipeline(PIPELINE).run
    _attack(bench, "UPDATE authorization_requests SET resource_id = ?", other.id)
    with pytest.raises(ConflictError, match="another name"):
        bench.decisions.permit(run.id)


def test_a_request_for_another_pipeline_is_not_permitted(bench: Bench) -> None:
    bench.connection("prod")
    run = bench.run_pipeline(PIPELINE).run
    _attack(bench, "UPDATE authorization_requests SET pipeline_id = pipeline_id + 1")
    with pytest.raises(ConflictError):
        bench.decisions.permit(run.id)


def test_an_edited_plan_does_not_run_and_can_be_canceled(bench: Bench) -> None:
    run = bench.create("steps:\n- script: echo mine\n")
    _attack(bench, "UPDATE runs SET plan = replace(plan, 'echo mine', 'echo evil')")
    with pytest.raises(SealError, match="does not go on"):
        bench.drive(run.id)
    assert bench.decisions.cancel(run.id).result == "Canceled"
    assert not list(bench.home.logs.glob("*/*.log"))


def test_a_run_that_was_given_to_another_pipeline_does_not_run(bench: Bench) -> None:
    bench.connection("prod", permit="trusted")
    run = bench.create(PIPELINE)
    _attack(bench, "UPDATE runs SET pipeline_id = (SELECT id FROM pipelines WHERE name = 'trusted')")
    with pytest.raises(SealError):
        bench.drive(run.id)


def test_a_connection_that_took_another_s_name_opens_for_nobody(bench: Bench) -> None:
    bench.connection("prod", permit="demo", scheme="Token")
    bench.connection("test", permit="demo", scheme="Token")
    _attack(bench, "UPDATE connection_projects SET name = 'x', name_key = 'x' WHERE name = 'prod'")
    _attack(bench, "UPDATE connection_projects SET name = 'prod', name_key = 'prod' WHERE name = 'test'")
    done = bench.run_pipeline(PIPELINE)
    assert done.run.result == "Failed"
    assert "its name or its project was changed outside of Sluice" in bench.log(done.run.id)


def test_a_permit_that_was_forged_opens_nothing_and_the_run_waits(bench: Bench) -> None:
    record = bench.connection("prod", scheme="Token")
    run = bench.create(PIPELINE)
    _attack(
        bench,
        "INSERT INTO permissions (project_id, resource_type, resource_id, pipeline_id, authorized_by, authorized_at) "
        "VALUES (1, 'endpoint', ?, ?, 'root', 1.0)",
        record.id,
        run.pipeline_id,
    )
    assert bench.drive(run.id).observer.waits[-1:] == [("prod",)]


def test_secrets_of_an_older_database_that_was_put_back_do_not_open(bench: Bench) -> None:
    bench.connection("prod", permit="demo", scheme="Token")
    run = bench.create(PIPELINE)
    older = sqlite3.connect(bench.folder / "older.db")
    newer = sqlite3.connect(bench.home.database)
    newer.backup(older)
    record = bench.store.get("default", "prod")
    bench.revoke(record)
    older.backup(newer)  # the permit is back
    for connection in (older, newer):
        connection.close()
    with pytest.raises(SealError, match="not the one that Sluice stored last"):
        bench.store.open(1, record.id, Use(project_id=1, actor="x", pipeline_id=1, run_id=run.id, stage="", job=""))
    with pytest.raises(SealError, match="not the one that Sluice stored last"):
        bench.drive(run.id)
