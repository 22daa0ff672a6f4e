"""A server as people start it, for the official clients of Azure DevOps, unmodified."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SECONDS = 60.0


@pytest.fixture(autouse=True)
def _their_sockets() -> Iterator[None]:
    """The clients leave connections to the garbage collector: it takes them here, not during a test of something else."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs: its address, and an access token of its administrator."""

    url: str
    token: str
    home: Path

    @property
    def collection(self) -> str:
        """The address of the organization."""
        return f"{self.url}/local"

    def sluice(self, *arguments: str, given: str = "") -> str:
        """What a command prints, in the installation of the server."""
        done = subprocess.run(
            [sys.executable, "-m", "sluice", *arguments],
            input=given,
            env=_environment(self.home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _environment(home: Path) -> dict[str, str]:
    left = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return {**left, "SLUICE_HOME": str(home)}


@contextmanager
def serving(home: Path, *options: str, issuer: str = "") -> Iterator[Server]:
    """`sluice serve` on a port that is free, ended by the signal that ends services."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", "serve", "--port", "0", *options],
        env={**_environment(home), **({"SLUICE_ISSUER_URL": issuer} if issuer else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        first = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert found, first + process.stderr.read()
        made = Server(url=found[0], token="", home=home)
        token = made.sluice("token", "create", "clients", "--full-access").strip()
        yield Server(url=found[0], token=token, home=home)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert "defect" not in errors, errors


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of an installation of its own."""
    with serving(tmp_path_factory.mktemp("home") / "state") as made:
        yield made
