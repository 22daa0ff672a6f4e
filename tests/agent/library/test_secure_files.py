"""The store of secure files: what is stored, who may open it, and what an attacker with the database gets."""

from __future__ import annotations

import os

import pytest
import sqlalchemy

from sluice.connections.keys import FileKeys
from sluice.connections.rotation import rotate
from sluice.connections.sealing import Sealer
from sluice.errors import ConflictError, NotFoundError, NotPermittedError, SealError, SecureFileInvalidError
from sluice.library import secure_files
from sluice.library.secure_files import CHUNK_SIZE, MAX_SIZE, SecureFileStore, check_file_name
from sluice.runs.inspection import inspect_seals
from sluice.storage import actions, audit, permissions, projects, usage
from sluice.storage.engine import Database, Transaction
from sluice.storage.home import Home
from sluice.storage.secure_files import FileRow, resource_of

CONTENT = b"-----BEGIN CANARY-----" * 20_000
"""More than a piece."""

USE = usage.Use(project_id=1, actor="ann", run_id=7, stage="S", job="J", step_id="s", task="DownloadSecureFile@1")


@pytest.fixture
def files(database: Database, sealer: Sealer) -> SecureFileStore:
    return SecureFileStore(database, sealer, clock=lambda: 1000.0)


def allow(transaction: Transaction, file: FileRow) -> None:
    """No objection."""


def attack(files: SecureFileStore, statement: str, **parameters: object) -> None:
    with files.database.write() as transaction:
        transaction.execute(sqlalchemy.text(statement), parameters)


def verdict(files: SecureFileStore) -> list[str]:
    with files.database.read() as transaction:
        return [breach.what for breach in audit.verify(transaction).breaches]


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, MAX_SIZE])
def test_what_was_uploaded_comes_out_again(files: SecureFileStore, size: int) -> None:
    content = os.urandom(size)
    file = files.upload("default", "cert.pfx", content, by="ann")
    assert files.open(1, file.id, USE, check=allow).content == content


def test_a_file_that_is_too_big_is_refused(files: SecureFileStore) -> None:
    with pytest.raises(SecureFileInvalidError, match="too big"):
        files.upload("default", "big", b"0" * (MAX_SIZE + 1), by="ann")


def test_a_file_is_found_in_every_spelling_and_listed(files: SecureFileStore) -> None:
    file = files.upload("default", "Cert.pfx", CONTENT, by="ann")
    for name in ("cert.PFX", " Cert.pfx ", file.id, file.id.upper()):
        assert files.get("default", name) == file
    assert files.list("default") == (file,)
    with pytest.raises(NotFoundError, match="did you mean 'Cert"):
        files.get("default", "cert.pf")


def test_a_content_is_never_replaced(files: SecureFileStore) -> None:
    files.upload("default", "cert.pfx", CONTENT, by="ann")
    with pytest.raises(ConflictError, match="exists already"):
        files.upload("default", "CERT.pfx", b"other", by="eve")


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "a\\b", "x\0y", "x\u202egpj.exe", "y" * 300, "ä" * 128, "0" * 8 + "-0000-0000-0000-" + "0" * 12])  # fmt: skip
def test_a_name_that_is_no_file_is_refused(name: str) -> None:
    with pytest.raises(SecureFileInvalidError):
        check_file_name(name)


def test_nothing_of_the_content_is_in_the_state_folder(files: SecureFileStore, home: Home) -> None:
    files.upload("default", "cert.pfx", CONTENT, by="ann")
    assert not [path for path in home.root.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]


def test_a_release_is_recorded_before_it_happens_and_only_then(files: SecureFileStore) -> None:
    file = files.upload("default", "cert.pfx", CONTENT, by="ann")

    def refuse(transaction: Transaction, file: FileRow) -> None:
        raise NotPermittedError("no")

    with pytest.raises(NotPermittedError):
        files.open(1, file.id, USE, check=refuse)
    assert files.history(file) == ()
    assert CONTENT not in repr(files.open(1, file.id, USE, check=allow)).encode()
    assert [(one.run_id, one.task) for one in files.history(file)] == [(7, "DownloadSecureFile@1")]
    with files.database.read() as transaction:
        newest = audit.newest(transaction, 1)[0]
    assert newest.entry.action == actions.SECURE_FILE_OPENED.id
    assert verdict(files) == []


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE secure_files SET name = 'other'",
        "UPDATE secure_files SET size = 1",
        "UPDATE secure_files SET project_id = 1, version = 2",
        "UPDATE secure_files SET sealed = x'01'",
        "UPDATE secure_file_chunks SET sealed = x'01' WHERE number = 1",
        "DELETE FROM secure_file_chunks WHERE number = 1",
        "UPDATE secure_file_chunks SET number = 7 WHERE number = 1",
    ],
)
def test_an_edit_by_hand_opens_nothing_and_shows(files: SecureFileStore, edit: str) -> None:
    file = files.upload("default", "cert.pfx", CONTENT, by="ann")
    attack(files, edit)
    with pytest.raises(SealError):
        files.open(1, file.id, USE, check=allow)


def test_pieces_of_two_files_cannot_be_swapped(files: SecureFileStore) -> None:
    first = files.upload("default", "a", CONTENT, by="ann")
    second = files.upload("default", "b", CONTENT, by="ann")
    attack(files, "DELETE FROM secure_file_chunks WHERE file_id = :id AND number = 0", id=first.id)
    move = "UPDATE secure_file_chunks SET file_id = :first WHERE file_id = :second AND number = 0"
    attack(files, move, first=first.id, second=second.id)
    for file in (first, second):
        with pytest.raises(SealError):
            files.open(1, file.id, USE, check=allow)


def test_the_log_knows_of_a_file_that_vanished(files: SecureFileStore) -> None:
    file = files.upload("default", "cert.pfx", CONTENT, by="ann")
    attack(files, "DELETE FROM secure_file_chunks")
    attack(files, "DELETE FROM secure_files")
    assert verdict(files) == [f"secure file {file.id} is gone, and nobody deleted it"]


def test_a_deletion_takes_the_permits_along(files: SecureFileStore) -> None:
    file = files.upload("default", "cert.pfx", CONTENT, by="ann", all_pipelines=True)
    with files.database.read() as transaction:
        assert permissions.permitted(transaction, resource_of(file), 5)
    files.delete("default", "cert.pfx", by="ann")
    with files.database.read() as transaction:
        assert permissions.of_resource(transaction, resource_of(file)) == ()
        rows = transaction.rows(sqlalchemy.text("SELECT * FROM secure_file_chunks"))
    assert rows == []
    assert verdict(files) == []


def test_a_rotation_seals_every_piece_anew_and_each_seal_is_inspected(
    files: SecureFileStore, sealer: Sealer, home: Home
) -> None:
    file = files.upload("default", "cert.pfx", os.urandom(MAX_SIZE), by="ann")
    before = files.open(1, file.id, USE, check=allow).content
    rotation = rotate(files.database, sealer, by="ann", clock=lambda: 2000.0)
    assert rotation.count == 1 + MAX_SIZE // CHUNK_SIZE
    assert files.open(1, file.id, USE, check=allow).content == before
    with files.database.read() as transaction:
        inspection = inspect_seals(transaction, FileKeys(home.keys / "master.json"))
    assert (inspection.opened, inspection.broken) == (rotation.count, ())
    assert verdict(files) == []


def test_a_project_with_a_secure_file_is_not_empty(files: SecureFileStore) -> None:
    with files.database.write() as transaction:
        project = projects.create(transaction, "apart", by="ann", at=1.0)
    files.upload("apart", "cert.pfx", CONTENT, by="ann")
    with files.database.write() as transaction, pytest.raises(ConflictError, match="secure files"):
        projects.delete(transaction, project, by="ann", at=2.0)


def test_a_file_of_another_project_is_not_found(files: SecureFileStore) -> None:
    file = files.upload("default", "cert.pfx", CONTENT, by="ann")
    with files.database.read() as transaction:
        assert secure_files.find(transaction, 2, file.id) is None
        assert secure_files.find(transaction, 2, "cert.pfx") is None
