"""A throw-away SSH host on loopback, for `sluice demo` and for tests: no root, no configuration, gone when it is left.

`SshHost` starts it as a child process; `python -m sluice.testing.ssh_host` is that process. It reads its configuration
as one line of JSON from standard input (so that no secret is an argument), prints one line of JSON that says where it
listens, and serves until standard input closes or it is killed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from sluice.hooks.connection import Connection, Value
from sluice.secret import Secret

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 10.0


class SshHost:
    """A throw-away SSH host, as a context manager.

    Commands run as the current user through `/bin/sh` in `folder` (a temporary one unless given), which is also where
    SFTP reaches. `password`, `authorized_keys` (public key lines) and `prompts` (keyboard-interactive: each question
    with the answer it wants) say which authentication it accepts; `forwarding` lets it be a jump host to other ports
    of this machine. Raises `RuntimeError` when it does not start.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        user: str = "deploy",
        password: str | Secret = "",
        authorized_keys: Sequence[str] = (),
        prompts: Sequence[tuple[str, str]] = (),
        forwarding: bool = False,
        port: int = 0,
    ) -> None:
        self.user = user
        self.port = port
        self.host_key = ""
        self.events: list[Mapping[str, Any]] = []
        self._given = folder
        self._config = {
            "user": user,
            "password": password.reveal() if isinstance(password, Secret) else password,
            "authorized_keys": list(authorized_keys),
            "prompts": [list(prompt) for prompt in prompts],
            "forwarding": forwarding,
            "port": port,
        }
        self._resources = contextlib.ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<SshHost {self.user}@{LOOPBACK}:{self.port}>"

    def __enter__(self) -> Self:
        if self._given is None:
            self.folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="sluice-ssh-host-")))
        else:
            self.folder = self._given
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the host."""
        if self._process is None:
            raise RuntimeError("the SSH host is not running")
        return self._process.pid

    @property
    def fingerprint(self) -> str:
        """The short form of its host key that a person compares, as `ssh-keygen -l` prints it."""
        blob = base64.b64decode(self.host_key.split()[1])
        return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"

    def stop(self) -> None:
        """End the host with all commands that it runs; harmless when it has ended already."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self._reader is not None:
                self._reader.join()
            if process.stdout is not None:
                process.stdout.close()
        self._resources.close()

    def connection(
        self, name: str = "ssh-host", *, secrets: Mapping[str, str] | None = None, **data: str | Connection
    ) -> Connection:
        """An opened service connection of type `ssh` to this host.

        `secrets` are `password` and `PrivateKey` (the host's password when left out); further arguments are data
        values, of which a `Connection` becomes a linked one. An empty `HostKey` leaves the host unpinned.
        """
        given = {"password": str(self._config["password"])} if secrets is None else dict(secrets)
        linked = {key: value for key, value in data.items() if isinstance(value, Connection)}
        values: dict[str, Value] = {"Host": LOOPBACK, "Port": str(self.port), "HostKey": self.host_key}
        values |= {key: value.name if isinstance(value, Connection) else value for key, value in data.items()}
        if "PrivateKey" in given:
            values["PrivateKey"] = Secret(given["PrivateKey"])
        parameters: dict[str, Value] = {"username": self.user}
        if given.get("password"):
            parameters["password"] = Secret(given["password"])
        return Connection(
            id=f"00000000-0000-4000-8000-{self.port:012d}",
            name=name,
            type="ssh",
            url=f"ssh://{LOOPBACK}:{self.port}",
            scheme="UsernamePassword",
            parameters=parameters,
            data={key: value for key, value in values.items() if value},
            linked=linked,
        )

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sluice.testing.ssh_host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C on the terminal is for whoever started us, and he ends the host
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the SSH host has no pipes")
        self._process.stdin.write(json.dumps(self._config | {"folder": str(self.folder)}) + "\n")
        self._process.stdin.flush()
        greeting = self._process.stdout.readline()
        if not greeting:
            raise RuntimeError(f"the throw-away SSH host did not start (exit status {self._process.wait()})")
        answer = json.loads(greeting)
        self.port, self.host_key = answer["port"], answer["host_key"]
        self._reader = threading.Thread(target=self._collect, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _collect(self, lines: TextIO) -> None:
        for line in lines:
            self.events.append(json.loads(line))


def main() -> int:
    """Serve until standard input closes; see the module's text."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        given = json.loads(sys.stdin.readline() or "{}")
        user, folder = str(given["user"]), Path(given["folder"])
    except (ValueError, TypeError, KeyError):
        sys.stderr.write('ssh_host: give one line of JSON on standard input: {"user", "folder", "password", ...}\n')
        return 2
    return _serve(given, user, folder)


def _serve(given: Mapping[str, Any], user: str, folder: Path) -> int:
    import logging
    import socket

    from sluice.testing import _ssh_server as server

    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    config = server.HostConfig(
        folder=folder,
        user=user,
        password=given.get("password", ""),
        authorized_keys=tuple(given.get("authorized_keys", ())),
        prompts=tuple((text, answer) for text, answer in given.get("prompts", ())),
        forwarding=bool(given.get("forwarding")),
    )
    key = server.make_host_key()
    processes = server.Processes()
    printing = threading.Lock()

    def tell(values: Mapping[str, object]) -> None:
        with printing, contextlib.suppress(OSError):
            sys.stdout.write(json.dumps(values) + "\n")
            sys.stdout.flush()

    with socket.create_server((LOOPBACK, int(given.get("port", 0)))) as listener:
        port = listener.getsockname()[1]
        tell({"port": port, "host_key": f"{key.get_name()} {key.get_base64()}", "user": user, "folder": str(folder)})
        threading.Thread(target=server.serve, args=(listener, key, config, processes, tell), daemon=True).start()
        try:
            while sys.stdin.read(1):
                pass
        finally:
            processes.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
