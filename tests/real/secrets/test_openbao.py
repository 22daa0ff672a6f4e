"""Vault references against a real OpenBao: KV 2, leases, a job that ends, and one whose process is killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from sluice.plugin import SluiceError
from sluice_secrets import Vault

pytestmark = pytest.mark.real

TOKEN = "root-0815-token"
PASSWORD = "npm-password-4711"
PIPELINE = """
steps:
- task: npmAuthenticate@0
  inputs: {workingFile: .npmrc, customEndpoint: feed}
- bash: |
    cat .npmrc
    touch here
    %s
  displayName: look
"""


class OpenBao:
    """A development server: in memory, on loopback; what is under `secret/` is leased when `leased` is set."""

    def __init__(self, program: Path, folder: Path, *, leased: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        arguments = [
            "-dev",
            f"-dev-root-token-id={TOKEN}",
            f"-dev-listen-address=127.0.0.1:{port}",
            "-dev-no-store-token",
        ]
        self._log = (folder / "openbao.log").open("wb")
        self._process = subprocess.Popen(
            [program, "server", *arguments, *(["-dev-leased-kv"] if leased else [])],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(folder)},
        )
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/v1/sys/health", timeout=5).status_code == 200:
                    return
        raise RuntimeError((folder / "openbao.log").read_text())

    def call(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> Any:
        answer = requests.request(
            method, f"{self.url}/v1/{path}", json=body, headers={"X-Vault-Token": token}, timeout=10
        )
        return answer.json() if answer.content else {}

    def leases(self) -> list[str]:
        """The leases of `secret/feed` that have not ended."""
        found = self.call("LIST", "sys/leases/lookup/secret/feed").get("data") or {}
        return list(found.get("keys", []))

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


Start = Callable[..., OpenBao]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts servers. No package repository has them, so without one the tests are skipped, always."""
    program = shutil.which("bao")
    if program is None:
        pytest.skip("bao is not installed; get OpenBao from https://openbao.org/docs/install")
    monkeypatch.setenv("SLUICE_VAULT_TOKEN", TOKEN)
    with ExitStack() as running:

        def begin(*, leased: bool = False) -> OpenBao:
            server = OpenBao(Path(program), tmp_path, leased=leased)
            running.callback(server.end)
            monkeypatch.setenv("SLUICE_VAULT_ADDR", server.url)
            return server

        yield begin


def test_versions_and_policies_of_the_key_value_engine(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    for password in ("first", "second"):
        server.call("POST", "secret/data/team/depot", {"data": {"password": password, "user": "ada"}})
    references = ["secret/team/depot#password", "secret/team/depot?version=1#password", "secret/team/depot#user"]
    found = Vault().read(references, None)
    assert [one.reveal() for one in found.secrets.values()] == ["second", "first", "ada"]
    assert found.leases == ()
    server.call("POST", "sys/policies/acl/reader", {"policy": 'path "secret/data/team/*" { capabilities = ["read"] }'})
    reader = server.call("POST", "auth/token/create", {"policies": ["reader"]})["auth"]["client_token"]
    monkeypatch.setenv("SLUICE_VAULT_TOKEN", reader)
    assert Vault().read(["secret/team/depot#user"], None).secrets["secret/team/depot#user"].reveal() == "ada"
    for reference, text in (
        ("secret/other#x", "no policy of it allows that"),
        ("secret/team/none#x", "has no secret 'secret/team/none'"),
        ("secret/team/depot?version=7#user", "has no secret"),
        ("nowhere/x#y", "no policy of it allows that"),
    ):
        with pytest.raises(SluiceError, match=text):
            Vault().read([reference], None)
    server.call("DELETE", "secret/data/team/depot")
    with pytest.raises(SluiceError, match="was deleted"):
        Vault().read(["secret/team/depot#user"], None)


def test_an_approle_logs_in(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    server.call("POST", "secret/data/depot", {"data": {"password": "first"}})
    server.call("POST", "sys/policies/acl/reader", {"policy": 'path "secret/data/*" { capabilities = ["read"] }'})
    server.call("POST", "sys/auth/approle", {"type": "approle"})
    server.call("POST", "auth/approle/role/ci", {"token_policies": ["reader"]})
    monkeypatch.setenv("SLUICE_VAULT_ROLE_ID", server.call("GET", "auth/approle/role/ci/role-id")["data"]["role_id"])
    secret_id = server.call("POST", "auth/approle/role/ci/secret-id")["data"]["secret_id"]
    monkeypatch.setenv("SLUICE_VAULT_SECRET_ID", secret_id)
    assert Vault().read(["secret/depot"], None).secrets["secret/depot"].reveal() == "first"
    monkeypatch.setenv("SLUICE_VAULT_SECRET_ID", "wrong")
    with pytest.raises(SluiceError, match="refuses the AppRole"):
        Vault().read(["secret/depot"], None)


def test_a_lease_is_one_for_all_fields_and_is_revoked(start: Start) -> None:
    server = start(leased=True)
    server.call("POST", "secret/feed", {"user": "ada", "password": PASSWORD, "ttl": "1h"})
    reading = Vault().read(["secret/feed#user", "secret/feed#password"], None)
    assert (len(reading.leases), reading.leases[0].seconds, len(server.leases())) == (1, 3600.0, 1)
    Vault().revoke(reading.leases[0].id)
    assert server.leases() == []
    Vault().revoke(reading.leases[0].id)


class Sluice:
    """The command in a home of its own, as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own = {"SLUICE_VAULT_ADDR", "SLUICE_VAULT_TOKEN"}
        inherited = {name: value for name, value in os.environ.items() if name in own or not name.startswith("SLUICE_")}
        self.environment = {**inherited, "SLUICE_HOME": str(folder / "home")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sluice", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *arguments: str, status: int = 0) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=90)
        assert process.returncode == status, output
        return output


@pytest.fixture
def sluice(tmp_path: Path) -> Callable[[], Sluice]:
    """Makes a project with a connection whose user name and password are made by the vault for each use."""

    def make() -> Sluice:
        work = tmp_path / "work"
        work.mkdir()
        (work / ".npmrc").write_text("registry=http://127.0.0.1:9/npm/\n")
        made = Sluice(work)
        fields = ("--type", "externalnpmregistry", "--scheme", "UsernamePassword", "--url", "http://127.0.0.1:9/npm/")
        refs = (
            "--secret-ref",
            "username=vault:secret/feed#user",
            "--secret-ref",
            "password=vault:secret/feed#password",
        )
        made("connection", "create", "feed", *fields, *refs, "--allow-all-pipelines")
        return made

    return make


def test_a_job_is_given_what_the_vault_makes_and_the_lease_ends_with_it(
    start: Start, sluice: Callable[[], Sluice], tmp_path: Path
) -> None:
    server = start(leased=True)
    server.call("POST", "secret/feed", {"user": "ada", "password": PASSWORD, "ttl": "1h"})
    run = sluice()
    (run.folder / "azure-pipelines.yml").write_text(PIPELINE % "true")
    output = run("run")
    assert ":username=ada" in output
    assert PASSWORD not in output
    assert server.leases() == []
    found = json.loads(run("audit", "list", "--output", "json"))
    text = json.dumps(found)
    assert "Sluice.SecretReferencesResolved" in text
    assert "Sluice.SecretLeaseEnded" in text
    assert PASSWORD not in text
    run("audit", "verify")
    stored = b"".join(path.read_bytes() for path in (run.folder / "home").rglob("*") if path.is_file())
    assert PASSWORD.encode() not in stored


def test_the_lease_of_a_killed_process_ends_when_the_next_run_starts(
    start: Start, sluice: Callable[[], Sluice], tmp_path: Path
) -> None:
    server = start(leased=True)
    server.call("POST", "secret/feed", {"user": "ada", "password": PASSWORD, "ttl": "1h"})
    run = sluice()
    (run.folder / "azure-pipelines.yml").write_text(PIPELINE % "while true; do read -t 1 <> <(:) || true; done")
    (run.folder / "other.yml").write_text("steps:\n- script: echo other\n")
    process = run.start("run")
    assert process.stdout is not None
    for line in process.stdout:
        if ":username=" in line:
            break
    assert len(server.leases()) == 1
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    assert len(server.leases()) == 1
    run("run", "other.yml")
    assert server.leases() == []
    run("resume", "1", status=1)
