"""The server side of the throw-away SSH host: authentication, commands, files, forwarding. Runs in a process of its own."""

from __future__ import annotations

import contextlib
import hmac
import io
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
    cMSG_CHANNEL_REQUEST,
)
from paramiko.server import InteractiveQuery

from sluice.testing._sftp import FolderFiles
from sluice.values import dataclass

CHUNK = 32768
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """What the host accepts. A method of authentication is offered when something is given for it.

    `prompts` are asked one after another in keyboard-interactive authentication, each with the answer it wants.
    """

    folder: Path
    user: str
    password: str = field(default="", repr=False)
    authorized_keys: tuple[str, ...] = ()
    prompts: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    forwarding: bool = False


Tell = Callable[[Mapping[str, object]], None]


class Session(paramiko.ServerInterface):
    """One client. Nothing is granted to it that `HostConfig` does not say."""

    def __init__(self, config: HostConfig, processes: Processes, tell: Tell) -> None:
        self._config = config
        self._processes = processes
        self._tell = tell
        self._asked = 0
        self._terminals: set[int] = set()
        self.transport: paramiko.Transport | None = None

    def get_allowed_auths(self, username: str) -> str:
        offers = {
            "publickey": self._config.authorized_keys,
            "password": self._config.password,
            "keyboard-interactive": self._config.prompts,
        }
        return ",".join(name for name, given in offers.items() if given)

    def check_auth_password(self, username: str, password: str) -> int:
        right = bool(self._config.password) and _same(password, self._config.password)
        return self._result("password", username, right)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        line = f"{key.get_name()} {key.get_base64()}"
        known = any(" ".join(one.split()[:2]) == line for one in self._config.authorized_keys)
        return self._result("publickey", username, known)

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        if username != self._config.user or not self._config.prompts:
            return AUTH_FAILED
        self._asked = 0
        return self._question()

    def check_auth_interactive_response(self, responses: Sequence[str]) -> int | InteractiveQuery:
        text, wanted = self._config.prompts[self._asked]
        answer = responses[0] if responses else ""
        self._tell({"event": "answer", "prompt": text, "characters": len(answer)})
        if not _same(answer, wanted):
            return self._result("keyboard-interactive", self._config.user, right=False)
        self._asked += 1
        if self._asked < len(self._config.prompts):
            return self._question()
        return self._result("keyboard-interactive", self._config.user, right=True)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(
        self,
        channel: paramiko.Channel,
        term: bytes,
        width: int,
        height: int,
        pixelwidth: int,
        pixelheight: int,
        modes: bytes,
    ) -> bool:
        self._terminals.add(channel.get_id())
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        work = self._processes.run_on_terminal if channel.get_id() in self._terminals else self._processes.run
        threading.Thread(target=work, args=(channel, command, self._config), daemon=True).start()
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if not self._config.forwarding or destination[0] not in {LOOPBACK, "localhost"} or self.transport is None:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            far = socket.create_connection((LOOPBACK, destination[1]), timeout=10)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        far.settimeout(None)
        threading.Thread(target=_forward, args=(self.transport, chanid, far), daemon=True).start()
        return OPEN_SUCCEEDED

    def _question(self) -> InteractiveQuery:
        return InteractiveQuery("", "", (self._config.prompts[self._asked][0], False))

    def _result(self, method: str, username: str, right: bool) -> int:
        accepted = right and username == self._config.user
        self._tell({"event": "authentication", "method": method, "user": username, "accepted": accepted})
        return AUTH_SUCCESSFUL if accepted else AUTH_FAILED


class Processes:
    """The commands that run; each is the leader of a process group, and all of them end with the host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()

    def run(self, channel: paramiko.Channel, command: bytes, config: HostConfig) -> None:
        """Run the command with its three streams on the channel, then tell how it ended."""
        pipe = subprocess.PIPE
        with self._started([b"/bin/sh", b"-c", command], config, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            if process.stdin is None or process.stdout is None or process.stderr is None:
                raise RuntimeError("the command has no pipes")
            threading.Thread(target=_feed, args=(channel, process.stdin.fileno(), process), daemon=True).start()
            errors = threading.Thread(
                target=_drain, args=(process.stderr.fileno(), channel.sendall_stderr), daemon=True
            )
            errors.start()
            _drain(process.stdout.fileno(), channel.sendall)
            errors.join()
            _tell_end(channel, process.wait())

    def run_on_terminal(self, channel: paramiko.Channel, command: bytes, config: HostConfig) -> None:
        """Run the command on a terminal of its own, which becomes its controlling terminal."""
        master, slave = os.openpty()
        # A session leader without a terminal gets the first one that it opens.
        opener = b'exec 0<>"$1" 1>&0 2>&0; exec /bin/sh -c "$0"'
        arguments = [b"/bin/sh", b"-c", opener, command, os.ttyname(slave).encode()]
        try:
            with self._started(arguments, config, stdin=slave, stdout=slave, stderr=slave) as process:
                os.close(slave)
                threading.Thread(target=_feed, args=(channel, master, None), daemon=True).start()
                _drain(master, channel.sendall)
                _tell_end(channel, process.wait())
        finally:
            os.close(master)

    def stop(self) -> None:
        """End every command with all its children."""
        with self._lock:
            for group in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)

    @contextlib.contextmanager
    def _started(
        self, arguments: list[bytes], config: HostConfig, *, stdin: int, stdout: int, stderr: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        folder = str(config.folder)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": folder,
            "USER": config.user,
            "LOGNAME": config.user,
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
        }
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            start_new_session=True,
            bufsize=0,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        with self._lock:
            self._running.add(process.pid)
        try:
            yield process
        finally:
            process.wait()
            with self._lock:
                self._running.discard(process.pid)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _drain(source: int, send: Callable[[bytes], None]) -> None:
    """Send what comes from the descriptor until it ends; go on reading when the client is gone."""
    gone = False
    while True:
        try:
            data = os.read(source, CHUNK)
        except OSError:  # a terminal whose last user is gone
            return
        if not data:
            return
        if not gone:
            try:
                send(data)
            except OSError:
                gone = True


def _feed(channel: paramiko.Channel, target: int, process: subprocess.Popen[bytes] | None) -> None:
    with contextlib.suppress(OSError):
        while data := channel.recv(CHUNK):
            os.write(target, data)
    if process is not None and process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _tell_end(channel: paramiko.Channel, status: int) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        if status >= 0:
            channel.send_exit_status(status)
        else:
            _send_exit_signal(channel, signal.Signals(-status).name.removeprefix("SIG"))
        channel.shutdown_write()
        channel.close()


def _send_exit_signal(channel: paramiko.Channel, name: str) -> None:
    """RFC 4254, section 6.10; paramiko has no call for it."""
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exit-signal")
    message.add_boolean(False)
    message.add_string(name)
    message.add_boolean(False)
    message.add_string("")
    message.add_string("")
    transport: Any = channel.get_transport()
    transport._send_user_message(message)  # noqa: SLF001  # the only way to send one


def _forward(transport: paramiko.Transport, chanid: int, far: socket.socket) -> None:
    channel = transport.accept(10)
    while channel is not None and channel.get_id() != chanid:
        channel = transport.accept(10)
    if channel is None:
        far.close()
        return
    back = threading.Thread(target=_drain, args=(far.fileno(), channel.sendall), daemon=True)
    back.start()
    with contextlib.suppress(OSError):
        while data := channel.recv(CHUNK):
            far.sendall(data)
    with contextlib.suppress(OSError):
        far.shutdown(socket.SHUT_RDWR)
    back.join()
    far.close()
    channel.close()


def serve(listener: socket.socket, key: paramiko.PKey, config: HostConfig, processes: Processes, tell: Tell) -> None:
    """Take clients from `listener` until it is closed; each has threads of its own."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(client)
        transport.add_server_key(key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, FolderFiles, config.folder)
        session = Session(config, processes, tell)
        session.transport = transport
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(event=threading.Event(), server=session)


def make_host_key() -> paramiko.PKey:
    """A new Ed25519 host key; it is never stored."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text.decode()))
