"""Secrets and config maps from arguments as `kubectl create secret generic` takes them, without a command line.

The values of a secret would stand in the arguments of a process, where everybody on the machine can read them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.plugin import Connection, TaskFailedError, split_arguments

OPAQUE = "Opaque"
DOCKER = "kubernetes.io/dockerconfigjson"
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_OPTION = re.compile(r"--[a-z][a-z-]{1,40}")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_TAKEN = ("--from-literal", "--from-file", "--from-env-file", "--type")
MOST_BYTES = 1 << 20
"""What a Secret or a ConfigMap may hold, as the API server has it."""


@dataclass(kw_only=True)
class Entries:
    """The keys and values of a secret or a config map."""

    where: str
    folder: Path
    values: dict[str, bytes] = field(default_factory=dict)
    type: str = OPAQUE

    def read(self, arguments: str) -> Entries:
        """Add what arguments say; raises `TaskFailedError` that shows no value."""
        words = iter(split_arguments(arguments))
        for word in words:
            name, has_value, value = word.partition("=")
            if name not in _TAKEN:
                # a word that is no option may be a part of a value, which blanks without quotes have cut
                what = f"the argument '{name}' is" if _OPTION.fullmatch(name) else "one of the arguments is"
                raise self._error(f"{what} not supported", f"there are: {', '.join(_TAKEN)}")
            self._take(name, value if has_value else next(words, ""))
        return self

    def add_files(self, key: str, path: Path) -> None:
        """Add a file, or each file of a folder by its name."""
        if path.is_dir():
            for one in sorted(path.iterdir()):
                if one.is_file():
                    self._add(one.name, self._content(one))
        else:
            self._add(key or path.name, self._content(path))

    def _take(self, name: str, value: str) -> None:
        if name == "--from-literal":
            key, has_value, text = value.partition("=")
            if not has_value:
                raise self._error("--from-literal takes KEY=VALUE")
            self._add(key, text.encode())
        elif name == "--from-file":
            key, has_key, path = value.partition("=")
            self.add_files(key if has_key else "", self.folder / (path if has_key else value))
        elif name == "--from-env-file":
            for key, text in self._variables(self.folder / value):
                self._add(key, text.encode())
        else:
            self.type = value

    def _variables(self, path: Path) -> Iterator[tuple[str, str]]:
        for number, line in enumerate(self._content(path).decode("utf-8", "replace").splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            key, has_value, text = line.partition("=")
            if not has_value or not _VARIABLE.fullmatch(key.strip()):
                raise self._error(f"line {number} of {path.name} is no KEY=VALUE")
            yield key.strip(), text

    def _add(self, key: str, value: bytes) -> None:
        if not _KEY.fullmatch(key):
            raise self._error(f"'{key[:60]}' is no key: letters, digits, '-', '_' and '.' are", "")
        if key in self.values:
            raise self._error(f"the key '{key}' is there twice")
        self.values[key] = value
        if sum(map(len, self.values.values())) > MOST_BYTES:
            raise self._error(f"it would hold more than {MOST_BYTES >> 20} MiB, which the cluster refuses")

    def _content(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise self._error(f"{path} cannot be read", error.strerror or "") from None

    def _error(self, what: str, why: str = "") -> TaskFailedError:
        return TaskFailedError(what, where=self.where, why=why)


def secret_object(name: str, entries: Entries) -> dict[str, Any]:
    """A `Secret` of these entries."""
    data = {key: base64.b64encode(value).decode("ascii") for key, value in entries.values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": entries.type, "data": data}


def config_map(name: str, entries: Entries) -> dict[str, Any]:
    """A `ConfigMap` of these entries; what is no text goes into its binary part."""
    texts: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in entries.values.items():
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode("ascii")
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": texts}
    return found | ({"binaryData": binary} if binary else {})


def docker_secret(name: str, connection: Connection) -> dict[str, Any]:
    """The `Secret` with which pods pull images from the registry of a Docker Registry connection."""
    password = connection.secret("password")
    registry = connection.text("registry")
    if not password or not registry:
        raise TaskFailedError(
            "the Docker Registry connection has no registry, or no password for it", where=connection.name
        )
    username = connection.text("username")
    pair = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode("ascii")
    login = {"username": username, "password": password.reveal(), "email": connection.text("email"), "auth": pair}
    content: Mapping[str, Any] = {"auths": {registry: login}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(content).encode()).decode("ascii")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": DOCKER, "data": data}
