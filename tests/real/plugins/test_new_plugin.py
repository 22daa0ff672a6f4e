"""What `sluice plugins new` writes installs into a fresh virtual environment, and its tests pass there at once."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.real


def run(*command: str | Path, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTEST", "PYTHON"))}
    return subprocess.run(
        command, cwd=where, env=kept | environment, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of a fresh environment in which nothing is installed but what this one has: Sluice and pytest."""
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    (folder,) = (tmp_path / "venv").glob("lib/python3*/site-packages")
    places = [place for place in (*site.getsitepackages(), *sys.path) if place.endswith("-packages")]
    lines = [f"import site; site.addsitedir({place!r})\n" for place in dict.fromkeys(places)]
    (folder / "sluicegate.pth").write_text("".join(lines))
    return tmp_path / "venv" / "bin" / "python"


def test_it_installs_and_its_tests_pass(python: Path, tmp_path: Path) -> None:
    home = {"SLUICE_HOME": str(tmp_path / "home")}
    written = run(python, "-m", "sluice", "plugins", "new", "acme-depot", where=tmp_path, **home)
    assert written.returncode == 0, written.stderr
    plugin = tmp_path / "sluice-acme-depot"
    installed = run(python, "-m", "pip", "install", "-q", "-e", ".[test]", where=plugin)
    if installed.returncode:  # setuptools, which builds it, comes from an index
        reason = f"pip cannot install it: {installed.stderr[-300:]}"
        if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    tested = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", where=plugin)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "skipped" not in tested.stdout
    listed = run(python, "-m", "sluice", "plugins", "list", where=tmp_path, **home)
    line = next(line for line in listed.stdout.splitlines() if line.startswith("acme-depot"))
    assert line.split()[1:4] == ["loaded", "sluice-acme-depot", "0.1.0"]
