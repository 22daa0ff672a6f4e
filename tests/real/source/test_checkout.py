"""Checkout of other repositories, as a step of a job, from a real git server with authentication."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import Giver

from sluice.plugin import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import Event, IssueRaised, LogWritten
from sluice.runtime.job import run_job
from sluice.runtime.request import ConnectionInput, JobRepository, JobRequest, JobVariable, Result, StepRequest
from sluice.testing.connections import make_connection

if TYPE_CHECKING:
    from tests.real.source.conftest import GitServer

pytestmark = pytest.mark.real

PASSWORD = "git-pass-0815-x"
TOKEN = "ghs-token-0123456789"


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


RIGHT = basic("user", PASSWORD)


class Opened:
    """Gives one connection to every step that asks."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.asked: list[str] = []

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        self.asked.append(f"{step.name} {asked.name} {name}")
        return self.connection


class Bench:
    """Runs jobs with checkouts of the repository `tools`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.connection: Connection | None = None
        self.events: list[Event] = []
        self.environ = {"PATH": os.environ["PATH"], "HOME": os.fspath(folder / "home")}
        (folder / "home").mkdir()

    @property
    def sources(self) -> Path:
        return self.work / "1" / "s"

    def checkout(self, name: str = "Checkout", alias: str = "tools", **inputs: str) -> StepRequest:
        asked = ConnectionInput(name="endpoint", written="endpoint")
        return StepRequest(
            id=name,
            name=name,
            display_name=name,
            task="Checkout@1",
            inputs={"repository": alias, "endpoint": "conn"} | inputs
            if self.connection
            else {"repository": alias} | inputs,
            connection_inputs=(asked,) if self.connection else (),
        )

    @staticmethod
    def script(text: str) -> StepRequest:
        return StepRequest(
            id="S", name="S", display_name="S", task="Bash@3", inputs={"targetType": "inline", "script": text}
        )

    def run(self, *steps: StepRequest, repository: JobRepository, **options: Any) -> tuple[Result, str]:
        self.events = []
        request = JobRequest(
            run_id=1,
            id="job",
            identifier="Stage.Job",
            display_name="Job",
            work=self.work,
            workspace=self.work / "1",
            repositories=(repository,),
            steps=steps,
            variables=tuple(
                JobVariable(name=name, value=value) for name, value in options.get("variables", {}).items()
            ),
        )
        result = run_job(
            request,
            emit=self.events.append,
            connections=Opened(self.connection) if self.connection else Opened(None),  # type: ignore[arg-type]
            find_task=lambda _: None,
            cancellation=Cancellation(),
            environ=self.environ,
        )
        assert isinstance(result, Result)
        log = b"".join(event.text for event in self.events if isinstance(event, LogWritten)).decode()
        return result, log

    def issues(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, IssueRaised)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def other_git(server: GitServer, password: str = PASSWORD) -> Connection:
    return make_connection("git", "conn", url=server.url, values={"username": "user", "password": password})


def repository(name: str = "tools", **parts: Any) -> JobRepository:
    return JobRepository(**({"alias": "tools", "type": "git", "name": name, "endpoint": "conn"} | parts))


@pytest.fixture
def server(git_servers: Callable[..., GitServer], bench: Bench) -> GitServer:
    server = git_servers(accepted=RIGHT, secrets=(PASSWORD, RIGHT.split()[1]))
    bench.connection = other_git(server)
    return server


def left_on_disk(folder: Path, *secrets: str) -> list[str]:
    """Files below a folder that hold one of the secrets."""
    return [
        os.fspath(path)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


def test_a_repository_comes_over_and_its_password_is_nowhere(server: GitServer, bench: Bench, evidence: Giver) -> None:
    server.repository("tools", {"a.txt": "tools"})
    result, log = bench.run(
        bench.checkout(), bench.script("cat a.txt; git log --oneline; env; cat .git/config"), repository=repository()
    )
    assert (result, bench.issues()) == (Result.SUCCEEDED, [])
    assert "Syncing repository: tools (Git)" in log
    assert server.asked
    assert {authorization for _, authorization in server.asked} == {RIGHT}
    assert server.seen_in_arguments == []
    assert PASSWORD not in log
    assert RIGHT.split()[1] not in log
    assert left_on_disk(bench.work, PASSWORD, RIGHT.split()[1]) == []
    assert server.git(bench.sources, "config", "remote.origin.url") == f"{server.url}/tools"
    assert server.git(bench.sources, "branch", "-r") == "origin/main"
    evidence("git", "UsernamePassword", "used", "git http-backend", task="checkout")


def test_the_commit_of_the_run_is_checked_out_though_the_branch_went_on(server: GitServer, bench: Bench) -> None:
    server.repository("tools", {"a.txt": "old"})
    old = server.git(server.root / "tools.git", "rev-parse", "main")
    server.push("tools", {"a.txt": "new"})
    for depth in ("", "1"):
        _, _ = bench.run(bench.checkout(fetchDepth=depth, clean="true"), repository=repository(commit=old))
        assert bench.issues() == []
        assert server.git(bench.sources, "rev-parse", "HEAD") == old
        assert (bench.sources / "a.txt").read_text() == "old"


@pytest.mark.parametrize("depth", ["", "1"])
def test_a_server_that_gives_out_no_commit_as_such_is_asked_for_the_branch(
    server: GitServer, bench: Bench, depth: str
) -> None:
    server.old = True
    server.repository("tools", {"a.txt": "old"})
    old = server.git(server.root / "tools.git", "rev-parse", "main")
    server.push("tools", {"a.txt": "new"})
    bench.run(bench.checkout(fetchDepth=depth), repository=repository(ref="refs/heads/main", commit=old))
    assert bench.issues() == []
    assert (bench.sources / "a.txt").read_text() == "old"
    bench.run(bench.checkout(fetchDepth=depth), repository=repository())
    assert (bench.sources / "a.txt").read_text() == "new"


@pytest.mark.parametrize("ref", ["side", "refs/heads/side", "refs/tags/v1", "v1"])
def test_a_ref_is_a_branch_or_a_tag(server: GitServer, bench: Bench, ref: str) -> None:
    work = server.repository("tools")
    server.git(work, "checkout", "-q", "-b", "side")
    made = server.push("tools", {"side.txt": "s"})
    server.git(work, "tag", "-a", "-m", "annotated", "v1")
    server.git(work, "push", "-q", "--tags", "origin")
    assert bench.run(bench.checkout(), repository=repository(ref=ref))[0] == Result.SUCCEEDED
    assert server.git(bench.sources, "rev-parse", "HEAD") == made


def test_a_ref_that_is_none_is_told(server: GitServer, bench: Bench) -> None:
    server.repository("tools")
    assert bench.run(bench.checkout(), repository=repository(ref="nowhere"))[0] == Result.FAILED
    assert "the repository has no 'nowhere'" in bench.issues()[0]


def test_depth_tags_filter_and_sparse_checkout(server: GitServer, bench: Bench) -> None:
    work = server.repository("tools", {"one/a": "1", "two/b": "2", "root": "r"})
    server.push("tools", {"one/a": "11"})
    server.git(work, "tag", "v1")
    server.git(work, "push", "-q", "--tags", "origin")
    inputs = {"fetchDepth": "1", "fetchTags": "false", "sparseCheckoutDirectories": "one", "fetchFilter": "blob:none"}
    bench.run(bench.checkout(**inputs), repository=repository())
    assert bench.issues() == []
    assert server.git(bench.sources, "rev-list", "--count", "HEAD") == "1"
    assert server.git(bench.sources, "tag") == ""
    assert sorted(path.name for path in bench.sources.iterdir()) == [".git", "one", "root"]
    bench.run(bench.checkout(sparseCheckoutPatterns="/two/"), repository=repository())
    assert sorted(path.name for path in bench.sources.iterdir()) == [".git", "two"]


def test_options_of_the_resource_fill_what_the_step_leaves_empty(server: GitServer, bench: Bench) -> None:
    server.repository("tools")
    server.push("tools", {"a.txt": "2"})
    options = {"fetchDepth": "1", "fetchTags": "false"}
    bench.run(bench.checkout(), repository=repository(options=options))
    assert server.git(bench.sources, "rev-list", "--count", "HEAD") == "1"
    bench.run(bench.checkout(fetchDepth="0"), repository=repository(options=options))
    assert server.git(bench.sources, "rev-list", "--count", "HEAD") == "2"


def test_what_was_there_stays_unless_clean_asks(server: GitServer, bench: Bench) -> None:
    server.repository("tools")
    bench.run(bench.checkout(), repository=repository())
    (bench.sources / "left").write_text("l")
    bench.run(bench.checkout(), repository=repository())
    assert (bench.sources / "left").exists()
    bench.run(bench.checkout(clean="true"), repository=repository())
    assert not (bench.sources / "left").exists()


def test_credentials_persist_for_the_job_and_no_longer(server: GitServer, bench: Bench) -> None:
    server.repository("tools")
    fetch = "git fetch -q origin && echo fetched; ls -l $(git config include.path) | cut -c1-10"
    result, log = bench.run(bench.checkout(persistCredentials="true"), bench.script(fetch), repository=repository())
    assert result == Result.SUCCEEDED
    assert "\nfetched\n-rw-------\n" in log
    assert server.seen_in_arguments == []
    assert left_on_disk(bench.work, PASSWORD, RIGHT.split()[1]) == []
    fetch = "GIT_TERMINAL_PROMPT=0 git fetch -q origin || echo refused"
    _, log = bench.run(bench.checkout(), bench.script(fetch), repository=repository())
    assert "\nrefused\n" in log


def test_submodules_of_the_same_server_get_the_credentials_and_others_do_not(
    server: GitServer, bench: Bench, git_servers: Callable[..., GitServer]
) -> None:
    elsewhere = git_servers()
    elsewhere.repository("open", {"o": "o"})
    server.repository("inner", {"i": "i"})
    work = server.repository("tools")
    server.accepted = None
    for url, name in ((f"{server.url}/inner.git", "inner"), (f"{elsewhere.url}/open.git", "open")):
        server.git(work, "submodule", "add", "-q", url, name)
    server.commit(work, {})
    server.git(work, "push", "-q", "origin", "HEAD")
    server.accepted = RIGHT
    elsewhere.asked.clear()
    bench.run(bench.checkout(submodules="true"), repository=repository())
    assert bench.issues() == []
    assert (bench.sources / "inner/i").read_text() == "i"
    assert (bench.sources / "open/o").read_text() == "o"
    assert {authorization for _, authorization in elsewhere.asked} == {None}


def test_a_submodule_on_this_machine_is_not_followed(server: GitServer, bench: Bench) -> None:
    server.repository("secret", {"s": "s"})
    work = server.repository("tools")
    server.git(work, "submodule", "add", "-q", os.fspath(server.root / "secret.git"), "inner")
    server.commit(work, {})
    server.git(work, "push", "-q", "origin", "HEAD")
    assert bench.run(bench.checkout(submodules="true"), repository=repository())[0] == Result.FAILED
    assert "leads to an address that is not followed" in bench.issues()[0]


def test_wrong_credentials_missing_repositories_and_dead_servers_are_told_apart(
    server: GitServer, bench: Bench
) -> None:
    server.repository("tools")
    bench.run(bench.checkout(), repository=repository("nothing"))
    assert f"there is no repository at {server.url}/nothing" in bench.issues()[0]
    bench.connection = other_git(server, "wrong-password")
    bench.run(bench.checkout(), repository=repository())
    assert f"{server.url} does not accept the credentials" in bench.issues()[0]
    assert "wrong-password" not in str(bench.issues())
    bench.connection = make_connection("git", "conn", url="http://127.0.0.1:1", values={"username": "u"})
    bench.run(bench.checkout(), repository=repository())
    assert "http://127.0.0.1:1 cannot be reached" in bench.issues()[0]


def test_credentials_do_not_follow_to_another_server(
    server: GitServer, bench: Bench, git_servers: Callable[..., GitServer]
) -> None:
    other = git_servers()
    other.repository("tools")
    server.redirect = other.url
    assert bench.run(bench.checkout(), repository=repository())[0] == Result.FAILED
    assert "sends to another place, where credentials are not sent" in bench.issues()[0]
    assert other.asked == []


def test_what_earlier_steps_set_does_not_meet_the_credentials(server: GitServer, bench: Bench) -> None:
    server.repository("tools")
    trace = bench.folder / "trace"
    hostile = {"GIT_TRACE_CURL": os.fspath(trace), "GIT_TRACE_REDACT": "0", "GIT_SSL_NO_VERIFY": "1"}
    bench.run(bench.checkout(), repository=repository(), variables=hostile)
    assert bench.issues() == []
    assert not trace.exists()


def test_several_checkouts_lie_beside_each_other(server: GitServer, bench: Bench) -> None:
    server.repository("team/tools")
    result, log = bench.run(
        bench.checkout("One"),
        bench.checkout("Two", path="s/second"),
        bench.script("ls; echo at $BUILD_SOURCESDIRECTORY"),
        repository=repository("team/tools"),
    )
    assert result == Result.SUCCEEDED
    assert f"second\ntools\nat {bench.sources}" in log


def test_an_enterprise_server_is_cloned_with_its_token(git_servers: Callable[..., GitServer], bench: Bench) -> None:
    server = git_servers(accepted=basic("x-access-token", TOKEN), secrets=(TOKEN,))
    server.repository("octo/tools")
    bench.connection = make_connection(
        "githubenterprise", "conn", url=f"{server.url}/", scheme="Token", values={"apitoken": TOKEN}
    )
    bench.run(bench.checkout(), repository=repository("octo/tools", type="githubenterprise"))
    assert bench.issues() == []
    assert server.seen_in_arguments == []
    bench.run(bench.checkout(), repository=repository("octo", type="githubenterprise"))
    assert "'octo' is no name of a repository" in bench.issues()[0]
    bench.run(bench.checkout(), repository=repository("octo/tools", type="bitbucket"))
    assert "does not open repositories of type 'bitbucket'" in bench.issues()[0]


def test_a_certificate_that_nobody_trusts_is_accepted_only_when_the_connection_says_so(
    git_servers: Callable[..., GitServer], bench: Bench, self_signed: ssl.SSLContext
) -> None:
    server = git_servers(tls=self_signed, accepted=basic("x-access-token", TOKEN))
    server.repository("octo/tools")
    values = {"apitoken": TOKEN}
    bench.connection = make_connection("githubenterprise", "conn", url=server.url, scheme="Token", values=values)
    asked = repository("octo/tools", type="githubenterprise")
    bench.run(bench.checkout(), repository=asked)
    assert f"no trusted TLS connection to {server.url}" in bench.issues()[0]
    assert server.asked == []
    values["acceptUntrustedCerts"] = "true"
    bench.connection = make_connection("githubenterprise", "conn", url=server.url, scheme="Token", values=values)
    bench.run(bench.checkout(), repository=asked)
    assert bench.issues() == []


def test_a_connection_that_was_not_opened_is_no_anonymous_clone(bench: Bench) -> None:
    bench.run(bench.checkout(), repository=repository("a/b", type="github"))
    assert "needs its service connection 'conn'" in bench.issues()[0]


def test_a_bearer_header_opens_a_repository_too(git_servers: Callable[..., GitServer], tmp_path: Path) -> None:
    from sluice.plugin import Login, Secret
    from sluice.runtime.git import Git
    from sluice.runtime.remote import Remote
    from sluice.runtime.revisions import resolve

    server = git_servers(accepted=f"Bearer {TOKEN}", secrets=(TOKEN,))
    server.repository("tools")
    remote = Remote(url=f"{server.url}/tools.git", login=Login(header=Secret(f"Bearer {TOKEN}")))
    client = Git(environ=dict(os.environ), cancellation=Cancellation(), cwd=tmp_path, remote=remote)
    found: Mapping[str, str] = {"commit": resolve(client, remote, "")[0]}
    assert found["commit"] == server.git(server.root / "tools.git", "rev-parse", "main")
    assert server.seen_in_arguments == []


def test_large_files_need_git_lfs(server: GitServer, bench: Bench) -> None:
    server.repository("tools")
    folder = bench.folder / "bin"
    folder.mkdir()
    for name in ("git", "bash", "sh"):
        real = next(Path(place) / name for place in os.environ["PATH"].split(":") if (Path(place) / name).exists())
        (folder / name).symlink_to(real)
    bench.environ["PATH"] = os.fspath(folder)
    bench.run(bench.checkout(lfs="true"), repository=repository())
    assert "git-lfs is not installed" in bench.issues()[0]


def test_large_files_come_over_with_the_same_credentials(
    server: GitServer, bench: Bench, require_program: Callable[[str, str], Path]
) -> None:
    require_program("git-lfs", "apt-get install git-lfs")
    content = b"large content"
    oid = hashlib.sha256(content).hexdigest()
    server.large[oid] = content
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    server.repository("tools", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": pointer})
    bench.run(bench.checkout(lfs="true"), repository=repository())
    assert bench.issues() == []
    assert (bench.sources / "a.bin").read_bytes() == content
    assert server.seen_in_arguments == []
    bench.run(bench.checkout(clean="true"), repository=repository())
    assert (bench.sources / "a.bin").exists()


def test_the_look_at_arguments_would_see_a_secret(git_servers: Callable[..., GitServer]) -> None:
    server = git_servers(secrets=(PASSWORD,))
    arguments = ["sh", "-c", "echo ready; read x", PASSWORD]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        server.look_at_arguments()
        process.communicate()
    assert server.seen_in_arguments == [PASSWORD]


PREPARED = r"""
stolen={stolen}; mkdir -p "$BUILD_SOURCESDIRECTORY"; cd "$BUILD_SOURCESDIRECTORY"
git init -q --template= .; git remote add origin {url}
program="sh -c 'env > $stolen; cat'"
git config filter.x.smudge "$program"; git config core.alternateRefsCommand "$program"; git config core.fsmonitor "$program"
git config core.sshCommand "$program"; git config http.proxy {elsewhere}; git config url.{elsewhere}/.insteadOf {origin}/
mkdir -p .git/info .git/hooks; echo '* filter=x' > .git/info/attributes; mkdir -p .git/objects/info
echo /tmp > .git/objects/info/alternates
printf '#!/bin/sh\nenv > %s\n' "$stolen" > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
export HOME={home}; git config --global filter.x.smudge "$program"; git config --global http.proxy {elsewhere}
git config --global url.{elsewhere}/.insteadOf {origin}/
git init -q --template= "$PIPELINE_WORKSPACE"; cp .git/config "$PIPELINE_WORKSPACE/.git/config"
"""


@pytest.mark.parametrize("options", [{}, {"fetchFilter": "blob:none"}, {"clean": "true"}, {"fetchDepth": "1"}])
def test_a_repository_that_an_earlier_step_has_prepared_gets_no_credentials(
    server: GitServer, bench: Bench, git_servers: Callable[..., GitServer], tmp_path: Path, options: dict[str, str]
) -> None:
    server.repository("tools", {"f.txt": "f", ".gitattributes": "* filter=x"})
    elsewhere = git_servers()
    stolen = tmp_path / "stolen"
    script = PREPARED.format(
        stolen=stolen, url=f"{server.url}/tools", origin=server.url, elsewhere=elsewhere.url, home=bench.environ["HOME"]
    )
    result, _ = bench.run(bench.script(script), bench.checkout(**options), repository=repository())
    assert (result, bench.issues()) == (Result.SUCCEEDED, [])
    assert (bench.sources / "f.txt").read_text() == "f"
    assert not stolen.exists() or RIGHT.split()[1] not in stolen.read_text()
    assert elsewhere.asked == []
    settings = (bench.sources / ".git" / "config").read_text()
    assert not any(word in settings for word in ("[filter", "proxy", "insteadOf", "Command"))
    assert not (bench.sources / ".git" / "hooks").exists()


def test_a_prepared_replacement_of_the_commit_is_not_believed(server: GitServer, bench: Bench) -> None:
    server.repository("tools", {"f.txt": "right"})
    bench.run(bench.checkout(), repository=repository())
    forged = bench.script(
        'cd "$BUILD_SOURCESDIRECTORY"; old=$(git rev-parse HEAD); echo wrong > f.txt; git add f.txt\n'
        "git -c user.name=T -c user.email=t@e commit -q -m wrong; git replace $old HEAD; git checkout -q $old"
    )
    bench.run(forged, bench.checkout(), repository=repository())
    assert bench.issues() == []
    assert (bench.sources / "f.txt").read_text() == "right"


def test_the_history_that_is_there_is_not_fetched_again_and_files_that_went_go(server: GitServer, bench: Bench) -> None:
    server.repository("tools", {"a.txt": "a", "gone.txt": "g"})
    bench.run(bench.checkout(), repository=repository())
    objects = {path.name for path in (bench.sources / ".git" / "objects").rglob("*") if path.is_file()}
    work = server.root.parent / f"{server.root.name}-work" / "tools"
    server.git(work, "rm", "-q", "gone.txt")
    server.push("tools", {"b.txt": "b"})
    bench.run(bench.checkout(), repository=repository())
    assert bench.issues() == []
    after = {path.name for path in (bench.sources / ".git" / "objects").rglob("*") if path.is_file()}
    assert objects < after
    assert sorted(path.name for path in bench.sources.iterdir()) == [".git", "a.txt", "b.txt"]
    assert server.git(bench.sources, "status", "--porcelain") == ""


def test_a_sparse_checkout_becomes_a_whole_one(server: GitServer, bench: Bench) -> None:
    server.repository("tools", {"a/a.txt": "a", "b/b.txt": "b"})
    bench.run(bench.checkout(sparseCheckoutDirectories="a"), repository=repository())
    assert not (bench.sources / "b").exists()
    bench.run(bench.checkout(), repository=repository())
    assert bench.issues() == []
    assert (bench.sources / "b" / "b.txt").read_text() == "b"


def test_a_checkout_does_not_leave_the_workspace_through_a_link(
    server: GitServer, bench: Bench, tmp_path: Path
) -> None:
    server.repository("tools", {"f.txt": "f"})
    (tmp_path / "outside" / "sub").mkdir(parents=True)
    link = bench.script(f'ln -sfn {tmp_path}/outside "$PIPELINE_WORKSPACE/l"')
    result, _ = bench.run(link, bench.checkout(path="l/sub"), repository=repository())
    assert result == Result.FAILED
    assert any("behind a link" in issue for issue in bench.issues())
    assert bench.run(link, bench.checkout(path="l"), repository=repository())[0] == Result.SUCCEEDED
    assert [path.name for path in (tmp_path / "outside").rglob("*")] == ["sub"]
    assert (bench.work / "1" / "l" / "f.txt").read_text() == "f"
