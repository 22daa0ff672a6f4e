"""Real OpenSSH servers on loopback, run as the current user."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluice.plugin import Connection, Secret

INSTALL = "apt-get install openssh-server"
ATTEMPTS = 5


@dataclass(frozen=True)
class KeyPair:
    """A key pair in OpenSSH format."""

    private: str
    public: str

    @staticmethod
    def make() -> KeyPair:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        return KeyPair(private.decode(), public.decode())


@dataclass
class Sshd:
    """A running sshd that lets the current user in with `key`, and with what is added to `authorized`."""

    port: int
    host_key: str
    key: KeyPair
    authorized: Path
    process: subprocess.Popen[str]
    user: str = field(default_factory=lambda: pwd.getpwuid(os.getuid()).pw_name)

    def authorize(self, public: str) -> None:
        """Let this public key in as well."""
        with self.authorized.open("a") as file:
            file.write(f"{public}\n")

    def connection(
        self,
        name: str = "sshd",
        *,
        key: str = "",
        passphrase: str = "",
        jump: Connection | None = None,
        data: Mapping[str, str] | None = None,
    ) -> Connection:
        """A pinned connection to it; `data` replaces values."""
        values: dict[str, str | Secret] = {"Host": "127.0.0.1", "Port": str(self.port), "HostKey": self.host_key}
        values |= {"PrivateKey": Secret(key or self.key.private)} | dict(data or {})
        if jump is not None:
            values["JumpHost"] = jump.name
        parameters: dict[str, str | Secret] = {"username": self.user}
        if passphrase:
            parameters["password"] = Secret(passphrase)
        return Connection(
            id=f"00000000-0000-4000-8000-{self.port:012d}",
            name=name,
            type="ssh",
            url=f"ssh://127.0.0.1:{self.port}",
            scheme="UsernamePassword",
            parameters=parameters,
            data=values,
            linked={} if jump is None else {"JumpHost": jump},
        )


def start(program: Path, folder: Path, options: Mapping[str, str]) -> Sshd:
    """Start an sshd whose files lie in `folder`; `options` are lines of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it when root runs it
    host, user = KeyPair.make(), KeyPair.make()
    host_file = folder / "host_key"
    host_file.write_text(host.private)
    host_file.chmod(0o600)
    authorized = folder / "authorized_keys"
    authorized.write_text(f"{user.public}\n")
    for _ in range(ATTEMPTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {
            "Port": str(port),
            "ListenAddress": "127.0.0.1",
            "HostKey": str(host_file),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "AuthorizedKeysFile": str(authorized),
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "yes",
            "MaxStartups": "100",
            "SetEnv": f"HOME={folder}",  # where no start-up file of the person disturbs
            "Subsystem": "sftp internal-sftp",
        } | dict(options)
        config = folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if "Server listening" in line:
                return Sshd(port, host.public, user, authorized, process)
        stop(process)
        if not any("Address already in use" in line for line in lines):
            pytest.fail(f"sshd does not start: {''.join(lines)}")
    pytest.fail("no free port was found for sshd")


def stop(process: subprocess.Popen[str]) -> None:
    """End an sshd with the sessions that are left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.communicate()


@pytest.fixture
def start_sshd(require_program: Callable[[str, str], Path], tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Starts sshd processes with further lines of configuration; they end with the test."""
    program = require_program("sshd", INSTALL)
    numbers = itertools.count()
    with contextlib.ExitStack() as running:

        def begin(**options: str) -> Sshd:
            sshd = start(program, tmp_path / f"sshd{next(numbers)}", options)
            running.callback(stop, sshd.process)
            return sshd

        yield begin


@pytest.fixture(scope="module")
def sshd(require_program: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd for the tests of one module."""
    program = require_program("sshd", INSTALL)
    running = start(program, tmp_path_factory.mktemp("sshd"), {})
    yield running
    stop(running.process)
