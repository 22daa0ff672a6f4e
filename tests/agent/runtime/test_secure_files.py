"""Secure files of steps: downloaded by the built-in task, announced to packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from sluice.errors import NotPermittedError, PermissionPendingError, SluiceError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import LogWritten
from sluice.runtime.job import Suspended, run_job
from sluice.runtime.job_state import JobState
from sluice.runtime.masking import Masker
from sluice.runtime.packages.contract import task_environment
from sluice.runtime.request import ConnectionInput, JobRequest, Result, StepRequest
from sluice.runtime.secure_files import SecureFile
from sluice.runtime.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.runtime.conftest import Jobs

    from sluice.runtime.events import Event

CONTENT = b"canary\x00of a keystore"


@dataclass
class Files:
    """A SecureFileSource with one file, or an error in its place."""

    found: SecureFile | SluiceError
    asked: list[str] = field(default_factory=list)

    def open_file(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> SecureFile:
        self.asked.append(name)
        if isinstance(self.found, SluiceError):
            raise self.found
        return self.found


FILE = SecureFile(id="F1D0", name="key store.jks", content=CONTENT)


def download(jobs: Jobs, files: Files, *more: StepRequest, name: str = "$(which)") -> tuple[Result | Suspended, str]:
    step = jobs.step(
        "DownloadSecureFile@1",
        "D",
        inputs={"secureFile": name},
        file_inputs=(ConnectionInput(name="secureFile", written="secureFile"),),
    )
    request = jobs.request(step, *more, variables=jobs.variables(which="keystore"))
    events: list[Event] = []
    outcome = run_job(
        request,
        emit=events.append,
        connections=jobs.connections,
        find_task=jobs.tasks.get,
        cancellation=Cancellation(),
        secure_files=files,
        environ=jobs.environ,
    )
    log = b"".join(event.text for event in events if isinstance(event, LogWritten))
    return outcome, log.decode()


def test_a_file_is_for_this_account_alone_and_gone_with_the_job(jobs: Jobs) -> None:
    files = Files(FILE)
    text = 'od -c "$(D.secureFilePath)" | head -1; stat -c "mode %a" "$(D.secureFilePath)"'
    outcome, log = download(jobs, files, jobs.script(text))
    assert outcome is Result.SUCCEEDED, log
    assert files.asked == ["keystore"]
    assert "mode 600" in log
    assert f"({len(CONTENT)} bytes)" in log
    left = [path for path in jobs.work.rglob("*") if path.is_file() and CONTENT in path.read_bytes()]
    assert left == []


def test_a_link_in_the_place_of_the_file_is_not_written_through(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    link = f'ln -s {tmp_path}/victim "$AGENT_TEMPDIRECTORY/key store.jks"'
    step = jobs.step(
        "DownloadSecureFile@1",
        "E",
        inputs={"secureFile": "x"},
        file_inputs=(ConnectionInput(name="secureFile", written="secureFile"),),
    )
    outcome, log = download(jobs, Files(FILE), jobs.script(f'rm "$(D.secureFilePath)"; {link}'), step)
    assert outcome is Result.SUCCEEDED, log
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_file_that_waits_for_its_permit_suspends_the_job(jobs: Jobs) -> None:
    outcome, _ = download(jobs, Files(PermissionPendingError("not yet")))
    assert isinstance(outcome, Suspended)
    assert outcome.wait is None


@pytest.mark.parametrize("name", ["$(which)", ""])
def test_a_file_that_is_refused_or_not_named_fails_the_step(jobs: Jobs, name: str) -> None:
    outcome, log = download(jobs, Files(NotPermittedError("never")), name=name)
    assert outcome is Result.FAILED
    assert ("never" if name else "Input required: secureFile") in log


def test_a_package_finds_the_name_and_a_masked_ticket_by_the_files_id(jobs: Jobs, tmp_path: Path) -> None:
    request = jobs.request()
    place = Workspace(work=tmp_path, root=tmp_path, temp=tmp_path)
    masker = Masker()
    job = JobState(request, lambda _: None, lambda: None, place, masker, {})
    environment = task_environment(job, {}, inputs={"file": "f1d0"}, opened={}, files=(FILE,), task_variables={})
    assert environment["SECUREFILE_NAME_f1d0"] == "key store.jks"
    ticket = environment["SECUREFILE_TICKET_f1d0"]
    assert masker.mask_text(f"it is {ticket}") == "it is ***"
    assert not [value for value in environment.values() if "canary" in value]
