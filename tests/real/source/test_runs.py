"""Templates and checkouts of other repositories, as a person runs them: a real command, a real git server."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.real.source.conftest import GitServer

pytestmark = pytest.mark.real

PASSWORD = "git-pass-0815-x"
RIGHT = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()
BANNER = "This pipeline needs permission to access a resource before this run can continue"

PIPELINE = """
    resources:
      repositories:
      - repository: tools
        type: git
        name: tools
        endpoint: git-main
    steps:
    - checkout: tools
    - template: steps.yml@tools
    - script: echo commit $(git rev-parse HEAD)
"""


class Person:
    """Types commands in a folder with a pipeline; nothing of the state is anybody else's."""

    def __init__(self, folder: Path, server: GitServer) -> None:
        self.folder = folder
        self.server = server
        self.home = folder / "home"
        self.pipeline = folder / "team"
        self.pipeline.mkdir()
        names = {"HOME": os.fspath(folder), "SLUICE_HOME": os.fspath(self.home), "TERM": "dumb"}
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("SLUICE_", "GIT_"))
        } | names
        self.said = ""

    def write(self, text: str) -> None:
        (self.pipeline / "azure-pipelines.yml").write_text(dedent(text))

    def sluice(self, *arguments: str, given: str = "", status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sluice", *arguments],
            cwd=self.pipeline,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def connect(self, name: str = "git-main") -> None:
        arguments = ["--type", "git", "--url", self.server.url, "--set", "username=user", "--secret", "password=-"]
        self.sluice("connection", "create", name, *arguments, given=PASSWORD)

    def history(self, name: str = "git-main") -> Any:
        return json.loads(self.sluice("connection", "history", name, "--output", "json"))


@pytest.fixture
def server(git_servers: Callable[..., GitServer]) -> GitServer:
    server = git_servers(accepted=RIGHT, secrets=(PASSWORD, RIGHT.split()[1]))
    server.repository("tools", {"steps.yml": "steps: [{script: echo from the template}]\n"})
    return server


@pytest.fixture
def person(tmp_path: Path, server: GitServer) -> Person:
    person = Person(tmp_path, server)
    person.write(PIPELINE)
    person.connect()
    return person


def test_nothing_is_asked_of_the_server_before_somebody_permits(person: Person, server: GitServer) -> None:
    for command in (("run", "--non-interactive"), ("run",), ("run", "--detach")):
        said = person.sluice(*command, status=4)
        assert BANNER in said
        assert "sluice connection permit 'git-main' --pipeline 'team'" in said
        assert "azure-pipelines.yml:7:" in said
    said = person.sluice("validate", status=2)
    assert "this pipeline needs permission to use the service connection 'git-main'" in said
    assert "--repository tools=PATH" in said
    assert server.asked == []
    assert person.history() == []


def test_a_permitted_pipeline_reads_its_templates_and_checks_out(person: Person, server: GitServer) -> None:
    person.sluice("run", status=4)
    person.sluice("connection", "permit", "git-main", "--pipeline", "team")
    said = person.sluice("run")
    commit = server.git(server.root / "tools.git", "rev-parse", "main")
    assert "from the template" in said
    assert f"commit {commit}" in said
    assert {authorization for _, authorization in server.asked} == {RIGHT}
    assert server.seen_in_arguments == []
    uses = [(use["task"], use["pipeline"], use["result"]) for use in person.history()]
    assert uses[-1] == ("templates", "team", "Succeeded")
    assert ("Checkout@1", "team", "Succeeded") in uses
    assert "from the template" in person.sluice("preview")
    person.sluice("validate")
    person.sluice("audit", "verify")
    secrets = (PASSWORD.encode(), RIGHT.split()[1].encode())
    files = [path for path in person.home.rglob("*") if path.is_file()]
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []
    assert PASSWORD not in person.said


def test_permit_at_the_start_is_enough(person: Person) -> None:
    assert "from the template" in person.sluice("run", "--permit", "git-main")


def test_a_created_pipeline_reads_its_templates_at_once(person: Person, server: GitServer) -> None:
    said = person.sluice("pipeline", "create", "made", "azure-pipelines.yml", "--no-grant", status=4)
    assert BANNER in said
    assert server.asked == []
    said = person.sluice("pipeline", "create", "made", "azure-pipelines.yml")
    assert "Permitted: Service connection 'git-main'" in said
    assert "from the template" in person.sluice("run")


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 4)])
def test_on_a_terminal_the_person_is_asked_before_anything_is_read(
    person: Person, server: GitServer, answer: str, status: int
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(person.pipeline)
        os.execve(sys.executable, [sys.executable, "-m", "sluice", "run"], person.environ)
    shown, answered = "", False
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while piece := os.read(terminal, 4096).decode("utf-8", "replace"):
            shown += piece
            if not answered and "Permit access?" in shown:
                assert server.asked == []
                os.write(terminal, f"{answer}\n".encode())
                answered = True
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status, shown
    assert "Granting permission here will permit the use of Service connection 'git-main'" in shown
    assert ("from the template" in shown) == (status == 0)
    assert bool(server.asked) == (status == 0)


def test_a_run_keeps_its_commit_while_the_branch_goes_on(person: Person, server: GitServer) -> None:
    work = server.root.parent / f"{server.root.name}-work" / "tools"
    first = server.git(work, "rev-parse", "HEAD")
    server.push("tools", {"steps.yml": "steps: [{script: exit 1}]\n"})
    failing = server.git(work, "rev-parse", "HEAD")
    person.sluice("run", "--permit", "git-main", status=1)
    server.push("tools", {"steps.yml": "steps: [{script: echo fine}]\n"})
    person.sluice("runs", "retry", "1", status=1)
    stored = json.loads(person.sluice("runs", "show", "1", "--output", "json"))
    assert stored["result"] == "failed" or stored["result"] == "Failed"
    logs = person.sluice("runs", "logs", "1")
    assert f"HEAD is now at {failing}" in logs
    assert first not in logs
    assert "fine" in person.sluice("run")


def test_credentials_that_a_kill_left_behind_are_swept_by_the_next_job(person: Person) -> None:
    """Abuse case 25: what is on disk after `kill -9` goes when the next job starts."""
    person.write(
        PIPELINE.replace("- checkout: tools", "- checkout: tools\n      persistCredentials: true").replace(
            "echo commit $(git rev-parse HEAD)", "kill -9 $PPID; sleep 60"
        )
    )
    person.sluice("run", "--permit", "git-main", status=-9)
    secret = RIGHT.split()[1].encode()

    def left() -> list[Path]:
        return [path for path in person.home.rglob("*") if path.is_file() and secret in path.read_bytes()]

    assert [path.name.partition("-")[0] for path in left()] == ["git"]
    assert left()[0].stat().st_mode & 0o077 == 0
    person.write("steps: [{checkout: none}, {script: echo next}]")
    person.sluice("run")
    assert left() == []


def test_a_repository_that_is_only_checked_out_waits_at_its_stage(person: Person, server: GitServer) -> None:
    person.write(PIPELINE.replace("- template: steps.yml@tools", "- script: cat steps.yml"))
    person.sluice("run", "--non-interactive", status=4)
    assert server.asked == []
    person.sluice("permit", "1")
    said = person.sluice("resume", "1")
    assert "from the template" in said
    tasks = [use["task"] for use in person.history()]
    assert tasks == ["Checkout@1", "checkout"]


def test_a_checkout_that_is_given_needs_no_connection(person: Person, server: GitServer) -> None:
    given = person.folder / "given"
    given.mkdir()
    (given / "steps.yml").write_text("steps: [{script: echo given; cat steps.yml}]\n")
    person.write(PIPELINE.replace("- script: echo commit $(git rev-parse HEAD)", ""))
    assert "\ngiven\n" in person.sluice("run", "--repository", "tools=../given")
    assert server.asked == []


def test_a_repository_named_in_place_is_taken_from_a_checkout(person: Person) -> None:
    given = person.folder / "given"
    given.mkdir()
    (given / "file").write_text("named in place")
    person.write("steps: [{checkout: 'git://project/other@release'}, {script: cat file}]")
    assert "named in place" in person.sluice(
        "run", "--repository", "git://project/other=../given", "--permit", "project/other"
    )
    assert "names no service connection" in person.sluice("run", status=1)


def test_wrong_credentials_are_a_problem_of_the_pipeline(person: Person, server: GitServer) -> None:
    server.accepted = "another"
    said = person.sluice("run", "--permit", "git-main", status=2)
    assert f"{server.url} does not accept the credentials" in said
    assert person.history()[0]["result"] == "Failed"


def test_a_cache_that_a_step_has_prepared_gets_no_credentials(
    person: Person, server: GitServer, git_servers: Callable[..., GitServer]
) -> None:
    person.sluice("run", "--permit", "git-main")
    elsewhere = git_servers()
    prepared = (
        f"[core]\n\trepositoryformatversion = 0\n\tbare = true\n[http]\n\tproxy = {elsewhere.url}\n"
        f'[url "{elsewhere.url}/"]\n\tinsteadOf = {server.url}/\n'
    )
    caches = [path for path in person.home.rglob("*.git") if (path / "HEAD").is_file() and path.parent.name != "s"]
    assert caches
    for cache in caches:
        (cache / "config").write_text(prepared)
    server.push("tools", {"steps.yml": "steps: [{script: echo from the newer template}]\n"})
    assert "from the newer template" in person.sluice("run", "--permit", "git-main")
    assert elsewhere.asked == []


def test_a_template_of_a_repository_may_not_be_a_link_out_of_it(person: Person, server: GitServer) -> None:
    work = server.root.parent / f"{server.root.name}-work" / "tools"
    (work / "steps.yml").unlink()
    (work / "steps.yml").symlink_to("/etc/passwd")
    server.push("tools", {"x": "x"})
    assert "there is no template file 'steps.yml@tools'" in person.sluice("run", "--permit", "git-main", status=2)
