"""Finds what official clients need on this machine: a program, or a package of Node that is installed for the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRED = "SLUICE_REQUIRE_REAL"
NODE_API = "azure-devops-node-api@17.0.1"
SECONDS = 240


def program(name: str, install: str) -> str:
    """The path of a program; without it the test is skipped, or fails where everything has to be there."""
    return shutil.which(name) or missing(f"'{name}' is not installed: {install}")


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything has to be there."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def node_modules() -> Path:
    """The folder of the Node client, installed once into the cache of whoever runs this."""
    npm = program("npm", "apt-get install npm")
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache_root / "sluice-test-clients" / NODE_API.replace("/", "-")
    if not (folder / "node_modules" / "azure-devops-node-api").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), NODE_API],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            missing(f"'{NODE_API}' cannot be installed: {done.stderr.strip()[-200:]}")
    return folder / "node_modules"
