"""Start-up stays quick only as long as heavy libraries stay out of the way (goals G1 and G2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN_LIBRARIES = {"paramiko", "requests", "docker", "kubernetes", "azure", "nacl", "bcrypt", "invoke"}
HEAVY = PLUGIN_LIBRARIES | {"sqlalchemy", "alembic", "rich", "cryptography", "fastapi", "uvicorn", "jinja2", "asyncio"}
PROBE = """
import json, sys
from sluice.cli.main import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write("\\nMODULES " + json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=folder,
        env={**os.environ, "SLUICE_HOME": str(folder / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.rpartition("MODULES ")[2]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "azure-pipelines.yml").write_text("steps:\n- script: echo hello\n")
    return tmp_path


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"], ["connection", "--help"]])
def test_help_and_version_import_nothing_heavy(folder: Path, arguments: list[str]) -> None:
    assert not imported(folder, *arguments) & (HEAVY | {"yaml", "sqlite3"})


def test_checking_a_pipeline_needs_no_database(folder: Path) -> None:
    assert not imported(folder, "validate") & HEAVY


def test_listing_connections_needs_no_database_library(folder: Path) -> None:
    imported(folder, "connection", "list")  # makes the database
    assert not imported(folder, "connection", "list") & HEAVY


def test_a_run_of_scripts_imports_no_library_of_plugins(folder: Path) -> None:
    imported(folder, "run")  # makes the database, for which alembic may be needed
    modules = imported(folder, "run")
    assert not modules & (PLUGIN_LIBRARIES | {"alembic", "rich", "fastapi"})
