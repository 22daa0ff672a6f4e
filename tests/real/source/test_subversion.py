"""Subversion against a real svnserve and a real Apache: verification, and checkout as a step of a job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.conftest import Giver

from sluice.plugin import Connection, VerificationError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import Event, IssueRaised, LogWritten
from sluice.runtime.job import run_job
from sluice.runtime.request import ConnectionInput, JobRepository, JobRequest, Result, StepRequest
from sluice.testing.connections import make_connection
from sluice_source import verify_subversion

if TYPE_CHECKING:
    from tests.real.source.conftest import SvnServer

pytestmark = pytest.mark.real


def connection(url: str, user: str, password: str) -> Connection:
    return make_connection("subversion", "svn", url=url, values={"username": user, "password": password})


def refusal(asked: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify_subversion(asked)
    return str(raised.value)


class Opened:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        return self._connection


def check_out(server: SvnServer, work: Path, **repository: str) -> tuple[Result, str, list[str]]:
    events: list[Event] = []
    step = StepRequest(
        id="C",
        name="C",
        display_name="C",
        task="Checkout@1",
        inputs={"repository": "old", "endpoint": "svn"},
        connection_inputs=(ConnectionInput(name="endpoint", written="endpoint"),),
    )
    request = JobRequest(
        run_id=1,
        id="job",
        identifier="Stage.Job",
        display_name="Job",
        work=work,
        workspace=work / "1",
        repositories=(JobRepository(alias="old", type="svn", endpoint="svn", **repository),),  # type: ignore[arg-type]
        steps=(step,),
    )
    result = run_job(
        request,
        emit=events.append,
        connections=Opened(connection(server.url, server.user, server.password)),
        find_task=lambda _: None,
        cancellation=Cancellation(),
        environ={"PATH": os.environ["PATH"], "HOME": os.fspath(work.parent)},
    )
    assert isinstance(result, Result)
    log = b"".join(event.text for event in events if isinstance(event, LogWritten)).decode()
    return result, log, [event.message for event in events if isinstance(event, IssueRaised)]


def test_verification_tells_why_not(svn_server: SvnServer, evidence: Giver) -> None:
    server = svn_server
    server.commit({"a": "1"})
    right = verify_subversion(connection(server.url, server.user, server.password))
    assert right == f"{server.url} is at revision 2 for svnuser"
    assert "does not accept the user name and password" in refusal(connection(server.url, server.user, "wrong-one"))
    gone = server.url.replace("/repo", "/gone")
    assert "there is no such repository" in refusal(connection(gone, server.user, server.password))
    assert "refused the connection" in refusal(connection("svn://127.0.0.1:1/x", server.user, server.password))
    assert "was not resolved" in refusal(connection("svn://nowhere.invalid/x", server.user, server.password))
    assert "link-local" in refusal(connection("svn://169.254.169.254/x", server.user, server.password))
    evidence("subversion", "UsernamePassword", "verified right", server.program)
    evidence("subversion", "UsernamePassword", "verified wrong", server.program)


def test_the_newest_revision_of_a_path_is_checked_out(svn_server: SvnServer, tmp_path: Path, evidence: Giver) -> None:
    old = svn_server.commit({"a": "old"})
    svn_server.commit({"a": "new"})
    work = tmp_path / "work"
    result, log, issues = check_out(svn_server, work, ref="trunk")
    assert (result, issues) == (Result.SUCCEEDED, [])
    assert (work / "1/s/a").read_text() == "new"
    assert "(Svn)" in log
    check_out(svn_server, work, ref="trunk", commit=str(old))
    assert (work / "1/s/a").read_text() == "old"
    held = [path for path in tmp_path.rglob("*") if path.is_file() and "svn/repo/conf" not in os.fspath(path)]
    assert [path for path in held if svn_server.password.encode() in path.read_bytes()] == []
    evidence("subversion", "UsernamePassword", "used", svn_server.program, task="checkout")


def test_a_path_that_is_not_there_is_told(svn_server: SvnServer, tmp_path: Path) -> None:
    result, _, issues = check_out(svn_server, tmp_path / "work", ref="branches/none")
    assert result == Result.FAILED
    assert "there is no such repository or path" in issues[0]
    assert "no path in a Subversion repository" in check_out(svn_server, tmp_path / "work", ref="../x")[2][0]


def test_externals_are_left_out_and_told(svn_server: SvnServer, tmp_path: Path) -> None:
    import subprocess

    svn_server.commit({"a": "1"})
    trunk = (svn_server.folder / "repo").as_uri() + "/trunk"
    external = "svn://127.0.0.1:1/elsewhere out"
    subprocess.run(["svnmucc", "-m", "m", "propset", "svn:externals", external, trunk], check=True, capture_output=True)
    result, log, _ = check_out(svn_server, tmp_path / "work", ref="trunk")
    assert result == Result.SUCCEEDED
    assert "are left out" in log
