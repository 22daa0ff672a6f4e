"""`ChefKnife@1`: a script with `knife` commands, in a chef repository that is set up for the connection."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_ci._chef import client_key

INSTALL = "install Chef Workstation: https://docs.chef.io/workstation/install_workstation/"
CONFIG = "config.rb"
KEY = "client.pem"
SHELLS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    ".ps1": (("pwsh", "-NoLogo", "-NoProfile", "-NonInteractive", "-File"), ("powershell", "-NoProfile", "-File")),
    ".sh": (("bash",), ("sh",)),
    ".rb": (("ruby",),),
    ".py": (("python3",),),
}
"""What runs a script, by the end of its name; anything else runs by itself."""


def run_knife(run: TaskRun) -> None:
    """Run the script; raises `TaskFailedError` when it fails or when `knife` is not there."""
    connection = run.connection("ConnectedServiceName")
    run.required("ScriptPath")
    script = run.path("ScriptPath")
    if not script.is_file():
        raise TaskFailedError(f"Not found ScriptPath: {script}", where=run.task)
    # Exactly what the step was given: a handler has no business with the environment of the host process.
    environment = {"PATH": os.environ.get("PATH", os.defpath), **run.environment}
    run.program("knife", install=INSTALL, path=environment["PATH"])
    command = [*_interpreter(run, script, environment), str(script), *_arguments(run)]
    repository = run.temp / "chef-repo"
    try:
        _set_up(repository, connection)
        environment |= {"CHEF_HOME": str(repository), "HOME": environment.get("HOME") or str(repository)}
        status = run.execute(command, environment=environment, folder=repository)
    finally:
        shutil.rmtree(repository, ignore_errors=True)  # the key is in it
    if status:
        raise TaskFailedError(f"{script.name} failed with exit code {status}", where=run.task)


def _interpreter(run: TaskRun, script: Path, environment: Mapping[str, str]) -> list[str]:
    wanted = SHELLS.get(script.suffix.casefold())
    if wanted is None:
        if not os.access(script, os.X_OK):
            raise TaskFailedError(
                f"{script.name} cannot be run",
                where=run.task,
                do=f"make it executable, or name it *{', *'.join(SHELLS)}",
            )
        return []
    for program, *options in wanted:
        if found := shutil.which(program, path=environment["PATH"]):
            return [found, *options]
    names = " or ".join(f"'{one[0]}'" for one in wanted)
    raise TaskFailedError(f"Unable to locate executable file: {names}", where=run.task, why=f"for {script.name}")


def _arguments(run: TaskRun) -> list[str]:
    try:
        return shlex.split(run.input("ScriptArguments"))
    except ValueError as error:
        raise TaskFailedError("ScriptArguments cannot be read", where=run.task, why=str(error)) from None


def _set_up(repository: Path, connection: Connection) -> None:
    """A chef repository with knife's settings and the client's key, which nobody else may read."""
    folder = repository / ".chef"
    folder.mkdir(mode=0o700, parents=True)
    repository.chmod(0o700)
    for name in ("cookbooks", "environments", "roles"):
        (repository / name).mkdir()
    key = folder / KEY
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(client_key(connection).reveal())
    settings = {
        "node_name": connection.text("username"),
        "client_key": str(key),
        "chef_server_url": connection.url.rstrip("/"),
        "chef_repo_path": str(repository),
    }
    lines = [f"{name} {ruby(value)}\n" for name, value in settings.items()]
    (folder / CONFIG).write_text("".join(lines), encoding="utf-8")


def ruby(text: str) -> str:
    """The text as a string of Ruby in which nothing is evaluated."""
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"
