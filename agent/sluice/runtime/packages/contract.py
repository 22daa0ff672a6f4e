"""The environment that a task package finds, exactly as the agent and `azure-pipelines-task-lib` agreed on it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection, Value
from sluice.runtime.job_state import JobState
from sluice.runtime.predefined import SERVER_ADDRESSES
from sluice.runtime.secure_files import SecureFile
from sluice.runtime.variables import environment_name
from sluice.secret import Secret

SYSTEM_CONNECTION = "SYSTEMVSSCONNECTION"
ACCESS_TOKEN = "System.AccessToken"  # noqa: S105  # a variable's name
QUIET = "DISTRIBUTEDTASK_TASKS_NODE_SKIPDEBUGLOGSWHENDEBUGMODEOFF"
"""Keeps the task library from printing every input and secret that it loads, which would only be dropped."""

MAX_VALUE = 131071
"""Bytes that Linux takes for one `NAME=value`."""


def task_environment(
    job: JobState,
    base: Mapping[str, str],
    *,
    inputs: Mapping[str, str],
    opened: Mapping[str, Sequence[Connection]],
    files: Sequence[SecureFile] = (),
    task_variables: Mapping[str, Value],
) -> dict[str, str]:
    """All that a Node or PowerShell handler gets: `base` (host, step and public variables), then what is the task's."""
    environment = dict(base)
    for name, address in SERVER_ADDRESSES.items():  # of a run that was created before it had them as variables
        environment.setdefault(environment_name(name), address)
    if not job.variables.flag("System.Debug"):
        environment.setdefault(QUIET, "true")
    everything = job.variables.everything()
    public = [name for name, value in everything.items() if isinstance(value, str)]
    hidden = {name: value for name, value in everything.items() if isinstance(value, Secret)}
    if not any(name.lower() == ACCESS_TOKEN.lower() for name in everything):
        hidden[ACCESS_TOKEN] = system_token(job)
    environment["VSTS_PUBLIC_VARIABLES"] = json.dumps(public)
    environment["VSTS_SECRET_VARIABLES"] = json.dumps(list(hidden))
    named = chain(
        (("SECRET_" + environment_name(name), value.reveal()) for name, value in hidden.items()),
        (("INPUT_" + environment_name(name), value) for name, value in inputs.items()),
        _system_connection(job, environment),
        *(_connection(one) for several in opened.values() for one in several),
        *(_secure_file(job, one) for one in files),
        (("VSTS_TASKVARIABLE_" + environment_name(name), _plain(value)) for name, value in task_variables.items()),
    )
    environment.update((name, value) for name, value in named if "=" not in name and "\0" not in name)
    _check_sizes(environment)
    return environment


def _connection(connection: Connection) -> Iterator[tuple[str, str]]:
    key = connection.id.lower()
    yield f"ENDPOINT_URL_{key}", connection.url
    yield from _authorization(key, connection.scheme, connection.parameters)
    data = {name: _plain(value) for name, value in connection.data.items()}
    yield f"ENDPOINT_DATA_{key}", json.dumps(data, ensure_ascii=False)
    for name, value in data.items():
        yield f"ENDPOINT_DATA_{key}_{environment_name(name)}", value
        # The task library only changes the case when it looks a key up, so one with dots or blanks needs this too.
        yield f"ENDPOINT_DATA_{key}_{name.upper()}", value


def _system_connection(job: JobState, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The connection to the server that runs the pipeline. Its token is the job's own."""
    token = system_token(job)
    yield f"ENDPOINT_URL_{SYSTEM_CONNECTION}", environment["SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"]
    yield from _authorization(SYSTEM_CONNECTION, "OAuth", {"AccessToken": token})


def _secure_file(job: JobState, file: SecureFile) -> Iterator[tuple[str, str]]:
    """Its name, and the ticket that a task would show to fetch it: no server takes that yet."""
    ticket = secrets.token_urlsafe(32)
    job.masker.add(ticket, f"of the secure file {file.name}")
    yield f"SECUREFILE_NAME_{file.id.lower()}", file.name
    yield f"SECUREFILE_TICKET_{file.id.lower()}", ticket


def system_token(job: JobState) -> Secret:
    """The token of a job: the server's, or where there is none a random one, made when a task first needs it."""
    given = job.variables.get(ACCESS_TOKEN)
    if isinstance(given, Secret):
        return given
    with job.lock:
        if job.token is None:
            job.token = Secret(secrets.token_urlsafe(32))
            job.masker.add(job.token.reveal(), ACCESS_TOKEN)
        return job.token


def _authorization(key: str, scheme: str, parameters: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    plain = {name: _plain(value) for name, value in parameters.items()}
    yield f"ENDPOINT_AUTH_{key}", json.dumps({"parameters": plain, "scheme": scheme}, ensure_ascii=False)
    yield f"ENDPOINT_AUTH_SCHEME_{key}", scheme
    for name, value in plain.items():
        yield f"ENDPOINT_AUTH_PARAMETER_{key}_{environment_name(name)}", value


def _plain(value: Value) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _check_sizes(environment: Mapping[str, str]) -> None:
    """A value that the system would refuse is told by name, before it does."""
    for name, value in environment.items():
        if len(value) * 4 + len(name) > MAX_VALUE:
            size = len(value.encode("utf-8", "surrogateescape")) + len(name.encode("utf-8", "surrogateescape")) + 1
            if size > MAX_VALUE:
                raise TaskFailedError(
                    f"the value of {name} is too long for an environment",
                    why=f"{size} bytes, and the system takes {MAX_VALUE}",
                    do="put it into a file, and name the file",
                )
