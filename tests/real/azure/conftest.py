"""Debian's `az`, unmodified, against Azure as a double under its own names."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from tests.plugins.sluice_azure.conftest import World, world

__all__ = ["World", "world"]

AZ = "apt-get install azure-cli, or see https://learn.microsoft.com/cli/azure/install-azure-cli"


@pytest.fixture(scope="session")
def az(require_program: Callable[[str, str], Path]) -> Path:
    return require_program("az", AZ)


class ProcessWatch:
    """Looks at every process of the machine again and again: at what it was started with, and at its environment."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        self._secrets = secrets
        self._over = threading.Event()
        self.arguments: set[str] = set()
        """Secrets that were arguments of a process."""
        self.environments: dict[str, set[str]] = {}
        """Secrets that were in environments, and the programs that had them."""
        self.seen: set[str] = set()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            for entry in os.scandir("/proc"):
                if entry.name.isdecimal() and int(entry.name) != os.getpid():
                    self._look(Path(entry.path))

    def _look(self, process: Path) -> None:
        try:
            arguments, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            return
        words = arguments.split(b"\0")
        self.seen.update(os.fsdecode(Path(os.fsdecode(word)).name) for word in words[:2])
        for name, secret in self._secrets.items():
            if secret in arguments:
                self.arguments.add(name)
            if secret in environment:
                self.environments.setdefault(name, set()).add(os.fsdecode(b" ".join(words[:2])))


@pytest.fixture
def watched() -> Callable[[dict[str, str]], ProcessWatch]:
    return lambda secrets: ProcessWatch({name: text.encode() for name, text in secrets.items()})
