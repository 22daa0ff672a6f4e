"""`Npm@1`: install, publish, or run any command of npm, with the registries of service connections."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_packages import _npmrc
from sluice_packages._login import no_feeds
from sluice_packages._process import Program

_INSTALL = "install Node.js and npm, such as with 'apt-get install nodejs npm'"


def run_npm(run: TaskRun) -> None:
    """Carry out the `command` of the step."""
    command = run.required("command").strip()
    if command == "publish":
        _publish(run)
        return
    if run.input("customRegistry").strip().casefold() == "usefeed":
        no_feeds(run.input("customFeed") or "(customFeed)", run.task)
    arguments = _custom(run) if command == "custom" else [command]
    if command not in {"install", "ci", "custom"}:
        raise TaskFailedError(f"npm command '{command}' is not one of: ci, install, publish, custom", where=run.task)
    lines = [line for one in run.connections("customEndpoint") for line in _npmrc.credential_lines(run, one)]
    _npm(run, arguments, lines)


def _custom(run: TaskRun) -> list[str]:
    text = run.required("customCommand")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise TaskFailedError(f"the custom command cannot be read: {error}", where=run.task) from None


def _publish(run: TaskRun) -> None:
    if run.input("publishRegistry").strip().casefold() == "usefeed":
        no_feeds(run.input("publishFeed") or "(publishFeed)", run.task)
    connection = run.connection("publishEndpoint")
    lines = [f"registry={_npmrc.registry_url(connection.url)}", *_npmrc.credential_lines(run, connection)]
    with _set_aside(run, _folder(run) / ".npmrc"):
        _npm(run, ["publish"], lines, registry=connection)


def _npm(run: TaskRun, arguments: Sequence[str], lines: Sequence[str], *, registry: Connection | None = None) -> None:
    folder = _folder(run)
    npm = Program.find(run, "npm", _INSTALL)
    with tempfile.TemporaryDirectory(prefix="npm-", dir=run.temp) as name:
        settings = Path(name) / ".npmrc"
        _npmrc.write(settings, [*_settings_of_the_job(run), *lines])
        added = {"NPM_CONFIG_USERCONFIG": os.fspath(settings)}
        if registry is not None:
            added["NPM_CONFIG_REGISTRY"] = _npmrc.registry_url(registry.url)
        if run.flag("verbose"):
            added["NPM_CONFIG_LOGLEVEL"] = "verbose"
        npm.execute(*arguments, folder=folder, added=added)


def _settings_of_the_job(run: TaskRun) -> list[str]:
    """What the file says that npm would have read otherwise, such as from an earlier step."""
    home = run.environment.get("HOME", "")
    given = next((text for name, text in run.environment.items() if name.casefold() == "npm_config_userconfig"), "")
    path = Path(given or f"{home}/.npmrc") if given or home else None
    try:
        return path.read_text("utf-8-sig").splitlines() if path is not None else []
    except (OSError, UnicodeError):
        return []


def _folder(run: TaskRun) -> Path:
    folder = run.path("workingDir")
    if not folder.is_dir():
        raise TaskFailedError(f"Not found workingDir: {folder}", where=run.task)
    return folder


@contextlib.contextmanager
def _set_aside(run: TaskRun, file: Path) -> Iterator[None]:
    """A publication goes where its connection says: a project's own settings, which win, are not there meanwhile."""
    if not file.is_file():
        yield
        return
    run.restore_at_end(file)  # for when this is killed
    with tempfile.TemporaryDirectory(prefix="npmrc-", dir=run.temp) as name:
        kept = shutil.move(file, name)
        try:
            yield
        finally:
            shutil.move(kept, file)
