"""Opens secure files for the steps of a run. Whether that is permitted is asked anew at each release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sluice.authorization.resources import SECURE_FILE, Need, Refusal, refuse
from sluice.errors import NotPermittedError, PermissionPendingError
from sluice.library import secure_files as library
from sluice.library.secure_files import SecureFileStore
from sluice.runs.access import RunAccess, known_file, need_of
from sluice.runtime.request import ConnectionInput, JobRequest, StepRequest
from sluice.runtime.secure_files import SecureFile
from sluice.storage import secure_files as rows
from sluice.storage.engine import Transaction
from sluice.storage.permissions import Resource
from sluice.storage.secure_files import FileRow
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAccess:
    """Opens secure files for the steps of one job; see `sluice.runtime.secure_files.SecureFileSource`."""

    access: RunAccess
    files: SecureFileStore

    def open_file(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> SecureFile:
        """The secure file called `name`, for this step."""
        access = self.access
        need = replace(need_of(job, step, asked, name, access.stage), kind=SECURE_FILE)
        with self.files.database.read() as transaction:
            file = library.find(transaction, access.project_id, name)
            names = () if file else rows.names(transaction, access.project_id)
        if file is None:
            raise self._refused(need, refuse(need, None, names), "")
        use = access.use_of(job, step)
        try:
            opened = self.files.open(access.project_id, file.id, use, check=self._check(need, job.id))
        except _FileRefusedError as error:
            raise self._refused(need, error.refusal, file.id) from error
        except PermissionPendingError:
            access.pending[step.id] = need
            raise
        return SecureFile(id=opened.id, name=opened.name, content=opened.content)

    def _refused(self, need: Need, refusal: Refusal | None, file_id: str) -> NotPermittedError:
        """The error, once the audit log has it."""
        reason = str(refusal.reason) if refusal else "missing"
        self.access.audit_refusal(need.name, file_id, reason, kind=SECURE_FILE)
        return NotPermittedError(
            refusal.text if refusal else "", where=need.where or None, do=refusal.hint if refusal else ""
        )

    def _check(self, need: Need, job_id: str) -> Callable[[Transaction, FileRow], None]:
        """What is asked in the transaction that releases the file."""
        access = self.access

        def check(transaction: Transaction, file: FileRow) -> None:
            known = known_file(transaction, file, access.pipeline_id, access.origin.trust)
            asked = replace(need, name=file.name)
            if refusal := refuse(asked, known, (), access.origin):
                raise _FileRefusedError(refusal)
            if not (known.permitted or known.within_limits(asked, access.origin)):
                raise PermissionPendingError(
                    f"the pipeline '{access.pipeline}' may not use the secure file '{file.name}' yet",
                    do=f"sluice permit {access.run_id} --secure-file '{file.name}'",
                )
            resource = Resource(access.project_id, file.id, SECURE_FILE)
            access.passing(job_id).require(transaction, resource, file.name, known.version)

        return check


class _FileRefusedError(NotPermittedError):
    """A file that no Permit of a person can give to this use."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal
