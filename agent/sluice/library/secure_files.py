"""The store of secure files: upload, delete and open them, every change with its audit entry.

A file is sealed in pieces, each bound to its file and its place; the file's own seal vouches for which pieces there are.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from sluice.connections import vault as keys
from sluice.connections.catalogue import nearest
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.homes import home_for
from sluice.connections.sealing import Identity, Sealed
from sluice.connections.validation import MAX_NAME
from sluice.errors import ConflictError, NotFoundError, SealError, SecureFileInvalidError
from sluice.rights import Right
from sluice.storage import actions, audit, check_configurations, permissions, policies, projects, usage
from sluice.storage import secure_files as rows
from sluice.storage.action import Action
from sluice.storage.names import clean_name, hidden_characters, is_guid
from sluice.storage.seals import SealedRow
from sluice.storage.secure_files import FileRow
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.sealing import Sealer
    from sluice.storage.engine import Database, Transaction

MAX_SIZE = 10 << 20
"""The most bytes that a secure file may have (documented: 10 MB)."""

CHUNK_SIZE = 256 << 10
"""Bytes of a piece, so that nothing that goes through all seals holds much at once."""

KIND = "secure file"
CHUNK_KIND = "secure file chunk"
"""What the seals call the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A secure file as a step gets it."""

    id: str
    name: str
    content: bytes = field(repr=False)


class SecureFileStore:
    """Secure files of one database.

    Methods with a `transaction` argument join one that is open; the others make their own. `clock` answers seconds
    since the epoch. `guard` decides what the person who works with it may do; what that person may not see is not there.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        clock: Callable[[], float] = time.time,
        guard: Guard = UNRESTRICTED,
    ) -> None:
        self.database = database
        self.guard = guard
        self._sealer = sealer
        self._clock = clock

    def get(self, project: str, name: str) -> FileRow:
        """The file of that name or id in a project; raises `NotFoundError` with the nearest name."""
        with self.database.read() as transaction:
            return get(transaction, projects.find(transaction, project).id, name, self.guard)

    def list(self, project: str) -> tuple[FileRow, ...]:
        """The files of a project, by name."""
        with self.database.read() as transaction:
            project_id = projects.find(transaction, project).id
            seen = self.guard.seen(transaction, project_id, permissions.SECURE_FILE)
            return tuple(file for file in rows.listed(transaction, project_id) if seen(file.id))

    def upload(self, project: str, name: str, content: bytes, *, by: str, all_pipelines: bool = False) -> FileRow:
        """Store a new file; raises `ConflictError` when the name is taken: a content is never replaced."""
        checked = check_file_name(name)
        if len(content) > MAX_SIZE:
            raise SecureFileInvalidError(
                f"the secure file '{checked}' is too big", why=f"{MAX_SIZE} bytes (10 MB) are allowed"
            )
        with self.database.write() as transaction:
            now = self._clock()
            home = home_for(transaction, self.guard, project, at=now)
            self.guard.require(transaction, Right.CREATE, permissions.Resource(home.id, "", permissions.SECURE_FILE))
            if rows.by_name(transaction, home.id, checked) is not None:
                raise ConflictError(
                    f"the secure file '{checked}' exists already",
                    do="choose another name, or delete it first: its permits go with it",
                )
            file = FileRow(
                id=str(uuid.uuid4()),
                project_id=home.id,
                name=checked,
                version=1,
                size=len(content),
                created_by=by,
                created_at=now,
            )
            self._insert(transaction, file, content)
            audit.append(transaction, _event(actions.SECURE_FILE_CREATED, file, home, by=by, at=now))
            resource = rows.resource_of(file)
            self.guard.created(transaction, resource, file.name, at=now)
            if all_pipelines:
                self.guard.require(transaction, Right.OPEN_ACCESS, resource, file.name)
                permissions.grant(transaction, resource, permissions.ALL_PIPELINES, by=by, at=now)
        return file

    def delete(self, project: str, name: str, *, by: str) -> FileRow:
        """Delete a file and its permits; its usage history and audit log stay."""
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            file = get(transaction, home.id, name, self.guard)
            self.guard.require(transaction, Right.DELETE, rows.resource_of(file), file.name)
            now = self._clock()
            kind = permissions.SECURE_FILE
            permissions.revoke_everywhere(transaction, file.id, by=by, at=now, resource_type=kind)
            policies.forget(transaction, rows.resource_of(file))
            change = check_configurations.Change(
                by=by, at=now, kind="", resource_type="secure file", resource=file.name
            )
            check_configurations.remove_of_resource(transaction, rows.resource_of(file), change)
            rows.remove(transaction, file.id)
            audit.append(transaction, _event(actions.SECURE_FILE_DELETED, file, home, by=by, at=now))
            return file

    def let_in(self, project: str, name: str, untrusted: str, *, by: str) -> bool:
        """Say which untrusted runs may have a file (`none`, `pull-requests`, `forks`); False when that was so already."""
        with self.database.write() as transaction:
            file = get(transaction, projects.find(transaction, project).id, name, self.guard)
            resource = rows.resource_of(file)
            self.guard.require(transaction, Right.EDIT, resource, file.name)
            return policies.let_in(transaction, resource, file.name, untrusted, by=by, at=self._clock())

    def lets_in(self, file: FileRow) -> str:
        """Which untrusted runs may have a file."""
        with self.database.read() as transaction:
            return policies.untrusted(transaction, rows.resource_of(file))

    def history(self, file: FileRow, *, limit: int = 100) -> tuple[usage.UsageRecord, ...]:
        """The uses of a file, newest first."""
        with self.database.read() as transaction:
            return usage.history(transaction, file.id, project_id=file.project_id, limit=limit)

    def open(
        self, project_id: int, file_id: str, use: usage.Use, *, check: Callable[[Transaction, FileRow], None]
    ) -> OpenedFile:
        """Release a file for one use, which is recorded before; `check` raises when it may not be, in the same transaction.

        Raises `SealError` when anything of it was changed outside of Sluice.
        """
        with self.database.write() as transaction:
            file = get(transaction, project_id, file_id)
            check(transaction, file)
            content = self._content(transaction, file)
            now = self._clock()
            usage.started(transaction, file.id, use, at=now)
            details = {
                "PipelineId": use.pipeline_id,
                "RunId": use.run_id,
                "StageName": use.stage,
                "JobName": use.job,
                "StepName": use.step,
                "TaskName": use.task,
            }
            project = projects.get(transaction, project_id)
            event = _event(actions.SECURE_FILE_OPENED, file, project, by=use.actor, at=now, more=details)
            audit.append(transaction, event)
        return OpenedFile(id=file.id, name=file.name, content=content)

    def _insert(self, transaction: Transaction, file: FileRow, content: bytes) -> None:
        master = keys.master_key(transaction, self._sealer)
        chunks = [
            keys.seal_text(self._sealer, master, Identity(CHUNK_KIND, file.id, number), piece)
            for number, piece in enumerate(_pieces(content))
        ]
        manifest = json.dumps([_digest(chunk) for chunk in chunks]).encode("ascii")
        identity = Identity(KIND, file.id, file.version, rows.public_text(file))
        rows.insert(transaction, file, keys.seal_text(self._sealer, master, identity, manifest), chunks)

    def _content(self, transaction: Transaction, file: FileRow) -> bytes:
        audit.check_head(transaction)
        what = f"the secure file '{file.name}'"
        row = rows.seal_of(transaction, file.id)
        manifest = json.loads(keys.open_text(self._sealer, KIND, file.id, row, what))
        chunks = rows.chunks_of(transaction, file.id)
        if [_digest(chunk) for chunk in chunks] != manifest:
            raise SealError(
                f"{what} cannot be opened",
                why="pieces of it were changed outside of Sluice",
                do="upload it again, or restore the database from a backup",
            )
        return b"".join(
            self._sealer.open(
                Identity(CHUNK_KIND, file.id, chunk.version), Sealed(chunk.key_id, chunk.wrapped_key, chunk.sealed)
            )
            for chunk in chunks
        )


def find(transaction: Transaction, project_id: int, name: str) -> FileRow | None:
    """The secure file that a name or an id means in a project."""
    if is_guid(name):
        return rows.by_id(transaction, project_id, name.strip().lower())
    return rows.by_name(transaction, project_id, name)


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> FileRow:
    """As `find`; raises `NotFoundError` with the nearest name when there is none, or none that the person sees."""
    found = find(transaction, project_id, name)
    if found and guard.allows(transaction, Right.SEE, rows.resource_of(found)):
        return found
    seen = guard.seen(transaction, project_id, permissions.SECURE_FILE)
    known = [row.name for row in rows.listed(transaction, project_id) if seen(row.id)]
    hint = nearest(name, known, otherwise="see 'sluice secure-file list'")
    raise NotFoundError(f"there is no secure file '{clean_name(name)}'", do=hint)


def check_file_name(name: str) -> str:
    """A file's name as it is stored; it becomes a file of a job, so it is never a path."""
    cleaned = clean_name(name)
    if not cleaned:
        raise SecureFileInvalidError("a secure file needs a name")
    if len(cleaned) > MAX_NAME or len(cleaned.encode("utf-8", "surrogatepass")) > 255:
        raise SecureFileInvalidError("the secure file's name is too long", why="a file's name has 255 bytes at most")
    if cleaned in {".", ".."} or set("/\\\0") & set(cleaned):
        raise SecureFileInvalidError(f"the secure file's name '{cleaned}' is a path", do="choose a plain name")
    if hidden_characters(cleaned):
        raise SecureFileInvalidError("the secure file's name holds characters that cannot be seen")
    if is_guid(cleaned):
        raise SecureFileInvalidError("a secure file's name may not look like an id", do="choose another with --name")
    return cleaned


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_SIZE):
        yield content[start : start + CHUNK_SIZE]


def _digest(chunk: SealedRow) -> str:
    return hashlib.sha256(chunk.sealed).hexdigest()


def _event(
    action: Action,
    file: FileRow,
    project: projects.Project,
    *,
    by: str,
    at: float,
    more: dict[str, object] | None = None,
) -> audit.Event:
    return audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=project.id,
        resource_id=file.id,
        resource_version=file.version,
        details={
            "SecureFileName": file.name,
            "SecureFileId": file.id,
            "Size": file.size,
            "ProjectName": project.name,
            **(more or {}),
        },
    )
