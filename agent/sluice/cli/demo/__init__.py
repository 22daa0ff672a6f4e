"""`sluice demo`: the whole story in one minute, with a throw-away SSH host and a state folder of its own.

Every step is an ordinary command of this command line, called as a person would type it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.errors import ExitCode, SluiceError

if TYPE_CHECKING:
    from sluice.testing.ssh_host import SshHost

CONNECTION = "demo-host"
PASSWORD_VARIABLE = "DEMO_HOST_PASSWORD"  # noqa: S105  # the name of a variable, not a password
_OWN_VARIABLES = (
    "SLUICE_DATABASE_URL",
    "SLUICE_MASTER_KEY",
    "SLUICE_KEY_PROVIDER",
    "SLUICE_TOKEN",
    "SLUICE_TOKEN_FILE",
    "SLUICE_PERMISSION_TIMEOUT_MINUTES",
)


@click.command(epilog="Example: sluice demo --yes")
@click.option("--yes", is_flag=True, help="Give the Permit without asking.")
def command(*, yes: bool) -> int:
    """Show the whole story: a pipeline waits for a Permit, then its SSH task runs on a (throw-away) host."""
    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    with _installation() as folder, _host() as host:
        told = _Demo(folder, host).play(asks=asks, yes=yes)
    if not told:
        click.echo(
            "\nWithout a Permit the connection stays closed, and nothing has run on the host: so the story may end, too. "
            "The host\nand everything that was stored are gone, the run with them. To see the other end: sluice demo"
        )
        return ExitCode.CANCELED
    click.echo("\nThe host and everything that was stored are gone. Yours begins with: sluice connection create --help")
    return ExitCode.SUCCEEDED


class _DemoStoppedError(SluiceError):
    exit_code = ExitCode.FAILED


class _Demo:
    """One showing."""

    def __init__(self, folder: Path, host: SshHost) -> None:
        self._host = host
        self._pipeline = folder / "hello" / "azure-pipelines.yml"
        self._pipeline.parent.mkdir()
        self._pipeline.write_bytes(files("sluice.cli.demo").joinpath("azure-pipelines.yml").read_bytes())

    def play(self, *, asks: bool, yes: bool) -> bool:
        """Tell the story; False when the person gave no Permit, and it ended there."""
        host = self._host
        _tell(f"A throw-away SSH host listens on 127.0.0.1:{host.port}. Its service connection:")
        options = ["--type", "ssh", "--set", "Host=127.0.0.1", "--set", f"Port={host.port}"]
        options += ["--set", f"username={host.user}", "--secret", f"password=env:{PASSWORD_VARIABLE}"]
        self._call("connection", "create", CONNECTION, *options)
        _tell("Nobody knows the host's key yet. Its fingerprint is compared once, and pinned:")
        self._call("connection", "verify", CONNECTION, "--trust", host.fingerprint)
        _tell("A pipeline that names the connection. It builds, and then it has to wait:")
        if not self._run(asks=asks, yes=yes):
            return False
        _tell("The Permit lasts for this pipeline: the next run does not ask.")
        self._call("run", str(self._pipeline), "--non-interactive")
        _tell("Who used the connection:")
        self._call("connection", "history", CONNECTION)
        return True

    def _run(self, *, asks: bool, yes: bool) -> bool:
        if asks:
            gone = (ExitCode.CANCELED, ExitCode.WAITING)
            return self._call("run", str(self._pipeline), expected=(ExitCode.SUCCEEDED, *gone)) not in gone
        self._call("run", str(self._pipeline), "--non-interactive", expected=(ExitCode.WAITING,))
        _tell("Permitted by --yes:" if yes else "There is no terminal to ask on, so the demo permits by itself:")
        self._call("permit", "1")
        self._call("resume", "1", "--non-interactive")
        return True

    def _call(self, *arguments: str, expected: tuple[ExitCode, ...] = (ExitCode.SUCCEEDED,)) -> ExitCode:
        from sluice.cli.main import sluice

        click.secho(f"$ sluice {shlex.join(arguments)}", bold=True)
        status = sluice.main(list(arguments), prog_name="sluice", standalone_mode=False)
        if (status or 0) not in expected:
            raise _DemoStoppedError(f"the demo stopped: 'sluice {arguments[0]}' ended with status {status or 0}")
        return ExitCode(status or 0)


def _tell(text: str) -> None:
    click.echo(f"\n{text}")


@contextlib.contextmanager
def _installation() -> Iterator[Path]:
    """A state folder for this showing alone; yours is not touched."""
    before = {name: os.environ.get(name) for name in ("SLUICE_HOME", PASSWORD_VARIABLE, *_OWN_VARIABLES)}
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder:
        for name in _OWN_VARIABLES:
            os.environ.pop(name, None)
        os.environ["SLUICE_HOME"] = str(Path(folder) / "home")
        os.environ[PASSWORD_VARIABLE] = secrets.token_urlsafe(18)
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@contextlib.contextmanager
def _host() -> Iterator[SshHost]:
    from sluice.testing.ssh_host import SshHost

    with SshHost(user="demo", password=os.environ[PASSWORD_VARIABLE]) as host:
        yield host
