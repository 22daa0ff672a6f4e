from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.certificates import Authority
from tests.doubles.web import Double, served
from tests.real.docker.conftest import Engine, FindProgram, Registry

from sluice.plugin import Connection, Secret, VerificationError
from sluice.testing.ssh_host import SshHost
from sluice_docker import verify_host, verify_registry

pytestmark = pytest.mark.real


@pytest.fixture
def trusted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(registry.authority.path))
    return registry


def test_a_registry_accepts_its_user(trusted: Registry, evidence: Giver) -> None:
    assert verify_registry(trusted.connection()) == f"{trusted.host} accepts the user builder"
    evidence("dockerregistry", "UsernamePassword", "verified right", "docker-registry")


def test_a_wrong_password_is_told(trusted: Registry, evidence: Giver) -> None:
    with pytest.raises(VerificationError, match="does not accept the user name and password"):
        verify_registry(trusted.connection(password="wrong-7a21"))
    evidence("dockerregistry", "UsernamePassword", "verified wrong", "docker-registry")


def test_a_certificate_that_nobody_trusts_is_told(registry: Registry) -> None:
    with pytest.raises(VerificationError, match=r"certificate of .* is not trusted"):
        verify_registry(registry.connection())


def test_a_wrong_address_is_told(trusted: Registry) -> None:
    with pytest.raises(VerificationError, match="refused the connection"):
        verify_registry(trusted.connection(host="127.0.0.1:1"))


def test_a_host_answers_to_a_known_client(engine: Engine, evidence: Giver) -> None:
    assert verify_host(engine.connection()).startswith("Docker engine ")
    evidence("dockerhost", "Certificate", "verified right", "Docker Engine")


def test_a_client_certificate_of_somebody_else_is_told(engine: Engine, tmp_path: Path, evidence: Giver) -> None:
    with pytest.raises(VerificationError, match="the engine does not accept the client certificate"):
        verify_host(engine.connection(Authority(tmp_path)))
    evidence("dockerhost", "Certificate", "verified wrong", "Docker Engine")


def test_a_host_that_is_not_there_is_told(engine: Engine) -> None:
    with pytest.raises(VerificationError, match=r"nothing answers at tcp://127.0.0.1:1"):
        verify_host(engine.connection(address="tcp://127.0.0.1:1"))


def test_a_host_with_a_certificate_of_somebody_else_is_told(engine: Engine, tmp_path: Path) -> None:
    known = engine.connection()
    other = Secret(Authority(tmp_path).path.read_text())
    with pytest.raises(VerificationError, match="is not signed by the connection's CA"):
        verify_host(replace(known, parameters={**known.parameters, "cacert": other}))


def test_an_address_without_tls_is_told(engine: Engine) -> None:
    double = Double()
    with served(double), pytest.raises(VerificationError, match="does not speak TLS"):
        verify_host(engine.connection(address=double.url.replace("http://", "tcp://")))
    assert double.calls == []


def test_a_host_is_reached_over_ssh_with_the_key_of_the_connection(
    engine: Engine, tmp_path: Path, require_program: FindProgram, monkeypatch: pytest.MonkeyPatch, evidence: Giver
) -> None:
    ssh_keygen = require_program("ssh-keygen", "apt-get install openssh-client")
    subprocess.run([ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nDOCKER_HOST={engine.socket} exec {shutil.which("docker")} "$@"\n')
    program.chmod(0o755)
    with ExitStack() as running:
        with monkeypatch.context() as far_side:  # where docker is another engine's
            far_side.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
            host = running.enter_context(SshHost(authorized_keys=[(tmp_path / "id.pub").read_text()]))
        connection = Connection(
            id="1",
            name="far",
            type="dockerhost",
            url=f"ssh://{host.user}@127.0.0.1:{host.port}",
            scheme="PrivateKey",
            parameters={
                "privatekey": Secret((tmp_path / "id").read_text()),
                "knownhosts": f"[127.0.0.1]:{host.port} {host.host_key}",
            },
        )
        assert verify_host(connection).startswith("Docker engine ")
        other = {**connection.parameters, "knownhosts": f"[127.0.0.1]:{host.port} ssh-ed25519 {'A' * 68}"}
        with pytest.raises(VerificationError, match="there is no Docker engine at ssh://"):
            verify_host(replace(connection, parameters=other))
    evidence("dockerhost", "PrivateKey", "verified right", "Docker Engine over SSH")
    evidence("dockerhost", "PrivateKey", "verified wrong", "Docker Engine over SSH")
