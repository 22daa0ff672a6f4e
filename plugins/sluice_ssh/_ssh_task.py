"""`SSH@0`: commands, a script file or an inline script on a remote host."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import paramiko

from sluice.plugin import CanceledError, TaskFailedError, TaskRun, VerificationError
from sluice_ssh._command import Ended, Stop, run_command
from sluice_ssh._host import DEFAULT_PORT, Host, open_host

MAX_SCRIPT_BYTES = 50_000_000
SCRIPT_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Script:
    """A script to bring to the host and run there."""

    name: str
    content: bytes
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The inputs of the task, as they apply to every command."""

    fail_on_errors: bool
    terminal: bool


Work = Sequence[str] | Script


def run_ssh(run: TaskRun) -> None:
    """Run what the inputs say; raises `TaskFailedError` at the first command that fails."""
    work = _work(run)
    options = Options(fail_on_errors=run.flag("failOnStdErr"), terminal=run.flag("interactiveSession"))
    _warn(run, options)
    with connected(run, keyboard=run.flag("interactiveKeyboardAuthentication")) as host:
        stop = Stop()
        with contextlib.closing(stop):
            run.on_cancel(stop.ask)
            if isinstance(work, Script):
                _run_script(run, host, work, options, stop)
            else:
                for command in work:
                    _run_one(run, host, command, options, stop)


@contextlib.contextmanager
def connected(run: TaskRun, *, keyboard: bool = False) -> Iterator[Host]:
    """The host of the input `sshEndpoint`, within `readyTimeout`; raises `TaskFailedError` when it is not reached."""
    connection = run.connection("sshEndpoint")
    seconds = run.number("readyTimeout", minimum=1) / 1000
    port = connection.text("Port")
    if not port:
        run.say("Using port 22 which is the default for SSH since no port was specified.")
    run.say(
        f"Trying to establish an SSH connection to "
        f"{connection.text('username')}@{connection.text('Host')}:{port or DEFAULT_PORT}"
    )
    with contextlib.ExitStack() as stack:
        try:
            host = stack.enter_context(
                open_host(connection, seconds=seconds, keyboard=keyboard, on_cancel=run.on_cancel)
            )
        except VerificationError as error:
            raise TaskFailedError(
                f"Failed to connect to remote machine: {error.what}", where=error.where, why=error.why, do=error.do
            ) from error
        if run.canceled:
            raise CanceledError("canceled while connecting", where=connection.name)
        run.say("Successfully connected.")
        yield host


def _work(run: TaskRun) -> Work:
    option = run.required("runOptions").strip().casefold()
    if option == "commands":
        run.required("commands")
        return run.lines("commands")
    if option == "script":
        return _script_file(run)
    if option == "inline":
        return Script("inline", _with_interpreter(run.required("inline"), run.input("interpreterCommand").strip()))
    raise TaskFailedError(f"runOptions is '{option}', but must be commands, script or inline", where=run.task)


def _script_file(run: TaskRun) -> Script:
    run.required("scriptPath")
    path = run.path("scriptPath")
    if not path.is_file():
        raise TaskFailedError(f"Not found scriptPath: {path}", where=run.task)
    if path.stat().st_size > MAX_SCRIPT_BYTES:
        raise TaskFailedError(f"{path} is too large for a script", where=run.task)
    return Script(path.name, path.read_bytes(), run.input("args").strip())


def _with_interpreter(text: str, interpreter: str) -> bytes:
    if interpreter and not text.startswith("#!"):
        text = f"#!{interpreter}\n{text}"
    return text.encode("utf-8", "surrogateescape")


def _warn(run: TaskRun, options: Options) -> None:
    if run.flag("enableRemoteVsoCommands"):
        run.warn(
            "enableRemoteVsoCommands has no effect: Sluice takes what a remote host prints as text, never as commands."
        )
    if options.terminal:
        run.warn(
            "interactiveSession gives commands a terminal; Sluice does not type the password into questions that "
            "appear on it, since a host could ask for it that way."
        )


def _run_one(run: TaskRun, host: Host, command: str, options: Options, stop: Stop) -> None:
    run.say(command)
    if stop.asked:
        raise CanceledError("canceled before a command was started", where=host.connection.name)
    ended = run_command(host, command, output=run.stream(), errors=run.stream(), stop=stop, terminal=options.terminal)
    _judge(host, ended, options)


def _judge(host: Host, ended: Ended, options: Options) -> None:
    """Raise unless the command succeeded. What it was stands in the log: here it could show a secret."""
    where = host.connection.name
    if ended.exit_code is None:
        raise TaskFailedError("Command failed without an exit code: it was killed by a signal", where=where)
    if ended.exit_code != 0:
        raise TaskFailedError(
            f"Command failed with exit code {ended.exit_code}{_signal_of(ended.exit_code)}", where=where
        )
    if ended.wrote_errors and options.fail_on_errors:
        raise TaskFailedError(
            "Command failed with errors on remote machine",
            where=where,
            why="it wrote to standard error",
            do="failOnStdErr: false lets that pass",
        )


def _signal_of(exit_code: int) -> str:
    """The signal that a shell's exit code above 128 stands for, in brackets."""
    try:
        return f" (killed by signal {signal.Signals(exit_code - 128).name.removeprefix('SIG')})"
    except ValueError:
        return ""


def _run_script(run: TaskRun, host: Host, script: Script, options: Options, stop: Stop) -> None:
    path = f"./sluice_{secrets.token_hex(8)}_{script.name}"
    with contextlib.closing(open_sftp(host)) as sftp:
        try:
            _upload(host, sftp, path, script.content.replace(b"\r\n", b"\n"))
            _run_one(run, host, f"{shlex.quote(path)} {script.arguments}".rstrip(), options, stop)
        finally:
            _remove(run, sftp, path)


def open_sftp(host: Host) -> paramiko.SFTPClient:
    """A file transfer session; raises `TaskFailedError` when the host offers none."""
    try:
        sftp = host.transport.open_sftp_client()
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise TaskFailedError(
            "the host offers no file transfer (SFTP)",
            where=host.connection.name,
            why=str(error) or type(error).__name__,
            do="enable the subsystem 'sftp' in the host's sshd_config",
        ) from None
    if sftp is None:
        raise TaskFailedError("the host offers no file transfer (SFTP)", where=host.connection.name)
    return sftp


def _upload(host: Host, sftp: paramiko.SFTPClient, path: str, content: bytes) -> None:
    try:
        with sftp.open(path, "wx") as file:
            file.chmod(SCRIPT_MODE)  # before there is anything to read
            file.set_pipelined(True)
            file.write(content)
        arrived = sftp.stat(path).st_size
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise TaskFailedError(
            "Failed to copy script to remote machine",
            where=host.connection.name,
            why=str(error) or type(error).__name__,
        ) from error
    if arrived != len(content):
        raise TaskFailedError(
            "Failed to copy script to remote machine",
            where=host.connection.name,
            why=f"{arrived} of {len(content)} bytes arrived",
        )


def _remove(run: TaskRun, sftp: paramiko.SFTPClient, path: str) -> None:
    try:
        sftp.remove(path)
    except FileNotFoundError:
        pass  # it was never made, or removed itself
    except (paramiko.SSHException, EOFError, OSError) as error:
        run.warn(f"Failed to delete the script file copied to the remote machine ({path}). Error = {error}.")
