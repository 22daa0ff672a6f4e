"""`NuGetAuthenticate@1`: what the credential provider of NuGet answers for the feeds of service connections."""

from __future__ import annotations

import json
from typing import Any

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_packages._login import login_of

ENDPOINTS = "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"
_PROVIDER = "https://github.com/microsoft/artifacts-credprovider#setup"


def authenticate(run: TaskRun) -> None:
    """The feeds and their credentials as a variable that `dotnet`, `nuget` and `msbuild` read through the provider."""
    connections = run.connections("nuGetServiceConnections")
    if run.flag("forceReinstallCredentialProvider"):
        run.warn(f"The credential provider is not installed by this task; install it once on the host: {_PROVIDER}")
    if not connections:
        run.warn("No service connections were selected, and there are no feeds of an organization here.")
        return
    run.say("Setting up the credential provider to use credentials for the following service connections:")
    for connection in connections:
        run.say(f"  {connection.url}")
    entries = {one.url: _entry(run, one) for one in connections}
    for entry in _earlier(run):
        if entry["endpoint"] in entries:
            run.warn(f"Auth for the feed '{entry['endpoint']}' was previously set. Overwriting with new configuration.")
        entries.setdefault(entry["endpoint"], entry)
    run.set_variable(ENDPOINTS, json.dumps({"endpointCredentials": list(entries.values())}))


def _entry(run: TaskRun, connection: Connection) -> dict[str, str]:
    if connection.scheme.casefold() == "none":
        raise TaskFailedError(
            f"The service connection for '{connection.url}' is not valid. ApiKey service connections are not supported "
            "in this task.",
            where=connection.name,
            do="use a connection with a token or a user name and password; an API key is for 'nuget push -ApiKey'",
        )
    login = login_of(connection, user="")
    run.mask(login.password)  # it stands in a variable from now on
    names = {} if login.is_token else {"username": login.username}
    return {"endpoint": login.url, **names, "password": login.password.reveal()}


def _earlier(run: TaskRun) -> list[dict[str, Any]]:
    """What earlier steps have set, as far as it has the form of that."""
    try:
        known = json.loads(run.variable(ENDPOINTS) or "{}")["endpointCredentials"]
    except (ValueError, KeyError, TypeError):
        return []
    return [one for one in known if isinstance(one, dict) and isinstance(one.get("endpoint"), str)]
