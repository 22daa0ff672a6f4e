"""Git over SSH: a connection with a key opens a repository, for verification and for a checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tests.conftest import Giver
from tests.doubles.processes import command_lines
from tests.real.source.conftest import commit, git

from sluice.plugin import Connection, SluiceError, SourceRepository, TrustNeededError, VerificationError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.git import Git, GitFailedError
from sluice.runtime.remote import locate
from sluice.testing.connections import make_connection
from sluice.testing.ssh_host import SshHost
from sluice_source import sluice_family, verify_git

pytestmark = pytest.mark.real
PHRASE = "key-phrase-0001"


def private_text(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, phrase: str = ""
) -> str:
    sealed = serialization.BestAvailableEncryption(phrase.encode()) if phrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, sealed).decode()


KEY = ed25519.Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


@dataclass
class Server:
    host: SshHost
    folder: Path

    def connection(self, *, path: str = "", **more: str) -> Connection:
        values = {"username": self.host.user, "privatekey": private_text(KEY), "HostKey": self.host.host_key, **more}
        url = f"ssh://127.0.0.1:{self.host.port}{path or self.folder / 'tools.git'}"
        return make_connection("git", "repo", url=url, scheme="PrivateKey", values=values)


@pytest.fixture
def server(tmp_path: Path, require_program: Callable[[str, str], Path]) -> Iterator[Server]:
    require_program("git", "apt-get install git")
    require_program("ssh", "apt-get install openssh-client")
    bare = tmp_path / "tools.git"
    bare.mkdir()
    git(bare, "init", "-q", "--bare")
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q")
    commit(work, {"hello.txt": "hello\n"})
    git(work, "push", "-q", os.fspath(bare), "HEAD:refs/heads/main")
    with SshHost(tmp_path, authorized_keys=[PUBLIC]) as host:
        yield Server(host, tmp_path)


def refusal(connection: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify_git(connection)
    return str(raised.value)


def test_a_key_opens_the_repository(server: Server, evidence: Giver) -> None:
    told = f"ssh://127.0.0.1:{server.host.port} showed the repository to deploy"
    assert verify_git(server.connection()) == told
    assert verify_git(server.connection(privatekey=private_text(KEY, PHRASE), passphrase=PHRASE)) == told
    evidence("git", "PrivateKey", "verified right", "SSH host of the tests, git")


def test_verification_tells_why_not(server: Server, evidence: Giver) -> None:
    stranger = private_text(ec.generate_private_key(ec.SECP256R1()))
    assert "does not accept the key for the account 'deploy'" in refusal(server.connection(privatekey=stranger))
    assert "there is no git repository at" in refusal(server.connection(path="/nowhere/at-all.git"))
    sealed = private_text(KEY, PHRASE)
    assert "its passphrase is missing or wrong" in refusal(
        server.connection(privatekey=sealed, passphrase="wrong-0666")
    )
    cut = private_text(KEY)[:120] + "\n-----END OPENSSH PRIVATE KEY-----"
    assert "the private key cannot be read" in refusal(server.connection(privatekey=cut))
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    pin = other.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    assert "is not the pinned one" in refusal(server.connection(HostKey=pin))
    evidence("git", "PrivateKey", "verified wrong", "SSH host of the tests, git")


def test_a_host_that_nobody_has_vouched_for_is_asked_about(server: Server) -> None:
    with pytest.raises(TrustNeededError) as raised:
        verify_git(server.connection(HostKey=""))
    assert raised.value.value.split()[:2] == server.host.host_key.split()[:2]


def test_an_address_and_a_scheme_have_to_go_together(server: Server) -> None:
    made = make_connection("git", url="ssh://127.0.0.1/x", values={"username": "a", "password": "pass-word-0001"})
    assert "an SSH key goes with a URL of the form ssh://" in refusal(made)
    assert "link-local" in refusal(
        make_connection(
            "git", url="ssh://169.254.169.254/x", scheme="PrivateKey", values={"privatekey": private_text(KEY)}
        )
    )


def cloned(server: Server, connection: Connection, target: Path) -> Git:
    rules = {name.casefold(): rule for name, rule in sluice_family().repositories.items()}
    remote = locate(rules, SourceRepository(type="git"), connection)
    private = server.folder / "private"
    private.mkdir(exist_ok=True)
    environ = {"PATH": os.environ["PATH"], "HOME": os.fspath(server.folder)}
    made = Git(environ=environ, cancellation=Cancellation(), cwd=server.folder, remote=remote, private=private)
    made("clone", "--quiet", remote.url, os.fspath(target))
    return made


def test_a_clone_uses_the_key_and_leaves_it_nowhere(server: Server, tmp_path: Path, evidence: Giver) -> None:
    cloned(server, server.connection(), tmp_path / "clone")
    assert (tmp_path / "clone" / "hello.txt").read_text() == "hello\n"
    secret = private_text(KEY).splitlines()[2].encode()
    assert secret not in command_lines()
    assert list((tmp_path / "private").iterdir()) == []
    found = subprocess.run(["grep", "-rl", secret, os.fspath(tmp_path)], capture_output=True, check=False).stdout
    assert found == b""
    evidence("git", "PrivateKey", "used", "SSH host of the tests, git", task="checkout")


def test_a_user_in_the_address_is_understood(server: Server, tmp_path: Path) -> None:
    made = server.connection()
    url = made.url.replace("ssh://", f"ssh://{server.host.user}@")
    values = {"username": "", "privatekey": private_text(KEY), "HostKey": server.host.host_key}
    again = make_connection("git", "repo", url=url, scheme="PrivateKey", values=values)
    assert "showed the repository to deploy" in verify_git(again)
    cloned(server, again, tmp_path / "again")


def test_a_clone_from_a_host_with_another_key_is_refused(server: Server, tmp_path: Path) -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    pin = other.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    with pytest.raises(GitFailedError, match="shows another host key than the connection's"):
        cloned(server, server.connection(HostKey=pin), tmp_path / "refused")
    stranger = private_text(ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(GitFailedError, match="does not accept the credentials"):
        cloned(server, server.connection(privatekey=stranger), tmp_path / "refused")


def test_a_key_is_for_ssh_alone(server: Server, tmp_path: Path) -> None:
    made = make_connection(
        "git", url="https://git.example/x", scheme="PrivateKey", values={"privatekey": private_text(KEY)}
    )
    with pytest.raises(SluiceError, match="it is no plain address of ssh"):
        cloned(server, made, tmp_path / "never")
