"""`CargoAuthenticate@0`: tokens for the registries that a `config.toml` names, for the steps that follow."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import Connection, Secret, TaskFailedError, TaskRun
from sluice_packages._login import login_of

_PROVIDER = "cargo:token"
_LIMIT = 1 << 20


def authenticate(run: TaskRun) -> None:
    """Set the token of each registry whose index a connection has, and of crates.io for a connection with a token."""
    file = _file(run)
    run.say(f"Adding authentication for registry listed in this config.toml file at {file}")
    indexes = _indexes(file)
    count = 0
    for connection in run.connections("cargoServiceConnections"):
        login = login_of(connection, user="")
        if login.is_token:
            _check_public(connection)
            _set(run, "CARGO_REGISTRY", login.password)
            count += 1
            continue
        names = [name for name, index in indexes.items() if index == _normal(connection.url)]
        if not names:
            run.say(f"No registry of the file has the index {connection.url}, which '{connection.name}' is for.")
        for name in names:
            variable = f"CARGO_REGISTRIES_{name.upper().replace('-', '_')}"
            if run.variable(f"{variable}_TOKEN"):
                run.warn(
                    f"Registry {name} already has auth set for an external or federated connection. Overwriting the "
                    "existing auth."
                )
            run.say(f"Adding auth for external registry: {name} with token name: {variable}_TOKEN")
            _set(run, variable, login.basic)
            count += 1
    run.say(f"Authenticated 0 internal feeds, {count} external repos, and 0 federated service connections")


def _set(run: TaskRun, variable: str, token: Secret) -> None:
    # Cargo reads it from the environment, where a secret variable is not.
    run.mask(token)
    run.set_variable(f"{variable}_TOKEN", token.reveal())
    run.set_variable(f"{variable}_CREDENTIAL_PROVIDER", _PROVIDER)


def _check_public(connection: Connection) -> None:
    if urlsplit(connection.url).netloc != "crates.io":
        raise TaskFailedError(
            f"The service connection for {connection.url} is invalid.",
            where=connection.name,
            why="a token is for crates.io alone, as Azure Pipelines has it",
            do="use the scheme UsernamePassword for other registries",
        )


def _file(run: TaskRun) -> Path:
    run.required("configFile")
    file = run.path("configFile")
    if not file.is_file():
        raise TaskFailedError(f"The config.toml file you selected at {file} does not currently exist.", where=run.task)
    return file


def _indexes(file: Path) -> dict[str, str]:
    """The address of each registry's index, by the registry's name."""
    try:
        with file.open("rb") as source:
            content: dict[str, Any] = tomllib.loads(source.read(_LIMIT).decode())
    except (OSError, ValueError) as error:
        raise TaskFailedError(
            f"The file you selected to authenticate ({file}) is not a valid .toml file.", why=str(error)
        ) from error
    known = content.get("registries")
    if not isinstance(known, dict):
        raise TaskFailedError("The config.toml file you selected must contain registries table", where=str(file))
    return {
        name: _normal(one["index"])
        for name, one in known.items()
        if isinstance(one, dict) and isinstance(one.get("index"), str)
    }


def _normal(index: str) -> str:
    """An index as it is compared: without `sparse+`; the host has no case, an empty path is `/`."""
    try:
        parts = urlsplit(index.removeprefix("sparse+"))
    except ValueError:
        return index
    path = parts.path or "/"
    return parts._replace(scheme=parts.scheme.casefold(), netloc=parts.netloc.casefold(), path=path).geturl()
