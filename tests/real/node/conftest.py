"""A real Node, and the task library of Azure Pipelines in the majors that tasks in the field carry."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

VERSIONS = ("2.12.2", "3.4.0", "4.17.3", "5.281.0")
"""Old and new majors of `azure-pipelines-task-lib`."""

_INSTALL = "apt-get install nodejs npm"


@pytest.fixture(scope="session")
def node(require_program: Callable[[str, str], Path]) -> Path:
    return require_program("node", _INSTALL)


@pytest.fixture(scope="session")
def task_library(require_program: Callable[[str, str], Path], request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """The folder of a version of the library, from npm; kept in pytest's cache."""
    npm = require_program("npm", _INSTALL)
    cache = request.config.cache

    def find(version: str) -> Path:
        folder = Path(cache.mkdir("task-lib")) if cache is not None else Path(tempfile.gettempdir())
        place = folder / version
        library = place / "node_modules" / "azure-pipelines-task-lib"
        if not (place / "complete").exists():
            place.mkdir(parents=True, exist_ok=True)
            got = subprocess.run(
                [
                    *(str(npm), "install", "--prefix", str(place), "--ignore-scripts", "--no-audit", "--no-fund"),
                    f"azure-pipelines-task-lib@{version}",
                ],
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            if got.returncode != 0:
                reason = f"npm cannot install azure-pipelines-task-lib {version}: {got.stderr[-500:]}"
                if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
                    pytest.fail(reason)
                pytest.skip(reason)
            (place / "complete").touch()
        return library

    return find


@dataclass(frozen=True)
class Author:
    """Writes task packages."""

    folder: Path
    library: Path

    def write(self, main: str, manifest: Mapping[str, Any] | None = None, **files: str) -> Path:
        """A package whose main execution is this code; `tl` is the task library in it. Other files by name."""
        package = self.folder / f"package{len(list(self.folder.iterdir()))}"
        package.mkdir()
        values: dict[str, Any] = {
            "id": "5f1f7c3e-0000-4000-8000-000000000001",
            "name": "Probe",
            "friendlyName": "Probe",
            "version": {"Major": 1, "Minor": 2, "Patch": 3},
            "inputs": [],
            "execution": {"Node10": {"target": "main.js"}},
        }
        (package / "task.json").write_text(json.dumps(values | dict(manifest or {})))
        for name, code in {"main": main, **files}.items():
            text = f"const tl = require({json.dumps(str(self.library / 'task'))});\n{code}\n"
            (package / f"{name}.js").write_text(text)
        return package


@pytest.fixture
def author(node: Path, task_library: Callable[[str], Path], tmp_path: Path) -> Author:
    """Writes packages that use the newest library."""
    del node
    folder = tmp_path / "packages"
    folder.mkdir()
    return Author(folder, task_library(VERSIONS[-1]))


@pytest.fixture(params=VERSIONS)
def versioned(
    request: pytest.FixtureRequest, node: Path, task_library: Callable[[str], Path], tmp_path: Path
) -> Author:
    """Writes packages for each major of the library."""
    del node
    folder = tmp_path / "packages"
    folder.mkdir()
    return Author(folder, task_library(request.param))
