"""The text of an `.npmrc`: the registries in it, and the lines that log in to one."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sluice.plugin import Connection, Probe, Secret, TaskRun, VerificationError
from sluice_packages._login import PackageLogin, login_of

_REGISTRY = re.compile(r"""^(\s*(?:@[^:=\s]+:)?registry\s*=\s*)(["']?)([^"'\s]+)(["']?\s*)$""", re.IGNORECASE)
_PROBE_SECONDS = 10.0
NAMELESS = "VssToken"


def registry_url(url: str) -> str:
    """The root of a registry, as npm compares it: with a slash at its end."""
    return url if url.endswith("/") else f"{url}/"


def nerf_dart(url: str) -> str:
    """What npm calls a registry in the keys of its settings: `//host:port/path/`. '' for what is no URL."""
    try:
        parts = urlsplit(registry_url(url))
    except ValueError:
        return ""
    return f"//{parts.netloc.rpartition('@')[2].casefold()}{parts.path}" if parts.scheme and parts.netloc else ""


def registries(lines: Iterable[str]) -> list[str]:
    """The addresses that `registry` and `@scope:registry` have, in the order written."""
    return [found[3] for line in lines if (found := _REGISTRY.match(line))]


def with_slashes(lines: Iterable[str]) -> list[str]:
    """The lines, with registries spelt as their credentials are looked up: those end with a slash."""
    return [
        f"{found[1]}{found[2]}{registry_url(found[3])}{found[4]}" if (found := _REGISTRY.match(line)) else line
        for line in lines
    ]


def without_credentials(lines: Iterable[str], url: str) -> list[str]:
    """The lines but for settings of that registry alone."""
    key = nerf_dart(url)
    names = (f"{key}:", f"{key.rstrip('/')}:")
    return [line for line in lines if not line.strip().casefold().startswith(names)]


def is_azure_devops(connection: Connection) -> bool:
    """Whether the registry is a feed of Azure DevOps, which takes tokens as passwords; nobody is asked twice."""
    probe = Probe(connection=connection, headers={"X-TFS-FedAuthRedirect": "Suppress"}, seconds=_PROBE_SECONDS)
    try:
        answer = probe.ask(registry_url(connection.url), authenticate=False)
    except VerificationError:
        return False
    return any(name.startswith(("x-tfs", "x-vss")) for name in answer.headers)


def credential_lines(run: TaskRun, connection: Connection) -> list[str]:
    """The settings that log in to the connection's registry; raises `TaskFailedError` for a scheme that cannot."""
    login = login_of(connection, user=NAMELESS)
    key = nerf_dart(connection.url)
    if login.is_token and not is_azure_devops(connection):
        return [f"{key}:_authToken={login.password.reveal()}", f"{key}:always-auth=true"]
    password = base64.b64encode(login.password.reveal().encode()).decode("ascii")
    run.mask(Secret(password))
    return [
        f"{key}:username={login.username}",
        f"{key}:_password={password}",
        f"{key}:email={_email(login)}",
        f"{key}:always-auth=true",
    ]


def write(path: Path, lines: Sequence[str]) -> None:
    """Write the file in one go, for this user only."""
    fd, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(fd, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines).rstrip("\n") + "\n")
    Path(name).replace(path)


def _email(login: PackageLogin) -> str:
    return "VssEmail" if login.is_token else login.username
