"""Abuse case 24: the audit log cannot be written (full disk, read-only, a refused row), or is fed with line breaks."""

from __future__ import annotations

import contextlib
import json
import resource
import sqlite3
from typing import TYPE_CHECKING

import pytest

from sluice.connections.connection import Update
from sluice.errors import SealError, SluiceError, StorageError
from sluice.secret import Secret
from sluice.storage import actions, audit
from sluice.storage.usage import Use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.abuse.conftest import Sluice
    from tests.agent.runs.conftest import Bench

    from sluice.connections.connection import ConnectionRecord

USING = "steps: [{checkout: none}, {task: Deliver@1, name: hand, inputs: {to: depot, what: crates}}]\n"


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    """No file of this process can grow: what a full disk, or a quota, does to a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _block(bench: Bench, statement: str) -> None:
    with sqlite3.connect(bench.home.database) as database:
        database.execute(statement)


def _open(bench: Bench, record: ConnectionRecord) -> object:
    use = Use(project_id=record.project_id, actor="tester", task="verify", step_id="s")
    return bench.store.open(record.project_id, record.id, use)


def test_on_a_full_disk_no_secret_is_released(bench: Bench) -> None:
    record = bench.connection("depot", scheme="Token")
    with _full_disk(), pytest.raises(StorageError):
        _open(bench, record)
    assert bench.store.history(record) == ()
    assert _open(bench, record)


BLOCKED = "CREATE TRIGGER blocked BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'blocked'); END"


def test_where_the_log_takes_no_row_no_secret_is_released_and_the_step_fails(bench: Bench) -> None:
    record = bench.connection("depot", scheme="Token", permit="demo")
    run = bench.create(USING)
    _block(bench, BLOCKED.replace("ON audit", f"ON audit WHEN NEW.action = '{actions.CONNECTION_EXECUTED.id}'"))
    with pytest.raises(Exception, match="blocked"):
        _open(bench, record)
    with contextlib.suppress(SluiceError):
        bench.drive(run.id)
    assert bench.results(run.id).get("Job.hand") != "Succeeded"
    assert bench.store.history(record) == ()
    assert "delivered" not in bench.log(run.id)


def test_where_the_log_takes_no_row_nothing_is_changed_either(bench: Bench) -> None:
    record = bench.connection("depot", scheme="Token")
    _block(bench, BLOCKED)
    with pytest.raises(Exception, match="blocked"):
        bench.permit(record)
    with pytest.raises(Exception, match="blocked"):
        bench.store.update("default", "depot", Update(description="other"), by="tester")
    with pytest.raises(Exception, match="blocked"):
        bench.store.delete("default", "depot", by="tester")
    assert bench.store.get("default", "depot") == record
    assert bench.store.permissions(record) == ()


def test_secrets_of_a_run_and_of_its_pipeline_are_audited_or_kept(bench: Bench) -> None:
    _, pipeline = bench.pipeline("demo")
    bench.orchestrator.settings.set(pipeline, {}, {"deploy": Secret("s3cr3t-of-settings")}, by="owner")
    script = "steps: [{checkout: none}, {bash: 'echo \"[${#A}${#B}]\"', env: {A: $(deploy), B: $(mine)}}]\n"
    done = bench.run_pipeline(script, secrets={"mine": "s3cr3t-of-the-run"})
    assert done.output(done.jobs("Job")[0].id) == ["[1817]"]
    with bench.database.read() as transaction:
        opened = {one.entry.action: json.loads(one.entry.details) for one in audit.newest(transaction, 99)}
    assert opened[actions.PIPELINE_SECRETS_OPENED.id]["Secrets"] == ["deploy"]
    assert opened[actions.RUN_SECRETS_OPENED.id]["Secrets"] == ["mine"]
    run = bench.create(script, secrets={"mine": "s3cr3t-of-the-run"})
    _block(bench, BLOCKED.replace("ON audit", f"ON audit WHEN NEW.action = '{actions.PIPELINE_SECRETS_OPENED.id}'"))
    with contextlib.suppress(Exception):
        bench.drive(run.id)
    assert bench.results(run.id).get("Job") != "Succeeded"
    assert "[1817]" not in bench.log(run.id)


def test_a_log_that_was_cut_behind_its_note_takes_no_entry_and_lets_nothing_out(bench: Bench) -> None:
    record = bench.connection("depot", scheme="Token")
    bench.store.update("default", "depot", Update(description="newer"), by="tester")
    _block(bench, "DELETE FROM audit WHERE sequence = (SELECT MAX(sequence) FROM audit)")
    with pytest.raises(SealError, match="not the one that Sluice stored last"):
        _open(bench, record)


def test_what_others_write_stays_one_line_of_the_log(sluice: Sluice) -> None:
    folder = sluice.folder / 'evil\n99  now  root  Library.Forged\x1b[2J "quoted"'
    folder.mkdir()
    (folder / "azure-pipelines.yml").write_text("steps:\n- bash: echo\n")
    sluice.create()
    sluice("connection", "permit", "web", "--pipeline", str(folder / "azure-pipelines.yml"))
    listed = sluice("audit", "list")
    assert len(listed.splitlines()) == 4
    assert "\x1b" not in listed
    exported = sluice("audit", "export")
    assert [json.loads(line)["sequence"] for line in exported.splitlines()] == [1, 2, 3]
    assert "\x1b" not in exported


def test_no_secret_is_in_the_log_and_equal_values_of_two_connections_look_different(sluice: Sluice) -> None:
    sluice.create()
    sluice.create("other")
    sluice("connection", "update", "web", "--secret", "password=-", given="hunter2-very-secret-0815")
    sluice("connection", "update", "web", "--secret", "password=-", given="another-very-secret-4711")
    exported = sluice("audit", "export")
    assert "very-secret" not in exported
    hashes = [json.loads(line)["details"]["ValueHashes"]["password"] for line in exported.splitlines()]
    assert hashes[0] == hashes[2]
    assert len(set(hashes)) == 3
