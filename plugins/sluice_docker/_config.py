"""The job's own `DOCKER_CONFIG`: a private folder with the log-ins of this job, and of nobody else."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun
from sluice_docker._login import RegistryLogin

VARIABLE = "DOCKER_CONFIG"
_FILE = "config.json"


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """A folder with a `config.json` that holds log-ins."""

    folder: Path

    def registries(self) -> tuple[str, ...]:
        """The registries that somebody has logged in to, in that order."""
        return tuple(self._read().get("auths", {}))

    def add(self, login: RegistryLogin) -> None:
        """Log in: the file is readable by this user only."""
        pair = f"{login.username}:{login.password.reveal()}"
        content = self._read()
        auths = {**content.get("auths", {}), login.registry: {"auth": base64.b64encode(pair.encode()).decode("ascii")}}
        self._write({**content, "auths": auths})

    def remove(self, registry: str) -> bool:
        """Log out; whether there was a log-in."""
        content = self._read()
        auths = dict(content.get("auths", {}))
        if auths.pop(registry, None) is None:
            return False
        self._write({**content, "auths": auths})
        return True

    def clear(self) -> None:
        """Log out everywhere."""
        if content := self._read():
            self._write({**content, "auths": {}})

    @contextlib.contextmanager
    def copied(self, temp: Path) -> Iterator[DockerConfig]:
        """A copy for one command, which goes when it ends."""
        with tempfile.TemporaryDirectory(prefix="docker-config-", dir=temp) as name:
            if (self.folder / _FILE).is_file():
                shutil.copy2(self.folder / _FILE, name)
            yield DockerConfig(Path(name))

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads((self.folder / _FILE).read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise TaskFailedError("Docker's configuration is no JSON", where=str(self.folder / _FILE)) from error
        if not isinstance(content, dict) or not isinstance(content.get("auths", {}), dict):
            raise TaskFailedError("Docker's configuration has not the form that is expected", where=str(self.folder))
        return content

    def _write(self, content: Mapping[str, Any]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a new file in its place: nobody reads half of it
        fd, name = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(fd, "w") as file:
            json.dump({**_plugins(), **content}, file)
        Path(name).replace(self.folder / _FILE)


def job_config(run: TaskRun) -> DockerConfig:
    """The configuration of the job, below its private folder: never that of the person whose account this is.

    Where the host's environment names another folder, the steps that follow are told about the job's own.
    """
    known = run.environment.get(VARIABLE, "")
    if known and run.temp in Path(known).parents:
        return DockerConfig(Path(known))
    folder = run.temp / ".tools" / "docker"
    run.set_variable(VARIABLE, str(folder))
    return DockerConfig(folder)


def _plugins() -> Mapping[str, Any]:
    """Where `docker` finds the commands that a person has added: in the folder that `DOCKER_CONFIG` takes away."""
    folder = Path.home() / ".docker" / "cli-plugins"
    return {"cliPluginsExtraDirs": [str(folder)]} if folder.is_dir() else {}
