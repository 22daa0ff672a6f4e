"""Runs one command on a host: its output as it comes, how it ended, and an end on demand that reaches its processes.

On a host with a POSIX shell a command is not sent as it is. A few lines of `/bin/sh` are, which tell their process
group's number, read the command's text from standard input and hand it to the account's shell. So the text, which may
hold secrets, is no process argument of the host, and canceling can send signals to the whole group.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paramiko

from sluice.plugin import CanceledError, TaskFailedError
from sluice_ssh._host import Host

CHUNK = 65536
OPEN_SECONDS = 30.0
OPEN_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
GRACE_SECONDS = 4
"""How long a canceled command may take to end by itself after SIGTERM."""
MARGIN_SECONDS = 5
"""How much longer to wait for word that it has ended; a job gives a canceled handler up after 10 seconds in all."""
PROMPT_SECONDS = 5.0
"""How long a question for a password may stay unanswered on a terminal before the command is given up."""
TERMINAL = ("dumb", 240, 50)

Write = Callable[[bytes], None]

_BROKEN = (paramiko.SSHException, EOFError, OSError)
_QUESTION = re.compile(rb"(?:password|passphrase)[^\r\n]{0,80}: ?\Z", re.IGNORECASE)
_POSIX_SHELLS = "sh|ash|bash|dash|ksh|mksh|zsh"

# In single quotes, without a line feed, an exclamation mark or a single quote inside, this is valid in every shell
# that may be an account's: sh, bash, zsh, csh, tcsh, fish.
_READ = (
    'printf %s "{nonce}:$$:"; n=$(printf "\\nx"); n="${{n%x}}"; c=; '
    'while IFS= read -r l; do case "$l" in {nonce}) break;; esac; c="$c$l$n"; done; '
)
_RUN = (
    'x="${{SHELL:-/bin/sh}}"; case "${{x##*/}}" in '
    + _POSIX_SHELLS
    + ') SLUICE_COMMAND="$c" "$x" -c "_c=\\$SLUICE_COMMAND; unset SLUICE_COMMAND; eval \\"\\$_c\\"";; '
    '*) "$x" -c "$c";; esac'
)
_START = "exec /bin/sh -c '" + _READ + _RUN + "'"
_START_ON_TERMINAL = (
    "exec /bin/sh -c 's=$(stty -g); stty -echo -icanon -isig -iexten -ixon -icrnl min 1 time 0; "
    + _READ
    + 'stty "$s"; '
    + _RUN
    + "'"
)
_WAIT = "i=0; while kill -s 0 -- -{group} && [ $i -lt {tries} ]; do sleep 0.2 || sleep 1; i=$((i+1)); done; "
_END = (
    "exec /bin/sh -c 'kill -s TERM -- -{group} || kill -s TERM {group}; "
    + _WAIT
    + "kill -s KILL -- -{group} && {{ "
    + _WAIT.replace("{tries}", "5")
    + "}}' 2>/dev/null >/dev/null"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `exit_code` is None when the host told none, as after a signal."""

    exit_code: int | None
    wrote_errors: bool


class Stop:
    """A request to stop, made from another thread, that a selector wakes up from."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self.asked = False

    def ask(self) -> None:
        """Ask to stop; asking again changes nothing."""
        if not self.asked:
            self.asked = True
            with contextlib.suppress(OSError):  # closed: the work has ended meanwhile
                self._writer.send(b"x")

    def fileno(self) -> int:
        return self._reader.fileno()

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class Greeting:
    """Takes the number of the process group out of the first output; everything else passes through."""

    def __init__(self, nonce: str) -> None:
        self._pattern = re.compile(re.escape(nonce.encode()) + rb":(\d{1,20}):")
        self._start = nonce.encode() + b":"
        self._held = b""
        self.group: int | None = None

    def feed(self, data: bytes) -> bytes:
        """What of the output so far may be passed on."""
        if self.group is not None:
            return data
        text = self._held + data
        if match := self._pattern.search(text):
            self.group, self._held = int(match[1]), b""
            return text[: match.start()] + text[match.end() :]
        keep = self._beginning(text)
        self._held = text[keep:]
        return text[:keep]

    def rest(self) -> bytes:
        """What is still held back when the output has ended."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, text: bytes) -> int:
        """Where the greeting may have begun; the length of the text when nowhere."""
        start = text.rfind(self._start)
        if start >= 0 and re.fullmatch(rb"\d{0,20}", text[start + len(self._start) :]):
            return start
        longest = min(len(self._start) - 1, len(text))
        return next(
            (len(text) - size for size in range(longest, 0, -1) if text.endswith(self._start[:size])), len(text)
        )


def run_command(host: Host, text: str, *, output: Write, errors: Write, stop: Stop, terminal: bool = False) -> Ended:
    """Run the command and answer how it ended; `output` and `errors` get its bytes as they arrive, then `b""`.

    Raises `CanceledError` when `stop` was asked (the command's processes have ended then), and `TaskFailedError` when
    it cannot be started, the line breaks, or it waits for a password on a terminal.
    """
    with contextlib.closing(_open_channel(host, pauses=OPEN_PAUSES)) as channel:
        command = _Command(host, channel, output=output, errors=errors, stop=stop, terminal=terminal)
        command.start(text)
        try:
            return command.follow()
        finally:
            errors(b"")
            output(b"")


class _Command:
    """A command that runs on a channel of its own."""

    def __init__(
        self, host: Host, channel: paramiko.Channel, *, output: Write, errors: Write, stop: Stop, terminal: bool
    ) -> None:
        self._host = host
        self._channel = channel
        self._output = output
        self._errors = errors
        self._stop = stop
        self._terminal = terminal
        self._nonce = secrets.token_hex(16)
        self._greeting = Greeting(self._nonce)
        self._unsent = b""
        self._last_line = b""
        self._wrote_errors = False

    def start(self, text: str) -> None:
        start = text
        if not self._host.plain:
            start = (_START_ON_TERMINAL if self._terminal else _START).format(nonce=self._nonce)
            self._unsent = f"{text}\n{self._nonce}\n".encode("utf-8", "surrogateescape")
        try:
            if self._terminal:
                self._channel.get_pty(*TERMINAL)
            self._channel.exec_command(start)
        except _BROKEN as error:
            raise TaskFailedError(
                "the host refused to run a command",
                where=self._host.connection.name,
                why=str(error) or "it ended the connection",
            ) from None
        if not self._unsent and not self._terminal:
            self._channel.shutdown_write()

    def follow(self) -> Ended:
        """Pass output on until the command has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while not self._finished() or self._stop.asked:
                waiting = self._terminal and bool(_QUESTION.search(self._last_line))
                ready = selector.select(PROMPT_SECONDS if waiting else None)
                if self._stop.asked:
                    self._end()
                    raise CanceledError("the remote command was canceled", where=self._host.connection.name)
                if not ready:
                    self._end()
                    raise self._asks_for_password()
        self._pass_on(self._greeting.rest())
        return Ended(self._exit_code(), self._wrote_errors)

    def _finished(self) -> bool:
        """Pass on what has arrived; true when nothing more will. Endless output does not keep it from stopping."""
        ended = bool(self._channel.eof_received) or self._channel.closed
        while not self._stop.asked and (self._channel.recv_ready() or self._channel.recv_stderr_ready()):
            if self._channel.recv_ready():
                self._pass_on(self._greeting.feed(self._channel.recv(CHUNK)))
                self._send_text()
            if self._channel.recv_stderr_ready():
                data = self._channel.recv_stderr(CHUNK)
                self._wrote_errors = self._wrote_errors or bool(data.strip())
                self._errors(data)
        return ended

    def _pass_on(self, data: bytes) -> None:
        if data:
            self._last_line = (self._last_line + data)[-200:].rpartition(b"\n")[2]
            self._output(data)

    def _send_text(self) -> None:
        if self._unsent and self._greeting.group is not None:
            unsent, self._unsent = self._unsent, b""
            with contextlib.suppress(OSError):  # it has ended already; its exit code tells
                self._channel.sendall(unsent)
                if not self._terminal:
                    self._channel.shutdown_write()

    def _exit_code(self) -> int | None:
        while not self._channel.status_event.wait(0.2):
            if self._stop.asked:
                self._end()
                raise CanceledError("the remote command was canceled", where=self._host.connection.name)
        code = self._channel.recv_exit_status()
        if code >= 0:
            return code
        if not self._host.transport.is_active():
            raise TaskFailedError(
                "the line to the host broke while a command ran",
                where=self._host.connection.name,
                why="whether the command went on is not known",
            )
        return None

    def _end(self) -> None:
        """End the command with its process group: ask, wait, then kill. Where that cannot be, signal and hang up."""
        with contextlib.suppress(*_BROKEN):
            try:
                self._end_group()
            except (TaskFailedError, *_BROKEN):  # the host grants no second session
                _send_signal(self._channel, "TERM")
        self._channel.close()

    def _end_group(self) -> None:
        if self._greeting.group is None or self._greeting.group <= 1:  # -1 would mean every process
            raise TaskFailedError("the number of the process group is not known")
        with contextlib.closing(_open_channel(self._host)) as channel:
            channel.exec_command(_END.format(group=self._greeting.group, tries=GRACE_SECONDS * 5))
            channel.status_event.wait(GRACE_SECONDS + MARGIN_SECONDS)

    def _asks_for_password(self) -> TaskFailedError:
        return TaskFailedError(
            "the command waits for a password on its terminal",
            where=self._host.connection.name,
            why="passwords are not typed into the output of a session, where a host could ask for them",
            do="let the account run it without one, such as by NOPASSWD in sudoers",
        )


def _open_channel(host: Host, *, pauses: Sequence[float] = ()) -> paramiko.Channel:
    """A new session; after a refusal it is tried again after each pause, since an ended one may still count."""
    for pause in (*pauses, None):
        try:
            return host.transport.open_session(timeout=OPEN_SECONDS)
        except _BROKEN as error:
            if pause is None or not isinstance(error, paramiko.ChannelException):
                raise TaskFailedError(
                    "the host opens no session", where=host.connection.name, why=str(error) or "the line broke"
                ) from None
            time.sleep(pause)
    raise AssertionError("the last round has answered or raised")


def _send_signal(channel: paramiko.Channel, name: str) -> None:
    """RFC 4254, section 6.9; paramiko has no call for it."""
    from typing import Any

    from paramiko.common import cMSG_CHANNEL_REQUEST

    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("signal")
    message.add_boolean(False)
    message.add_string(name)
    transport: Any = channel.get_transport()
    transport._send_user_message(message)  # noqa: SLF001  # the only way to send one
