"""`PipAuthenticate@1` and `TwineAuthenticate@1`: what pip and twine log in with, for the steps that follow."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_packages._login import login_of, no_feeds

PYPIRC = "PYPIRC_PATH"
_NAMELESS = "build"  # any is good: what counts is the token


def authenticate_pip(run: TaskRun) -> None:
    """Indexes with their credentials as variables that pip reads: the first one in place of PyPI, others beside it.

    They are no secret variables, whose steps would have to map them; what they hold is masked wherever it is printed.
    """
    no_feeds(run.input("artifactFeeds"), run.task)
    urls = [_with_credentials(run, one) for one in run.connections("pythonDownloadServiceConnections")]
    count = len(urls)
    if urls and not run.flag("onlyAddExtraIndex"):
        run.set_variable("PIP_INDEX_URL", urls.pop(0))
    if urls:
        run.set_variable("PIP_EXTRA_INDEX_URL", " ".join(urls))
    run.say(f"Successfully added auth for 0 internal feeds and {count} external endpoint.")


def authenticate_twine(run: TaskRun) -> None:
    """A `.pypirc` in the job's private folder, with the repository of one connection; `PYPIRC_PATH` says where."""
    no_feeds(run.input("artifactFeed"), run.task)
    connections = run.connections("pythonUploadServiceConnection")
    if len(connections) > 1:
        run.warn(
            "Only one service connection can be authorized at a time using this task. All the connections except first "
            "one will be ignored."
        )
    file = _pypirc(run)
    file.write_text(_repositories(run, connections[0] if connections else None), "utf-8")
    run.set_variable(PYPIRC, os.fspath(file))
    run.say(
        f"Successfully added auth for 0 internal feeds, {min(len(connections), 1)} external endpoints, and 0 federated "
        "feeds"
    )


def _with_credentials(run: TaskRun, connection: Connection) -> str:
    login = login_of(connection, user=_NAMELESS)
    run.mask(login.password)  # it stands in a variable from now on
    try:
        parts = urlsplit(login.url)
    except ValueError as error:
        raise TaskFailedError(
            "Failed to parse the feed url and add auth information.", where=connection.name, why=str(error)
        ) from None
    user = f"{quote(login.username, safe='')}:{quote(login.password.reveal(), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))


def _pypirc(run: TaskRun) -> Path:
    """The file of an earlier step of this job, made anew, or a new one; for this user only."""
    known = Path(run.variable(PYPIRC) or "/")
    if run.temp in known.parents and known.is_file():
        known.unlink()
        fd = os.open(known, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(fd)
        return known
    folder = run.temp / "twineAuthenticate"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = Path(tempfile.mkdtemp(dir=folder)) / ".pypirc"
    file.touch(mode=0o600)
    return file


def _repositories(run: TaskRun, connection: Connection | None) -> str:
    if connection is None:
        return "[distutils]\nindex-servers=\n"
    login, name = login_of(connection, user=_NAMELESS), connection.text("EndpointName")
    if not name:
        raise TaskFailedError(
            "the service connection names no repository",
            where=connection.name,
            do=f"sluice connection update {connection.name} --set EndpointName=NAME",
        )
    run.say(f"Adding authentication to configuration for registry {name}")
    return (
        f"[distutils]\nindex-servers={name}\n\n"
        f"[{name}]\nrepository={login.url}\nusername={login.username}\npassword={login.password.reveal()}\n"
    )
